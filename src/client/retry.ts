/** Whether a call is made again, and how long it waits before. Rows of rules; nobody waits here. */
import { retryAfterMillis } from './limit-headers.ts';
import type { Repeat } from './request.ts';

export interface Backoff {
  /** The longest wait before the second attempt; it doubles with each further one. */
  readonly baseMillis: number;
  /** No wait is longer, Retry-After aside. */
  readonly maxMillis: number;
}

/** The gateway or the server behind it did not answer; nothing is known of what it has done. */
const GONE_STATUSES: readonly number[] = [502, 503, 504];

/** @param response undefined: the network failed */
export function isRetried(repeat: Repeat, response: Response | undefined): boolean {
  if (repeat === 'never') return false;
  // A 429 is the limiter's answer: nobody has processed the request.
  if (response?.status === 429) return true;
  return repeat === 'always' && (response === undefined || GONE_STATUSES.includes(response.status));
}

/** What the API asks for: only with 429 and 503, where RFC 9110 and RFC 6585 give it this meaning. */
export function askedMillis(response: Response | undefined, nowMillis: number): number {
  if (response?.status !== 429 && response?.status !== 503) return 0;
  return retryAfterMillis(response.headers, nowMillis) ?? 0;
}

/**
 * Exponential, with full jitter: callers that were turned away together do not come back together.
 * @param attempt which one failed, from 1
 * @param random from 0 up to 1
 */
export function backoffMillis({ baseMillis, maxMillis }: Backoff, attempt: number, random: number): number {
  return Math.round(random * Math.min(maxMillis, baseMillis * 2 ** (attempt - 1)));
}
