/** What callers may leave out or get wrong: an option that is undefined is its default, and no number is nonsense. */

/** Every option, none of them undefined. */
export type Settled<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };

/** The options that are there. */
export function given<T extends object>(options: T): { readonly [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}

/**
 * @param max Infinity: it may be endless
 * @throws TypeError if it is no number, RangeError if it is NaN, negative or more than that
 */
export function requireMillis(name: string, value: unknown, max: number): void {
  require(name, value, 'a number of milliseconds from 0', (number) => number >= 0 && number <= max);
}

/**
 * @param max Infinity: it may be endless
 * @throws TypeError if it is no number, RangeError if it is NaN, negative, a fraction, or outside these
 */
export function requireCount(name: string, value: unknown, min: number, max: number): void {
  const isWhole = (number: number): boolean => Number.isSafeInteger(number) || number === Number.POSITIVE_INFINITY;
  const isCount = (number: number): boolean => isWhole(number) && number >= min && number <= max;
  require(name, value, `a whole number from ${min}`, isCount);
}

function require(name: string, value: unknown, what: string, isGood: (number: number) => boolean): void {
  if (typeof value !== 'number') throw new TypeError(`${name}: expected ${what}, got a value of type ${typeof value}`);
  if (!isGood(value)) throw new RangeError(`${name}: expected ${what}, got ${value}`);
}
