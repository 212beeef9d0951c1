/** Times of requests in whole seconds. */

/**
 * @param text RFC 3339
 * @returns Unix second, rounded up: a key never expires before the time that was asked for
 */
export function secondsOf(text: string): number {
  // Date knows milliseconds alone, and drops what is finer.
  const hasFraction = /\.\d*[1-9]/.test(text);
  return Math.floor(Date.parse(text) / 1_000) + (hasFraction ? 1 : 0);
}
