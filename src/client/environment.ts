/** What the client takes from its surroundings: time, chance, timers, the network. The one file that reads them. */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Unix milliseconds. It may be set anew at any time: only what servers tell in absolute time is read by it. */
  nowMillis(): number;
  /** Milliseconds since some moment, which never go back: every wait is counted by them. */
  monotonicMillis(): number;
  /** Calls back once, after at least so many milliseconds; at most MILLIS_MAX. */
  after(millis: number, callback: () => void): Timer;
}

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface Environment {
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
}

/** What setTimeout can count, 24.8 days: a longer one would fire at once. Whoever waits longer looks again then. */
export const MILLIS_MAX = 2 ** 31 - 1;

export const REAL: Environment = {
  // Looked up at each call: a page may put another in its place, and browsers refuse one without its window.
  fetch: (input, init) => globalThis.fetch(input, init),
  clock: {
    nowMillis: () => Date.now(),
    // Whole ones, as they are told to callers. It may stand still while the machine sleeps; then waits take longer.
    monotonicMillis: () => Math.floor(performance.now()),
    after(millis, callback) {
      const timer = setTimeout(callback, Math.min(millis, MILLIS_MAX));
      return { cancel: () => clearTimeout(timer) };
    },
  },
  random: () => Math.random(),
};

/** What a relative address is relative to; undefined outside a browser. */
export function baseUrl(): string | undefined {
  return (globalThis as { readonly location?: { readonly href?: string } }).location?.href;
}

/**
 * @param signal aborts the wait, which then rejects with its reason
 */
export function sleep(clock: Clock, millis: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const aborted = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const until = clock.monotonicMillis() + millis;
    const wake = (): void => {
      const left = until - clock.monotonicMillis();
      if (left > 0) {
        timer = clock.after(Math.min(left, MILLIS_MAX), wake);
        return;
      }
      signal?.removeEventListener('abort', aborted);
      resolve();
    };
    let timer = clock.after(Math.min(millis, MILLIS_MAX), wake);
    signal?.addEventListener('abort', aborted, { once: true });
  });
}
