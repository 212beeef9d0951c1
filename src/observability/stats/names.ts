/** What statistics are called: envoyproxy/ratelimit's names, part by part, with nothing in them that a sink would misread. */

/** One statistic. The object is its identity: sinks keep what they make of it beside it. */
export interface StatName {
  /** The parts joined by `.`. */
  readonly full: string;
  /** A domain is one part, dots and all; of the rest of a limit's name every dot begins another part. */
  readonly parts: readonly string[];
  readonly of: 'limit' | 'domain' | 'method' | 'service';
}

/** A longer name is cut: it must fit into a datagram, and callers choose it where detailed_metric does. */
const TEXT_CHARS_MAX = 1_000;

const LIMITS = ['ratelimit', 'service', 'rate_limit'] as const;

/** Of a domain, and of a limit in it: `ratelimit.service.rate_limit.<domain>.<key>.<stat>`. */
export function limitName(domain: string, key: string, stat: string): StatName {
  return nameOf('limit', [...LIMITS, sanitised(domain), ...sanitised(key).split('.'), stat]);
}

/** `ratelimit.service.rate_limit.<domain>.<stat>` */
export function domainName(domain: string, stat: string): StatName {
  return nameOf('domain', [...LIMITS, sanitised(domain), stat]);
}

/** `ratelimit_server.<method>.<stat>` */
export function methodName(method: string, stat: string): StatName {
  return nameOf('method', ['ratelimit_server', method, stat]);
}

/** @param full a name that is in no caller's hand */
export function serviceName(full: string): StatName {
  return nameOf('service', full.split('.'));
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

function nameOf(of: StatName['of'], parts: readonly string[]): StatName {
  return { full: parts.join('.'), parts, of };
}
