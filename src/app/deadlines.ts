/** Deadlines that a stalled event loop cannot run out: time in which no reply could have been read hardly counts. */
import type { Clock } from '../ports/clock.ts';

/** Something that ends by itself or is told that its time is over. */
export interface Expiring {
  /** Called once for every time it was added, unless `done` was set before. May add itself again. */
  expire(): void;
  done: boolean;
}

// Fine enough for Envoy's default of 20 ms, coarse enough to cost nothing.
const TICK_MILLIS = 4;
// A longer turn of the event loop is a stall: then replies wait unread, and the store is not to blame.
const TURN_MILLIS_MAX = 20;

/**
 * A ring of ticks. Each tick advances the ring by the time that passed since the one before, but by no more than
 * TURN_MILLIS_MAX: after a stall of a second the calls that wait have lost 20 ms, not their lives.
 * One timer serves all calls, and none runs while nothing waits.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #slots: Expiring[][];
  /** Milliseconds that counted so far. */
  #counted = 0;
  #swept = 0;
  #waiting = 0;
  #tickedAt = 0;
  #ticking = false;

  /** @param millisMax the longest deadline that will be asked for */
  constructor(clock: Clock, millisMax: number) {
    this.#clock = clock;
    const slots = Math.ceil((millisMax + TURN_MILLIS_MAX) / TICK_MILLIS) + 2;
    this.#slots = Array.from({ length: slots }, () => []);
  }

  /** Expires `call` after `millis` (1 … millisMax), within a tick, unless it is done by then. */
  add(call: Expiring, millis: number): void {
    if (!this.#ticking) this.#start();
    const sinceTick = Math.min(this.#clock.monotonicMillis() - this.#tickedAt, TURN_MILLIS_MAX);
    const slot = Math.floor((this.#counted + sinceTick + millis) / TICK_MILLIS);
    this.#slots[Math.max(slot, this.#swept + 1) % this.#slots.length]?.push(call);
    this.#waiting += 1;
  }

  #start(): void {
    this.#ticking = true;
    this.#tickedAt = this.#clock.monotonicMillis();
    this.#schedule();
  }

  #schedule(): void {
    this.#clock.after(TICK_MILLIS, () => this.#tick());
  }

  #tick(): void {
    const now = this.#clock.monotonicMillis();
    this.#counted += Math.min(now - this.#tickedAt, TURN_MILLIS_MAX);
    this.#tickedAt = now;
    const until = Math.floor(this.#counted / TICK_MILLIS);
    while (this.#swept < until) {
      this.#swept += 1;
      this.#sweep(this.#swept % this.#slots.length);
    }
    if (this.#waiting > 0) this.#schedule();
    else this.#ticking = false;
  }

  #sweep(index: number): void {
    const slot = this.#slots[index] as Expiring[];
    if (slot.length === 0) return;
    this.#slots[index] = [];
    this.#waiting -= slot.length;
    for (const call of slot) if (!call.done) call.expire();
  }
}
