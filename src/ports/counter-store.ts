/** Where counts live: the narrowest thing that a decision needs of a database. */

import type { Hit, Target } from '../core/hit.ts';
import type { Taken } from '../core/verdict.ts';

export interface CounterStore {
  /**
   * Charges the hits, each by its rule (core/hit.ts), and reads back.
   *
   * Atomic: no other call sees or makes a change between the reading and the charging of one call. Hits take effect in
   * order: a later hit of the same subject finds the earlier one's charge. The record of an API key is read in the same
   * step: what was written to it before the call rules the call. Where hits live on several servers, each of these holds
   * for the hits of one server: a charge that is given back may be seen by others meanwhile, and deny them.
   * Settles whenever the store answers; deadlines are store-guard's matter. May throw synchronously.
   * Fails with whatever its driver says; after a failure it is unknown whether the charge was made.
   *
   * @param hits at least one
   */
  take(hits: readonly Hit[]): Promise<Taken>;

  /** As `take`. Present if the store is in this process, and need not be waited for. */
  takeAtOnce?(hits: readonly Hit[]): Taken;

  /**
   * Forgets what was used, in all windows or in those of one length. Each target is atomic for itself.
   * @param windowSeconds undefined: all
   */
  forget(targets: readonly Pick<Target, 'subject' | 'record'>[], windowSeconds?: number): Promise<void>;

  /** Settles when the store can take; fails when it cannot. Changes no count. */
  probe(): Promise<void>;

  /** Ends the connections; calls that wait are failed. */
  close(): Promise<void>;
}
