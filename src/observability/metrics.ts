/** What is counted of decisions: closed labels only, since callers must not be able to make series. */
import type { Attributes, Meter } from '@opentelemetry/api';
import type { Decision } from '../core/decision.ts';
import type { Undecidable, UndecidableCode } from '../core/errors.ts';
import type { DecisionObserver, Door, ObservedCall } from '../ports/observer.ts';
import { Durations } from './durations.ts';
import { type Result, resultOf, tellingStatus } from './told.ts';

/** Stands for every domain that no policy knows, and for decisions that met no limit. */
const NONE = 'none';

/** Policies come and go as their files change, but their counts stay. Beyond so many they are counted together. */
const POLICIES_MAX = 5_000;
const OTHER = 'other';

type Counts = Readonly<Record<Door, Record<Result, number>>>;

interface Counted {
  readonly domain: string;
  readonly policy: string;
  readonly counts: Counts;
}

export const DECISIONS = 'headroom.rate_limiting.decisions';

/** The most series that DECISIONS can have, by all doors and results of each policy. */
export const DECISION_SERIES_MAX = (POLICIES_MAX + 1) * Object.keys(noCounts()).length * Object.keys(zeros()).length;

export interface MeasuredDurations {
  readonly decision: Durations;
  readonly store: Durations;
}

export function measuredDurations(): MeasuredDurations {
  return {
    decision: new Durations('headroom.rate_limiting.decision.duration', 'From a parsed request to its answer'),
    store: new Durations('headroom.rate_limiting.store.duration', 'One call of the counter store'),
  };
}

export class Metrics implements DecisionObserver {
  readonly #durations: MeasuredDurations;
  /** By domain, then policy: maps of maps, since joining labels to one key costs ten times as much. */
  readonly #decisions = new Map<string, Map<string, Counts>>();
  /** The same once more, to be read out. */
  readonly #counted: Counted[] = [];
  /** Only what a call that was made can end with. They begin at 0: a counter's first step shows in no rate. */
  readonly #storeErrors: Partial<Record<UndecidableCode, number>> = { STORE_TIMEOUT: 0, STORE_FAILED: 0 };
  readonly #policyLoads = { success: 0, error: 0 };
  #breakerOpen = false;

  constructor(meter: Meter, durations: MeasuredDurations) {
    this.#durations = durations;
    count(meter, DECISIONS, 'Decisions by door, result, domain and policy', () => this.#counted.flatMap(observations));
    count(meter, 'headroom.rate_limiting.store.errors', 'Failed calls of the counter store by code', () =>
      Object.entries(this.#storeErrors).map(([code, value]) => [value, { code }]),
    );
    count(meter, 'headroom.policy.loads', 'Attempts to load the policy files by result', () =>
      Object.entries(this.#policyLoads).map(([result, value]) => [value, { result }]),
    );
    meter
      .createObservableGauge('headroom.rate_limiting.store.breaker_open', {
        description: '1 while the store is not asked',
      })
      .addCallback((result) => result.observe(this.#breakerOpen ? 1 : 0));
  }

  decided({ door, domain, durationMillis }: ObservedCall, decision: Decision): void {
    const policy = tellingStatus(decision)?.limit?.policy ?? NONE;
    this.#countsOf(domain ?? NONE, policy)[door][resultOf(decision.reason)] += 1;
    this.#durations.decision.record(durationMillis / 1_000);
  }

  undecided({ door, domain, durationMillis }: ObservedCall): void {
    this.#countsOf(domain ?? NONE, NONE)[door].error += 1;
    this.#durations.decision.record(durationMillis / 1_000);
  }

  /** A caller's mistake is no decision. */
  refused(): void {}

  storeCalled(durationMillis: number, error: Undecidable | undefined): void {
    this.#durations.store.record(durationMillis / 1_000);
    if (error) this.#storeErrors[error.code] = (this.#storeErrors[error.code] ?? 0) + 1;
  }

  breakerChanged(open: boolean): void {
    this.#breakerOpen = open;
  }

  policiesLoaded(loaded: boolean): void {
    this.#policyLoads[loaded ? 'success' : 'error'] += 1;
  }

  #countsOf(domain: string, policy: string): Counts {
    return this.#decisions.get(domain)?.get(policy) ?? this.#begin(domain, policy);
  }

  #begin(domain: string, policy: string): Counts {
    const isFull = this.#counted.length >= POLICIES_MAX;
    if (isFull && !(domain === OTHER && policy === OTHER)) return this.#countsOf(OTHER, OTHER);
    const policies = this.#decisions.get(domain) ?? new Map<string, Counts>();
    const counts = noCounts();
    this.#decisions.set(domain, policies.set(policy, counts));
    this.#counted.push({ domain, policy, counts });
    return counts;
  }
}

type Observation = readonly [value: number, attributes: Attributes];

function observations({ domain, policy, counts }: Counted): Observation[] {
  return Object.entries(counts).flatMap(([door, results]) =>
    Object.entries(results)
      .filter(([, value]) => value > 0)
      .map(([result, value]): Observation => [value, { door, result, domain, policy }]),
  );
}

function noCounts(): Counts {
  return { rls: zeros(), check: zeros(), json: zeros(), admin: zeros() };
}

function zeros(): Record<Result, number> {
  return { allowed: 0, limited: 0, invalid_key: 0, shadowed: 0, error: 0 };
}

/** Counted by hand: an OpenTelemetry counter sorts and joins its labels anew at every call. */
function count(meter: Meter, name: string, description: string, counts: () => Iterable<Observation>): void {
  meter.createObservableCounter(name, { description }).addCallback((result) => {
    for (const [value, attributes] of counts()) result.observe(value, attributes);
  });
}
