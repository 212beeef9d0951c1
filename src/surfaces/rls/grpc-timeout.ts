/** How long a caller waits, as the gRPC protocol writes it: up to eight digits and a unit. */

const DIGITS_MAX = 8;
const ZERO = 48;

const MILLIS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** @returns milliseconds; NaN for what is no such text */
export function millisOfTimeout(text: string): number {
  const last = text.length - 1;
  if (last < 1 || last > DIGITS_MAX) return Number.NaN;
  let amount = 0;
  for (let at = 0; at < last; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    amount = 10 * amount + digit;
  }
  return amount * (MILLIS[text.charAt(last)] ?? Number.NaN);
}
