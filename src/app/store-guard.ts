/** Keeps a slow or dead store from being anybody's problem for longer than a deadline. */

import { Undecidable } from '../core/errors.ts';
import type { Hit } from '../core/hit.ts';
import type { Taken } from '../core/verdict.ts';
import type { Clock } from '../ports/clock.ts';
import type { CounterStore } from '../ports/counter-store.ts';
import type { DecisionObserver } from '../ports/observer.ts';
import { Breaker } from './breaker.ts';
import { Deadlines, type Expiring } from './deadlines.ts';

export interface StoreGuardOptions {
  readonly store: CounterStore;
  readonly clock: Clock;
  /** No call waits longer than this for a silent store (REDIS_OP_TIMEOUT), nor three times as long for a busy one. */
  readonly timeoutMillis: number;
  readonly observer: Pick<DecisionObserver, 'storeCalled' | 'breakerChanged'>;
}

// A store that answers in 1 ms serves a million calls a second with a thousand waiting; more than this is an outage.
const WAITING_MAX = 20_000;
// A store that answered others meanwhile is busy, not dead: a burst waits for its turn, up to so many timeouts more.
const BUSY_TIMEOUTS = 2;
// What noticing the deadline and the way back take; of a short deadline no more than a third.
const CALLER_MARGIN_MILLIS = 6;

export class StoreGuard {
  readonly #options: StoreGuardOptions;
  readonly #deadlines: Deadlines;
  readonly #breaker: Breaker;
  #waiting = 0;
  #probing: Promise<void> | undefined;
  /** When the store last answered a call without an error. */
  #repliedAt = Number.NEGATIVE_INFINITY;

  constructor(options: StoreGuardOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock, options.timeoutMillis);
    this.#breaker = new Breaker({
      clock: options.clock,
      probe: () => this.probe(),
      onChange: (open, cause) => options.observer.breakerChanged(open, cause),
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
  take(hits: readonly Hit[], callerMillis: number | undefined): Promise<Taken> {
    return this.ask(() => this.#options.store.take(hits), callerMillis);
  }

  /**
   * Any call of the store, or of what lives beside it.
   * @throws Undecidable, always without waiting for the store any longer
   */
  async ask<T>(call: () => Promise<T>, callerMillis?: number): Promise<T> {
    const leftMillis = this.#leftFor(callerMillis);
    const { clock, observer, timeoutMillis } = this.#options;
    const startedAt = clock.monotonicMillis();
    try {
      const answer = await this.#bounded(call, leftMillis);
      this.#breaker.record(false);
      observer.storeCalled(clock.monotonicMillis() - startedAt, undefined);
      return answer;
    } catch (error) {
      const reason = asUndecidable(error);
      // A caller in a hurry says nothing about a store that answered others meanwhile.
      const isHurry = leftMillis < timeoutMillis && this.#repliedAt >= startedAt;
      if (reason.code !== 'STORE_TIMEOUT' || !isHurry) this.#breaker.record(true, reason);
      observer.storeCalled(clock.monotonicMillis() - startedAt, reason);
      throw reason;
    }
  }

  /** Whether the store answers now. Asked by many at once, it asks once. */
  probe(): Promise<void> {
    this.#probing ??= this.#bounded(() => this.#options.store.probe(), this.#options.timeoutMillis).finally(() => {
      this.#probing = undefined;
    });
    return this.#probing;
  }

  close(): Promise<void> {
    this.#breaker.stop();
    return this.#options.store.close();
  }

  /** How long the caller can wait for the store; Infinity when it did not say. */
  #leftFor(callerMillis: number | undefined): number {
    if (this.#breaker.open) throw new Undecidable('STORE_OPEN', 'the counter store does not answer');
    if (this.#waiting >= WAITING_MAX) throw new Undecidable('STORE_BUSY', 'too many calls wait for the counter store');
    if (callerMillis === undefined) return Number.POSITIVE_INFINITY;
    const left = callerMillis - Math.min(CALLER_MARGIN_MILLIS, callerMillis / 3);
    if (left < 1) throw new Undecidable('STORE_TIMEOUT', 'the deadline of the call has passed');
    return left;
  }

  /** @param ask may throw as well as reject */
  #bounded<T>(ask: () => Promise<T>, leftMillis: number): Promise<T> {
    const { clock, timeoutMillis } = this.#options;
    const millis = Math.min(timeoutMillis, leftMillis);
    let patience = Math.min(BUSY_TIMEOUTS * timeoutMillis, leftMillis - millis);
    return new Promise<T>((resolve, reject) => {
      this.#waiting += 1;
      const settle = (): void => {
        call.done = true;
        this.#waiting -= 1;
      };
      const call: Expiring = {
        done: false,
        expire: () => {
          const silentMillis = clock.monotonicMillis() - this.#repliedAt;
          const moreMillis = Math.min(patience, millis - silentMillis);
          if (moreMillis > 0) {
            patience -= moreMillis;
            this.#deadlines.add(call, moreMillis);
            return;
          }
          settle();
          reject(new Undecidable('STORE_TIMEOUT', `the counter store did not answer within ${Math.floor(millis)} ms`));
        },
      };
      asked(ask).then(
        (value) => {
          this.#repliedAt = clock.monotonicMillis();
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

/** What throws before it gives a promise is a failed promise like any other. */
async function asked<T>(ask: () => Promise<T>): Promise<T> {
  return ask();
}

function asUndecidable(error: unknown): Undecidable {
  if (error instanceof Undecidable) return error;
  // Its own words are for operators: callers are not told what is behind this service.
  return new Undecidable('STORE_FAILED', 'the counter store failed', { cause: error });
}
