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

/**
 * Of a domain and a key together: with what stands around them, and a few tags, they fit into a datagram. A longer key is
 * cut, as callers choose it where detailed_metric does; so is a domain of more than half of it.
 */
const TEXT_BYTES_MAX = 1_000;
const DOMAIN_BYTES_MAX = TEXT_BYTES_MAX / 2;

const encoder = new TextEncoder();
const scratch = new Uint8Array(TEXT_BYTES_MAX);

const LIMITS = ['ratelimit', 'service', 'rate_limit'] as const;
const LIMITS_PREFIX = LIMITS.join('.');

/** @param key of a limit in this domain: names of nodes, joined by `.` */
export function limitName(domain: string, key: string): LimitName {
  const clearDomain = domainText(domain);
  const clearKey = sanitised(key, TEXT_BYTES_MAX - Buffer.byteLength(clearDomain));
  return { domain: clearDomain, key: clearKey, full: `${LIMITS_PREFIX}.${clearDomain}.${clearKey}` };
}

/** `ratelimit.service.rate_limit.<domain>.<key>.<stat>` */
export function limitStat({ domain, key, full }: LimitName, stat: string): StatName {
  return new StatName('limit', `${full}.${stat}`, () => [...LIMITS, domain, ...key.split('.'), stat]);
}

/** `ratelimit.service.rate_limit.<domain>.<stat>` */
export function domainName(domain: string, stat: string): StatName {
  const clearDomain = domainText(domain);
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
 * characters do, too, since they end a line of statsd, and what is no Unicode cannot be sent. A dot before `__` does,
 * since that is how tags begin.
 */
export function sanitised(text: string, bytesMax = TEXT_BYTES_MAX): string {
  const clear = text
    .slice(0, bytesMax)
    .toWellFormed()
    .replace(/[:|\p{Cc}\u2028\u2029]/gu, '_')
    .replaceAll('.__', '___')
    .replace(/\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}/g, (address) => address.replaceAll('.', '_'));
  return cut(clear, bytesMax);
}

/** Before a domain stands a dot, and an unknown one is a caller's choice: it must not begin a tag. */
function domainText(domain: string): string {
  return sanitised(domain, DOMAIN_BYTES_MAX).replace(/^_{2,}/, '_');
}

/** So many bytes of UTF-8 at most, and no half character. */
function cut(text: string, bytesMax: number): string {
  if (3 * text.length <= bytesMax) return text;
  return text.slice(0, encoder.encodeInto(text, scratch.subarray(0, bytesMax)).read);
}
