/** Where statistics go, whatever the protocol. None of it may throw or wait. */
import type { StatName } from './names.ts';

export interface StatsSink {
  /** @param by what was counted since the last time, above 0 */
  counter(name: StatName, by: number): void;
  gauge(name: StatName, value: number): void;
  /** @returns what takes each duration, in milliseconds */
  timer(name: StatName): (millis: number) => void;
  /** Nothing more will come for this name: what is kept beside it can go. */
  forget(name: StatName): void;
}
