/** What statistics are called: envoyproxy/ratelimit's names, part by part, with nothing in them that a sink would misread. */

/** One statistic. The object is its identity. */
export class StatName {
  readonly of: 'limit' | 'domain' | 'method' | 'service';
  /** The parts joined by `.`. */
  readonly full: string;
  /** What the sink has made of this name; its alone. Here and not in a map of the sink's: names come and go by the million. */
  kept: unknown = undefined;
  readonly #parts: () => readonly string[];

  constructor(of: StatName['of'], full: string, parts: () => readonly string[]) {
    this.of = of;
    this.full = full;
    this.#parts = parts;
  }

  /** A domain is one part, dots and all; of the rest of a limit's name every dot begins another part. */
  get parts(): readonly string[] {
    return this.#parts();
  }
}

/** What all statistics of a limit have in common. */
export interface LimitName {
  readonly domain: string;
  readonly key: string;
  /** `ratelimit.service.rate_limit.<domain>.<key>` */
  readonly full: string;
}

/** A longer name is cut: it must fit into a datagram, and callers choose it where detailed_metric does. */
const TEXT_CHARS_MAX = 1_000;

const LIMITS = ['ratelimit', 'service', 'rate_limit'] as const;
const LIMITS_PREFIX = LIMITS.join('.');

/** @param key of a limit in this domain: names of nodes, joined by `.` */
export function limitName(domain: string, key: string): LimitName {
  const [clearDomain, clearKey] = [sanitised(domain), sanitised(key)];
  return { domain: clearDomain, key: clearKey, full: `${LIMITS_PREFIX}.${clearDomain}.${clearKey}` };
}

/** `ratelimit.service.rate_limit.<domain>.<key>.<stat>` */
export function limitStat({ domain, key, full }: LimitName, stat: string): StatName {
  return new StatName('limit', `${full}.${stat}`, () => [...LIMITS, domain, ...key.split('.'), stat]);
}

/** `ratelimit.service.rate_limit.<domain>.<stat>` */
export function domainName(domain: string, stat: string): StatName {
  const clearDomain = sanitised(domain);
  return new StatName('domain', `${LIMITS_PREFIX}.${clearDomain}.${stat}`, () => [...LIMITS, clearDomain, stat]);
}

/** `ratelimit_server.<method>.<stat>` */
export function methodName(method: string, stat: string): StatName {
  return new StatName('method', `ratelimit_server.${method}.${stat}`, () => ['ratelimit_server', method, stat]);
}

/** @param full a name that is in no caller's hand */
export function serviceName(full: string): StatName {
  return new StatName('service', full, () => full.split('.'));
}

/**
 * As envoyproxy/ratelimit: `:` and `|` become `_`, and so do the dots of an IPv4 address, wherever it stands. Control
 * characters do, too, since they end a line of statsd, and what is no Unicode cannot be sent.
 */
export function sanitised(text: string): string {
  return text
    .slice(0, TEXT_CHARS_MAX)
    .toWellFormed()
    .replace(/[:|\p{Cc}\u2028\u2029]/gu, '_')
    .replace(/\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}/g, (address) => address.replaceAll('.', '_'));
}
