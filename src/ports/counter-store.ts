/** Where counts live: the narrowest thing that a decision needs of a database. */
import type { Taken } from '../core/decision.ts';
import type { Hit } from '../core/plan.ts';

export interface CounterStore {
  /**
   * Charges the hits, all or nothing where they are not `always`, and reads back.
   *
   * Atomic: no other call sees or makes a change between the reading and the charging of one call. Hits take effect in
   * order: a later hit of the same subject finds the earlier one's charge.
   * Settles whenever the store answers; deadlines are store-guard's matter. May throw synchronously.
   * Fails with whatever its driver says; after a failure it is unknown whether the charge was made.
   *
   * @param hits at least one
   */
  take(hits: readonly Hit[]): Promise<Taken>;

  /** Settles when the store can take; fails when it cannot. Changes no count. */
  probe(): Promise<void>;

  /** Ends the connections; calls that wait are failed. */
  close(): Promise<void>;
}
