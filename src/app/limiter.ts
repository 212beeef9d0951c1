/** Decides: one straight line from a request through the policy and the counters to an answer. */
import type { KeyHasher } from '../core/api-key.ts';
import { type Decision, failsFor, settle } from '../core/decision.ts';
import { checkRequest, type LimitRequest } from '../core/descriptor.ts';
import { dynamicMetadata } from '../core/dynamic-metadata.ts';
import { InvalidApiKey, InvalidRequest, Undecidable } from '../core/errors.ts';
import { type Answer, answerOf, type ReferenceHeaders } from '../core/headers.ts';
import type { Hit } from '../core/hit.ts';
import type { JsonObject } from '../core/limit.ts';
import { type Modes, NO_MODES, type Plan, planOf } from '../core/plan.ts';
import type { DomainPolicy } from '../core/policy.ts';
import type { Taken } from '../core/verdict.ts';
import type { Clock } from '../ports/clock.ts';
import type { CallTrace, Door, ObservedCall, RequestObserver } from '../ports/observer.ts';
import type { PolicySource } from '../ports/policy-source.ts';
import type { DeniedCache, Recalled } from './denied-cache.ts';
import type { StoreGuard } from './store-guard.ts';

export interface LimiterOptions {
  readonly policies: PolicySource;
  readonly store: Pick<StoreGuard, 'take'>;
  readonly clock: Clock;
  readonly observer: RequestObserver;
  readonly hasher: KeyHasher;
  readonly modes?: Modes | undefined;
  /** Names of the fields in the style `reference`; undefined: that style tells nothing. */
  readonly responseHeaders?: ReferenceHeaders | undefined;
  /** Decisions come with what gateways may log of them. */
  readonly hasDynamicMetadata?: boolean | undefined;
  /** Answers for counters that are known to be full. */
  readonly denied?: DeniedCache | undefined;
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
  readonly metadata: JsonObject | undefined;
}

export class Limiter {
  readonly #options: LimiterOptions;

  constructor(options: LimiterOptions) {
    this.#options = options;
  }

  /**
   * @throws InvalidRequest for a request that no policy could decide; nothing was charged
   * @throws InvalidApiKey where the policy wants an error for an inactive key in place of a denial
   * @throws Undecidable when the counters did not answer in time, or no policies were loaded
   */
  async decide(request: LimitRequest, call: Call): Promise<Decided> {
    const { clock, observer, hasher, modes = NO_MODES } = this.#options;
    const startedAt = clock.monotonicMillis();
    this.#check(request, call.door);
    let policy: DomainPolicy | undefined;
    let plan: Plan | undefined;
    try {
      policy = this.#policyOf(request);
      plan = planOf(request, policy, hasher, modes);
      const taken = await this.#take(plan, call);
      const decision = settle(plan, taken);
      call.trace?.decided(policy?.domain, decision);
      observer.decided(this.#observed(request, call, policy, startedAt), decision);
      if (failsFor(plan, taken, decision)) throw new InvalidApiKey();
      return this.#decided(request, policy, decision);
    } catch (error) {
      if (error instanceof Undecidable) {
        observer.undecided(this.#observed(request, call, policy, startedAt), error, plan);
      }
      throw error;
    }
  }

  /** Counts a request that its door could not make out. */
  refused(door: Door): void {
    this.#options.observer.refused({ door });
  }

  #check(request: LimitRequest, door: Door): void {
    try {
      checkRequest(request);
    } catch (error) {
      if (error instanceof InvalidRequest) this.refused(door);
      throw error;
    }
  }

  #policyOf({ domain }: LimitRequest): DomainPolicy | undefined {
    const policies = this.#options.policies.current();
    if (policies === undefined) throw new Undecidable('NO_POLICY', 'no rate limit configuration loaded');
    return policies.get(domain);
  }

  #observed(
    { domain: requestedDomain }: LimitRequest,
    { door }: Call,
    policy: DomainPolicy | undefined,
    startedAt: number,
  ): ObservedCall {
    const durationMillis = this.#options.clock.monotonicMillis() - startedAt;
    return { door, domain: policy?.domain, requestedDomain, durationMillis };
  }

  #decided(request: LimitRequest, policy: DomainPolicy | undefined, decision: Decision): Decided {
    const { responseHeaders, hasDynamicMetadata, hasher } = this.#options;
    return {
      decision,
      answer: answerOf(decision, policy?.headerStyle ?? 'off', responseHeaders),
      metadata: hasDynamicMetadata === true ? dynamicMetadata(request, policy, decision, hasher) : undefined,
    };
  }

  #take(plan: Plan, call: Call): Promise<Taken> | Taken {
    // What meets no limit, or is refused by its form, is answered without the store, and so during its outages, too.
    if (plan.hits.length === 0) return { nowSeconds: Math.floor(this.#options.clock.nowMillis() / 1_000), found: [] };
    const { denied } = this.#options;
    return denied === undefined ? this.#askStore(plan.hits, call) : this.#askRest(denied.recall(plan), call);
  }

  async #askRest({ asked, complete }: Recalled, call: Call): Promise<Taken> {
    return complete(asked.length === 0 ? undefined : await this.#askStore(asked, call));
  }

  #askStore(hits: readonly Hit[], call: Call): Promise<Taken> | Taken {
    const { store } = this.#options;
    return call.trace === undefined ? store.take(hits, call.remainingMillis) : this.#askTraced(hits, call, call.trace);
  }

  async #askTraced(hits: readonly Hit[], call: Call, trace: CallTrace): Promise<Taken> {
    const endStoreCall = trace.storeCall(hits.length);
    try {
      const taken = await this.#options.store.take(hits, call.remainingMillis);
      endStoreCall(undefined);
      return taken;
    } catch (error) {
      endStoreCall(error instanceof Undecidable ? error : undefined);
      throw error;
    }
  }
}
