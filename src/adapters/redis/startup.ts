/** How long to wait before the next attempt to connect, and when the first connection is no longer waited for. */

export interface StartupTimes {
  /** Before the second attempt; doubled with every further one. */
  readonly initialMillis: number;
  readonly maxMillis: number;
  /** From the first attempt on; 0: for ever. */
  readonly maxElapsedMillis: number;
}

/** Redis has not answered since the start, and REDIS_STARTUP_MAX_ELAPSED_TIME is over: the process should end. */
export class NeverConnected extends Error {
  readonly code = 'CONFIG_INVALID';

  constructor(maxElapsedMillis: number, cause: unknown) {
    const seen = cause instanceof Error ? `: ${cause.message}` : '';
    super(`REDIS_STARTUP_MAX_ELAPSED_TIME: no connection to Redis within ${maxElapsedMillis} ms${seen}`, { cause });
    this.name = 'NeverConnected';
  }
}

// A restarted Redis is found again within this time, whatever came before.
const RECONNECT_MILLIS_MAX = 500;
const RECONNECT_STEP_MILLIS = 50;

/** One for all connections of a process to one Redis. */
export class Startup {
  readonly #times: StartupTimes;
  #wasConnected = false;
  #attempts = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Of the last attempt. */
  #error: unknown;

  /** @param onGiveUp called at most once */
  constructor(times: StartupTimes, onGiveUp: (error: NeverConnected) => void) {
    this.#times = times;
    if (times.maxElapsedMillis === 0) return;
    const giveUp = () => onGiveUp(new NeverConnected(times.maxElapsedMillis, this.#error));
    this.#timer = setTimeout(giveUp, times.maxElapsedMillis);
  }

  failed(error: unknown): void {
    this.#error = error;
  }

  connected(): void {
    this.#wasConnected = true;
    this.stop();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** @param times which attempt in a row since a connection was there, from 1 */
  delayMillis(times: number): number {
    if (this.#wasConnected) return Math.min(RECONNECT_STEP_MILLIS * times, RECONNECT_MILLIS_MAX);
    const { initialMillis, maxMillis } = this.#times;
    const millis = Math.min(initialMillis * 2 ** this.#attempts, maxMillis);
    this.#attempts += 1;
    // Replicas that were started together do not come together.
    return Math.max(1, Math.round(millis * (0.5 + Math.random())));
  }
}
