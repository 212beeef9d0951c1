/** Who watches decisions. Watching cannot change a verdict, and must not throw. */
import type { Decision } from '../core/decision.ts';
import type { Undecidable } from '../core/errors.ts';

/** `admin`: the admin API's own limits. */
export type Door = 'rls' | 'check' | 'json' | 'admin';

export interface DecisionObserver {
  /** Once for every decided request. `domain` is undefined when no policy knows it: callers must not choose labels. */
  decided(door: Door, domain: string | undefined, decision: Decision, durationMillis: number): void;
  /** Once for every request that could not be decided. */
  undecided(door: Door, domain: string | undefined, error: Undecidable, durationMillis: number): void;
  /** Once for every call of the store. */
  storeCalled(durationMillis: number, error: Undecidable | undefined): void;
  /** The breaker's state changed; `cause` is the failure that opened it. */
  breakerChanged(open: boolean, cause: Undecidable | undefined): void;
}

/** The trace of one sampled call; absent when nobody samples it. */
export interface CallTrace {
  /** Opens the span of the store call. @returns what ends it */
  storeCall(hits: number): (error: Undecidable | undefined) => void;
  /** Puts the decision on the call's span. `domain` is undefined when no policy knows it. */
  decided(domain: string | undefined, decision: Decision): void;
}
