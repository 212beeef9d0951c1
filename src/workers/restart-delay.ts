/** How long a worker's successor is waited with: not at all after one death, longer and longer while it keeps dying. */

// Who lives as long has not died of its start, nor of the first calls that came.
export const STEADY_MILLIS = 10_000;
// Twice as long with every further death: a start takes half a second of a core, which the others need.
export const DELAY_MILLIS_FIRST = 250;
// Whatever it dies of may be mended meanwhile; nobody should wait for long after that.
export const DELAY_MILLIS_MAX = 10_000;

export class RestartDelay {
  #deathsInARow = 0;

  /** @returns how long to wait now that it has died again @param livedMillis since it was started */
  millisAfter(livedMillis: number): number {
    this.#deathsInARow = livedMillis < STEADY_MILLIS ? this.#deathsInARow + 1 : 1;
    if (this.#deathsInARow === 1) return 0;
    return Math.min(DELAY_MILLIS_FIRST * 2 ** (this.#deathsInARow - 2), DELAY_MILLIS_MAX);
  }
}
