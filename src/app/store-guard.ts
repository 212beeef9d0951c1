/** Keeps a slow or dead store from being anybody's problem for longer than a deadline. */
import type { Taken } from '../core/decision.ts';
import { Undecidable } from '../core/errors.ts';
import type { Hit } from '../core/plan.ts';
import type { Clock } from '../ports/clock.ts';
import type { CounterStore } from '../ports/counter-store.ts';
import type { DecisionObserver } from '../ports/observer.ts';
import { Breaker } from './breaker.ts';
import { Deadlines, type Expiring } from './deadlines.ts';

export interface StoreGuardOptions {
  readonly store: CounterStore;
  readonly clock: Clock;
  /** No call waits longer than this (REDIS_OP_TIMEOUT). */
  readonly timeoutMillis: number;
  readonly observer: Pick<DecisionObserver, 'storeCalled' | 'breakerChanged'>;
}

// A store that answers in 1 ms serves a million calls a second with a thousand waiting; more than this is an outage.
const WAITING_MAX = 20_000;
// What an answer needs on its way back: a caller that waits 20 ms is answered within 18.
const CALLER_MARGIN_MILLIS = 2;

export class StoreGuard {
  readonly #options: StoreGuardOptions;
  readonly #deadlines: Deadlines;
  readonly #breaker: Breaker;
  #waiting = 0;

  constructor(options: StoreGuardOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock, options.timeoutMillis);
    this.#breaker = new Breaker({
      clock: options.clock,
      probe: () => this.#bounded(() => options.store.probe(), options.timeoutMillis),
      onChange: (open) => options.observer.breakerChanged(open),
    });
  }

  /** Whether calls are being sent to the store. */
  get closed(): boolean {
    return !this.#breaker.open;
  }

  /**
   * As CounterStore.take, but it settles by its deadline.
   * @param callerMillis how long the caller still waits; undefined: as long as it takes
   * @throws Undecidable, always without waiting for the store any longer
   */
  async take(hits: readonly Hit[], callerMillis: number | undefined): Promise<Taken> {
    const millis = this.#millisFor(callerMillis);
    const { clock, store, observer } = this.#options;
    const startedAt = clock.monotonicMillis();
    try {
      const taken = await this.#bounded(() => store.take(hits), millis);
      this.#breaker.record(false);
      observer.storeCalled(clock.monotonicMillis() - startedAt, undefined);
      return taken;
    } catch (error) {
      const reason = asUndecidable(error);
      // A caller in a hurry says nothing about the store.
      if (reason.code !== 'STORE_TIMEOUT' || millis === this.#options.timeoutMillis) this.#breaker.record(true);
      observer.storeCalled(clock.monotonicMillis() - startedAt, reason);
      throw reason;
    }
  }

  /** Whether the store answers now. */
  async probe(): Promise<void> {
    await this.#bounded(() => this.#options.store.probe(), this.#options.timeoutMillis);
  }

  close(): Promise<void> {
    this.#breaker.stop();
    return this.#options.store.close();
  }

  #millisFor(callerMillis: number | undefined): number {
    if (this.#breaker.open) throw new Undecidable('STORE_OPEN', 'the counter store does not answer');
    if (this.#waiting >= WAITING_MAX) throw new Undecidable('STORE_BUSY', 'too many calls wait for the counter store');
    const { timeoutMillis } = this.#options;
    if (callerMillis === undefined) return timeoutMillis;
    const left = callerMillis - CALLER_MARGIN_MILLIS;
    if (left <= 0) throw new Undecidable('STORE_TIMEOUT', 'the deadline of the call has passed');
    return Math.min(timeoutMillis, left);
  }

  #bounded<T>(ask: () => Promise<T>, millis: number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting += 1;
      const settle = (): void => {
        call.done = true;
        this.#waiting -= 1;
      };
      const call: Expiring = {
        done: false,
        expire: () => {
          settle();
          reject(new Undecidable('STORE_TIMEOUT', `the counter store did not answer within ${millis} ms`));
        },
      };
      ask().then(
        (value) => {
          if (call.done) return;
          settle();
          resolve(value);
        },
        (error: unknown) => {
          if (call.done) return;
          settle();
          reject(asUndecidable(error));
        },
      );
      this.#deadlines.add(call, millis);
    });
  }
}

function asUndecidable(error: unknown): Undecidable {
  if (error instanceof Undecidable) return error;
  return new Undecidable('STORE_FAILED', `the counter store failed: ${(error as Error).message}`, { cause: error });
}
