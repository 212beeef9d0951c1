/** Stops asking a store that does not answer, and finds out by itself when it does again. */
import type { Undecidable } from '../core/errors.ts';
import type { Clock, Timer } from '../ports/clock.ts';

export interface BreakerOptions {
  readonly clock: Clock;
  /** Settles when the store works, fails when it does not. */
  readonly probe: () => Promise<void>;
  /** @param cause the failure that opened it */
  readonly onChange: (open: boolean, cause: Undecidable | undefined) => void;
}

// A few failures among many calls are the network's business; half of them failing is an outage.
const FAILURE_RATIO = 0.5;
// Fewer calls say nothing about a ratio.
const CALLS_MIN = 10;
const PERIOD_MILLIS = 1_000;
// Redis recovers in seconds: a probe four times a second finds it at once and burdens nobody.
const PROBE_MILLIS = 250;

export class Breaker {
  readonly #options: BreakerOptions;
  #open = false;
  #calls = 0;
  #failures = 0;
  #periodEndsAt = 0;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  /** While it is open nothing is to be asked of the store. */
  get open(): boolean {
    return this.#open;
  }

  /**
   * What became of one call. Calls that end while it is open change nothing: the probe decides.
   * @param now by the breaker's clock; for who has just read it
   */
  record(failed: boolean, cause?: Undecidable, now = this.#options.clock.monotonicMillis()): void {
    if (this.#open) return;
    if (now >= this.#periodEndsAt) {
      this.#periodEndsAt = now + PERIOD_MILLIS;
      this.#calls = 0;
      this.#failures = 0;
    }
    this.#calls += 1;
    if (failed) this.#failures += 1;
    if (failed && this.#calls >= CALLS_MIN && this.#failures / this.#calls >= FAILURE_RATIO) this.#trip(cause);
  }

  /** Ends the probing. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #trip(cause: Undecidable | undefined): void {
    this.#open = true;
    this.#options.onChange(true, cause);
    this.#probeLater();
  }

  #probeLater(): void {
    if (!this.#stopped) this.#timer = this.#options.clock.after(PROBE_MILLIS, () => this.#probe());
  }

  #probe(): void {
    this.#options.probe().then(
      () => this.#close(),
      () => this.#probeLater(),
    );
  }

  #close(): void {
    this.#open = false;
    this.#periodEndsAt = 0;
    this.#options.onChange(false, undefined);
  }
}
