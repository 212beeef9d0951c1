/** What an answer's headers say of its caller's limit. What follows from it is the budget's matter. */

/** Of the window that an answer tells of: its most restrictive one. */
export interface ToldLimit {
  /** At least 1. */
  readonly limit: number;
  readonly remaining: number;
  /** Until the window ends, counted from the moment of the decision; at least 1. */
  readonly resetSeconds: number;
}

/** Below it X-RateLimit-Reset is seconds from now, as some APIs send it; from it on, unix time (2001-09-09). */
const UNIX_SECONDS_MIN = 1e9;
/** A unix time in milliseconds would be a wait of millennia. */
const UNIX_SECONDS_MAX = 1e11;

/**
 * RateLimit-Limit, -Remaining and -Reset, or else the three of X-RateLimit-*: all three of one family, or nothing, since
 * numbers of two families may speak of two windows. Anything but a bare integer counts as missing.
 */
export function toldLimit(headers: Headers, nowMillis: number): ToldLimit | undefined {
  const told = (prefix: string, resetOf: (value: number) => number | undefined): ToldLimit | undefined => {
    const [limit, remaining, reset] = ['Limit', 'Remaining', 'Reset'].map((name) =>
      integer(headers.get(`${prefix}-${name}`)),
    );
    if (!limit || remaining === undefined || reset === undefined) return undefined;
    const seconds = resetOf(reset);
    // 0 comes from APIs that round down, in a window's last second.
    return seconds === undefined ? undefined : { limit, remaining, resetSeconds: Math.max(seconds, 1) };
  };
  return (
    told('RateLimit', (seconds) => seconds) ??
    told('X-RateLimit', (reset) => {
      if (reset < UNIX_SECONDS_MIN) return reset;
      return reset < UNIX_SECONDS_MAX ? reset - serverSeconds(headers, nowMillis) : undefined;
    })
  );
}

/**
 * Retry-After as milliseconds from now: seconds or a date (RFC 9110 §10.2.3). Undefined if it is missing or neither.
 */
export function retryAfterMillis(headers: Headers, nowMillis: number): number | undefined {
  const text = headers.get('Retry-After')?.trim() ?? null;
  const seconds = integer(text);
  if (seconds !== undefined) return seconds * 1_000;
  const at = text === null ? undefined : httpDate(text);
  return at === undefined ? undefined : Math.max(at - nowMillis, 0);
}

/** By the server's own clock where it tells the time: an absolute reset is one of that clock. */
function serverSeconds(headers: Headers, nowMillis: number): number {
  const date = headers.get('Date');
  return Math.floor((date === null ? nowMillis : (httpDate(date) ?? nowMillis)) / 1_000);
}

function integer(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** All three forms of RFC 9110 §5.6.7, the last of which does not say that it is GMT. */
function httpDate(text: string): number | undefined {
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? .*\d\d:\d\d:\d\d/.test(text)) return undefined;
  const millis = Date.parse(text.endsWith(' GMT') ? text : `${text} GMT`);
  return Number.isNaN(millis) ? undefined : millis;
}
