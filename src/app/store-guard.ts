/** Keeps a slow or dead store from being anybody's problem for longer than a deadline. */

import { Undecidable } from '../core/errors.ts';
import type { Hit } from '../core/hit.ts';
import type { Taken } from '../core/verdict.ts';
import type { Clock } from '../ports/clock.ts';
import type { CounterStore } from '../ports/counter-store.ts';
import type { DecisionObserver } from '../ports/observer.ts';
import { Breaker } from './breaker.ts';
import { Deadlines, Expiring } from './deadlines.ts';

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

interface StoreCallParts<T> {
  /** Nobody is told what becomes of it but who asked. */
  readonly isProbe: boolean;
  readonly startedAt: number;
  /** How long it waits for a store that is silent. */
  readonly millis: number;
  /** How much longer for one that answers others meanwhile. */
  readonly patience: number;
  readonly resolve: (answer: T) => void;
  readonly reject: (reason: Undecidable) => void;
  readonly onExpired: (call: StoreCall<never>) => void;
}

/** One question that waits for its answer. */
class StoreCall<T> extends Expiring {
  readonly parts: StoreCallParts<T>;
  patience: number;
  done = false;

  constructor(parts: StoreCallParts<T>) {
    super();
    this.parts = parts;
    this.patience = parts.patience;
  }

  expire(): void {
    this.parts.onExpired(this);
  }
}

export class StoreGuard {
  readonly #options: StoreGuardOptions;
  readonly #deadlines: Deadlines;
  readonly #breaker: Breaker;
  readonly #onExpired = (call: StoreCall<never>): void => this.#expire(call);
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
  take(hits: readonly Hit[], callerMillis: number | undefined): Promise<Taken> | Taken {
    const { store } = this.#options;
    if (store.takeAtOnce === undefined) return this.ask(() => store.take(hits), callerMillis);
    this.#leftFor(callerMillis);
    const { clock, observer } = this.#options;
    const startedAt = clock.monotonicMillis();
    const taken = store.takeAtOnce(hits);
    observer.storeCalled(clock.monotonicMillis() - startedAt, undefined);
    return taken;
  }

  /**
   * Any call of the store, or of what lives beside it.
   * @throws Undecidable, always without waiting for the store any longer
   */
  ask<T>(question: () => Promise<T>, callerMillis?: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const leftMillis = this.#leftFor(callerMillis);
      this.#begin(question, this.#callWithin(leftMillis, false, resolve, reject));
    });
  }

  /** Whether the store answers now. Asked by many at once, it asks once. */
  probe(): Promise<void> {
    this.#probing ??= this.#probe().finally(() => {
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

  #probe(): Promise<void> {
    return new Promise((resolve, reject) => {
      const call = this.#callWithin(Number.POSITIVE_INFINITY, true, resolve, reject);
      this.#begin(() => this.#options.store.probe(), call);
    });
  }

  #callWithin<T>(
    leftMillis: number,
    isProbe: boolean,
    resolve: (answer: T) => void,
    reject: (reason: Undecidable) => void,
  ): StoreCall<T> {
    const { clock, timeoutMillis } = this.#options;
    const millis = Math.min(timeoutMillis, leftMillis);
    const patience = Math.min(BUSY_TIMEOUTS * timeoutMillis, leftMillis - millis);
    const startedAt = clock.monotonicMillis();
    return new StoreCall({ isProbe, startedAt, millis, patience, resolve, reject, onExpired: this.#onExpired });
  }

  /** @param question may throw as well as reject */
  #begin<T>(question: () => Promise<T>, call: StoreCall<T>): void {
    this.#waiting += 1;
    this.#deadlines.add(call, call.parts.millis, call.parts.startedAt);
    try {
      question().then(
        (answer) => this.#answered(call, answer),
        (error: unknown) => this.#failed(call, asUndecidable(error)),
      );
    } catch (error) {
      this.#failed(call, asUndecidable(error));
    }
  }

  #answered<T>(call: StoreCall<T>, answer: T): void {
    const now = this.#options.clock.monotonicMillis();
    this.#repliedAt = now;
    if (call.done) return;
    this.#end(call);
    call.parts.resolve(answer);
    if (call.parts.isProbe) return;
    this.#breaker.record(false, undefined, now);
    this.#options.observer.storeCalled(now - call.parts.startedAt, undefined);
  }

  #failed<T>(call: StoreCall<T>, reason: Undecidable): void {
    if (call.done) return;
    this.#end(call);
    call.parts.reject(reason);
    if (call.parts.isProbe) return;
    const { clock, observer, timeoutMillis } = this.#options;
    const now = clock.monotonicMillis();
    // A caller in a hurry says nothing about a store that answered others meanwhile.
    const isHurry = call.parts.millis < timeoutMillis && this.#repliedAt >= call.parts.startedAt;
    if (reason.code !== 'STORE_TIMEOUT' || !isHurry) this.#breaker.record(true, reason, now);
    observer.storeCalled(now - call.parts.startedAt, reason);
  }

  #expire(call: StoreCall<never>): void {
    const { clock } = this.#options;
    const silentMillis = clock.monotonicMillis() - this.#repliedAt;
    const moreMillis = Math.min(call.patience, call.parts.millis - silentMillis);
    if (moreMillis > 0) {
      call.patience -= moreMillis;
      this.#deadlines.add(call, moreMillis);
      return;
    }
    const text = `the counter store did not answer within ${Math.floor(call.parts.millis)} ms`;
    this.#failed(call, new Undecidable('STORE_TIMEOUT', text));
  }

  #end<T>(call: StoreCall<T>): void {
    call.done = true;
    this.#waiting -= 1;
    this.#deadlines.remove(call);
  }
}

function asUndecidable(error: unknown): Undecidable {
  if (error instanceof Undecidable) return error;
  // Its own words are for operators: callers are not told what is behind this service.
  return new Undecidable('STORE_FAILED', 'the counter store failed', { cause: error });
}
