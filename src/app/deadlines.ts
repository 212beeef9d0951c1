/** Deadlines that a stalled event loop cannot run out: time in which no reply could have been read hardly counts. */
import type { Clock } from '../ports/clock.ts';

/** Something that is told that its time is over, unless it is removed before. */
export abstract class Expiring {
  /** Where it waits, and as which one there; undefined: nowhere. The ring's own. */
  slot: Expiring[] | undefined = undefined;
  at = 0;

  /** Called once for every time it was added, unless it was removed before. May add itself again. */
  abstract expire(): void;
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

  /**
   * Expires `call` after `millis` (1 … millisMax), within a tick, unless it is removed by then.
   * @param now by the clock of the ring; for who has just read it
   */
  add(call: Expiring, millis: number, now = this.#clock.monotonicMillis()): void {
    if (!this.#ticking) this.#start(now);
    const sinceTick = Math.min(now - this.#tickedAt, TURN_MILLIS_MAX);
    const due = Math.floor((this.#counted + sinceTick + millis) / TICK_MILLIS);
    const slot = this.#slots[Math.max(due, this.#swept + 1) % this.#slots.length] as Expiring[];
    call.slot = slot;
    call.at = slot.length;
    slot.push(call);
    this.#waiting += 1;
  }

  /** Forgets `call`, if it still waits, with everything that it holds: most calls end long before their deadline. */
  remove(call: Expiring): void {
    const { slot, at } = call;
    if (slot === undefined) return;
    const last = slot.pop() as Expiring;
    if (last !== call) {
      slot[at] = last;
      last.at = at;
    }
    call.slot = undefined;
    this.#waiting -= 1;
  }

  #start(now: number): void {
    this.#ticking = true;
    this.#tickedAt = now;
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
    for (let call = slot[0]; call !== undefined; call = slot[0]) {
      this.remove(call);
      call.expire();
    }
  }
}
