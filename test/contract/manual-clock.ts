/** A clock that stands still until a test moves it. */
import type { Clock, Timer } from '../../src/ports/clock.ts';

export class ManualClock implements Clock {
  #millis: number;

  constructor(seconds: number) {
    this.#millis = seconds * 1_000;
  }

  set seconds(seconds: number) {
    this.#millis = seconds * 1_000;
  }

  get seconds(): number {
    return Math.floor(this.#millis / 1_000);
  }

  set millis(millis: number) {
    this.#millis = millis;
  }

  nowMillis(): number {
    return this.#millis;
  }

  monotonicMillis(): number {
    return this.#millis;
  }

  /** Nothing that a test waits for here is due by time. */
  after(): Timer {
    return { cancel: () => undefined };
  }
}
