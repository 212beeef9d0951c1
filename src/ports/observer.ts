/** Who watches decisions. Watching cannot change a verdict, and must not throw. */
import type { Decision } from '../core/decision.ts';
import type { Undecidable } from '../core/errors.ts';
import type { Plan } from '../core/plan.ts';

/** `admin`: the admin API's own limits. */
export type Door = 'rls' | 'check' | 'json' | 'admin';

/** One request, as whoever watches it may know it. */
export interface ObservedCall {
  readonly door: Door;
  /** Undefined when no policy knows it: callers must not choose labels. */
  readonly domain: string | undefined;
  /** What the caller asked for, whether or not a policy knows it. */
  readonly requestedDomain: string;
  /** From the parsed request to its answer. */
  readonly durationMillis: number;
}

export interface DecisionObserver {
  /** Once for every decided request. */
  decided(call: ObservedCall, decision: Decision): void;
  /** Once for every request that could not be decided. @param plan what would have been charged; undefined without policies */
  undecided(call: ObservedCall, error: Undecidable, plan: Plan | undefined): void;
  /** Once for every request that is refused as the caller's mistake. */
  refused(call: Pick<ObservedCall, 'door'>): void;
  /** Once for every call of the store. */
  storeCalled(durationMillis: number, error: Undecidable | undefined): void;
  /** The breaker's state changed; `cause` is the failure that opened it. */
  breakerChanged(open: boolean, cause: Undecidable | undefined): void;
}

/** Who watches requests and their outcome. */
export type RequestObserver = Pick<DecisionObserver, 'decided' | 'undecided' | 'refused'>;

/** The trace of one sampled call; absent when nobody samples it. */
export interface CallTrace {
  /** Opens the span of the store call. @returns what ends it */
  storeCall(hits: number): (error: Undecidable | undefined) => void;
  /** Puts the decision on the call's span. `domain` is undefined when no policy knows it. */
  decided(domain: string | undefined, decision: Decision): void;
}
