/** A clock that stands still until a test moves it. */
import type { Clock, Timer } from '../../src/ports/clock.ts';

interface Waiting {
  readonly at: number;
  readonly callback: () => void;
}

export class ManualClock implements Clock {
  #wall: number;
  #monotonic = 0;
  /** In the order in which they were set. */
  readonly #timers = new Set<Waiting>();

  /** @param nowMillis the wall clock at first: a whole second, so that windows are easily told */
  constructor(nowMillis = 1_800_000_000_000) {
    this.#wall = nowMillis;
  }

  nowMillis(): number {
    return this.#wall;
  }

  monotonicMillis(): number {
    return this.#monotonic;
  }

  after(millis: number, callback: () => void): Timer {
    const timer = { at: this.#monotonic + millis, callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.size;
  }

  /** How long it is until the last of them is due; -Infinity for none. */
  get furthestMillis(): number {
    return Math.max(...Array.from(this.#timers, ({ at }) => at)) - this.#monotonic;
  }

  /** Time passes smoothly: every timer fires at its time, those set meanwhile included. */
  advance(millis: number): void {
    const until = this.#monotonic + millis;
    for (let next = this.#due(until); next !== undefined; next = this.#due(until)) {
      this.#moveTo(Math.max(next.at, this.#monotonic));
      this.#fire(next);
    }
    this.#moveTo(until);
  }

  /** As `advance`, but whatever waits for a promise goes on before the next timer fires, as in an event loop. */
  async pass(millis: number): Promise<void> {
    const until = this.#monotonic + millis;
    await settled();
    for (let next = this.#due(until); next !== undefined; next = this.#due(until)) {
      this.#moveTo(Math.max(next.at, this.#monotonic));
      this.#fire(next);
      await settled();
    }
    this.#moveTo(until);
  }

  /** Time passes in which nothing can run. Timers that are due fire with the next `advance` or `pass`, late. */
  stall(millis: number): void {
    this.#moveTo(this.#monotonic + millis);
  }

  /** The wall clock is set anew; the other one does not notice. */
  stepWall(millis: number): void {
    this.#wall += millis;
  }

  #due(until: number): Waiting | undefined {
    let first: Waiting | undefined;
    for (const timer of this.#timers) if (timer.at <= until && (!first || timer.at < first.at)) first = timer;
    return first;
  }

  #fire(timer: Waiting): void {
    this.#timers.delete(timer);
    timer.callback();
  }

  #moveTo(monotonic: number): void {
    this.#wall += monotonic - this.#monotonic;
    this.#monotonic = monotonic;
  }
}

/** Settles when everything that waits for promises has gone as far as it can. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
