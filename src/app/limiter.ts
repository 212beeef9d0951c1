/** Decides: one straight line from a request through the policy and the counters to an answer. */
import type { KeyHasher } from '../core/api-key.ts';
import { type Decision, failsFor, settle, type Taken } from '../core/decision.ts';
import { checkRequest, type LimitRequest } from '../core/descriptor.ts';
import { InvalidApiKey, InvalidRequest, Undecidable } from '../core/errors.ts';
import { type Answer, answerOf } from '../core/headers.ts';
import { type Plan, planOf } from '../core/plan.ts';
import type { Clock } from '../ports/clock.ts';
import type { CallTrace, Door, ObservedCall, RequestObserver } from '../ports/observer.ts';
import type { PolicySource } from '../ports/policy-source.ts';
import type { StoreGuard } from './store-guard.ts';

export interface LimiterOptions {
  readonly policies: PolicySource;
  readonly store: Pick<StoreGuard, 'take'>;
  readonly clock: Clock;
  readonly observer: RequestObserver;
  readonly hasher: KeyHasher;
}

/** What is known of a call besides its request. */
export interface Call {
  readonly door: Door;
  /** How long the caller still waits; undefined: it did not say. */
  readonly remainingMillis?: number | undefined;
  /** Present only if the call is sampled. */
  readonly trace?: CallTrace | undefined;
}

export interface Decided {
  readonly decision: Decision;
  readonly answer: Answer;
}

export class Limiter {
  readonly #options: LimiterOptions;

  constructor(options: LimiterOptions) {
    this.#options = options;
  }

  /**
   * @throws InvalidRequest for a request that no policy could decide; nothing was charged
   * @throws InvalidApiKey where the policy wants an error for an inactive key in place of a denial
   * @throws Undecidable when the counters did not answer in time
   */
  async decide(request: LimitRequest, call: Call): Promise<Decided> {
    const { policies, clock, observer, hasher } = this.#options;
    const startedAt = clock.monotonicMillis();
    this.#check(request, call.door);
    const policy = policies.current().get(request.domain);
    const plan = planOf(request, policy, hasher);
    const observed = (): ObservedCall => ({
      door: call.door,
      domain: policy?.domain,
      requestedDomain: request.domain,
      durationMillis: clock.monotonicMillis() - startedAt,
    });
    try {
      const taken = await this.#take(plan, call);
      const decision = settle(plan, taken);
      call.trace?.decided(policy?.domain, decision);
      observer.decided(observed(), decision);
      if (failsFor(plan, taken)) throw new InvalidApiKey();
      return { decision, answer: answerOf(decision, policy?.headerStyle ?? 'off') };
    } catch (error) {
      if (error instanceof Undecidable) observer.undecided(observed(), error);
      throw error;
    }
  }

  #check(request: LimitRequest, door: Door): void {
    try {
      checkRequest(request);
    } catch (error) {
      if (error instanceof InvalidRequest) this.#options.observer.refused({ door });
      throw error;
    }
  }

  async #take(plan: Plan, call: Call): Promise<Taken> {
    // What meets no limit, or is refused by its form, is answered without the store, and so during its outages, too.
    if (plan.hits.length === 0) return { nowSeconds: Math.floor(this.#options.clock.nowMillis() / 1_000), found: [] };
    const endStoreCall = call.trace?.storeCall(plan.hits.length);
    try {
      const taken = await this.#options.store.take(plan.hits, call.remainingMillis);
      endStoreCall?.(undefined);
      return taken;
    } catch (error) {
      endStoreCall?.(error instanceof Undecidable ? error : undefined);
      throw error;
    }
  }
}
