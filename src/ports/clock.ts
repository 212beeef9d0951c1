/** Time, as everything but the counters sees it. Windows never do: they follow the store's clock. */

export interface Clock {
  /** Wall clock: milliseconds since the epoch. May step. */
  nowMillis(): number;
  /** Milliseconds since some instant, never stepping back, with a fraction. */
  monotonicMillis(): number;
  /** Calls `callback` once, `millis` from now at the earliest, when a turn of the event loop has read its sockets. */
  after(millis: number, callback: () => void): Timer;
}

export interface Timer {
  /** Nothing happens if it has already fired. */
  cancel(): void;
}
