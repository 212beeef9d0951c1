/** Where statistics go, whatever the protocol. None of it may wait, or throw where GuardedSink does not stand before it. */
import type { StatName } from './names.ts';

export interface StatsSink {
  /** @param by what was counted since the last time, above 0 */
  counter(name: StatName, by: number): void;
  /** @param read called at once, once */
  gauge(name: StatName, read: () => number): void;
  /** @returns what takes each duration, in milliseconds */
  timer(name: StatName): (millis: number) => void;
  /** Nothing more will come for this name: what is kept beside it can go. */
  forget(name: StatName): void;
}
