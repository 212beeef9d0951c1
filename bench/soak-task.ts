/** What the client of a soak is told, and what it tells: JSON in its argument, JSON on its standard output. */

export interface SoakTask {
  readonly port: number;
  readonly keys: number;
  readonly seconds: number;
}

/** How many of each there were; every one was as it had to be. */
export interface SoakResult {
  readonly answers: number;
  readonly visits: number;
  readonly cancelled: number;
  /** Calls with a deadline that is hard to keep. */
  readonly hurried: number;
  /** Those of them that were answered in time. */
  readonly inTime: number;
}
