/** What is counted of decisions: closed labels only, since callers must not be able to make series. */
import type { Attributes, Histogram, Meter } from '@opentelemetry/api';
import type { Decision, Reason } from '../core/decision.ts';
import type { Undecidable } from '../core/errors.ts';
import type { DecisionObserver, Door } from '../ports/observer.ts';

/** Seconds. Fine where decisions live (10 µs … 10 ms), coarse up to the longest deadline. */
const DURATION_BUCKETS = [
  0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
  1,
];

/** Stands for every domain that no policy knows, and for decisions that met no limit. */
const NONE = 'none';

type Result = 'allowed' | 'limited' | 'shadowed' | 'error';

const RESULTS: Readonly<Record<Reason, Result>> = {
  within_limit: 'allowed',
  no_limit: 'allowed',
  shadowed: 'shadowed',
  over_limit: 'limited',
  cost_exceeds_limit: 'limited',
};

interface Series {
  readonly attributes: Attributes;
  count: number;
}

export class Metrics implements DecisionObserver {
  readonly #decisionDuration: Histogram;
  readonly #storeDuration: Histogram;
  readonly #decisions = new Map<string, Series>();
  readonly #storeErrors = new Map<string, Series>();
  readonly #policyLoads = new Map<string, Series>();
  #breakerOpen = false;

  constructor(meter: Meter) {
    const advice = { explicitBucketBoundaries: DURATION_BUCKETS };
    this.#decisionDuration = meter.createHistogram('headroom.rate_limiting.decision.duration', {
      description: 'From a parsed request to its answer, by door',
      unit: 's',
      advice,
    });
    this.#storeDuration = meter.createHistogram('headroom.rate_limiting.store.duration', {
      description: 'One call of the counter store',
      unit: 's',
      advice,
    });
    observe(meter, 'headroom.rate_limiting.decisions', 'Decisions by result, domain and policy', this.#decisions);
    observe(
      meter,
      'headroom.rate_limiting.store.errors',
      'Failed calls of the counter store by code',
      this.#storeErrors,
    );
    observe(meter, 'headroom.policy.loads', 'Attempts to load the policy files by result', this.#policyLoads);
    meter
      .createObservableGauge('headroom.rate_limiting.store.breaker_open', {
        description: '1 while the store is not asked',
      })
      .addCallback((result) => result.observe(this.#breakerOpen ? 1 : 0));
  }

  decided(door: Door, domain: string | undefined, decision: Decision, durationMillis: number): void {
    const policy = decision.deciding?.limit?.policy ?? NONE;
    this.#count(door, domain ?? NONE, policy, RESULTS[decision.reason], durationMillis);
  }

  undecided(door: Door, domain: string | undefined, _error: Undecidable, durationMillis: number): void {
    this.#count(door, domain ?? NONE, NONE, 'error', durationMillis);
  }

  storeCalled(durationMillis: number, error: Undecidable | undefined): void {
    this.#storeDuration.record(durationMillis / 1_000);
    if (error) increment(this.#storeErrors, error.code, () => ({ code: error.code }));
  }

  breakerChanged(open: boolean): void {
    this.#breakerOpen = open;
  }

  policiesLoaded(loaded: boolean): void {
    const result = loaded ? 'success' : 'error';
    increment(this.#policyLoads, result, () => ({ result }));
  }

  #count(door: Door, domain: string, policy: string, result: Result, durationMillis: number): void {
    // A line break can stand in a domain, but not in two places at once: doors and results have none.
    increment(this.#decisions, `${door}\n${result}\n${domain.length}\n${domain}\n${policy}`, () => ({
      door,
      result,
      domain,
      policy,
    }));
    this.#decisionDuration.record(durationMillis / 1_000, DOOR_ATTRIBUTES[door]);
  }
}

const DOOR_ATTRIBUTES: Readonly<Record<Door, Attributes>> = {
  rls: { door: 'rls' },
  check: { door: 'check' },
  json: { door: 'json' },
};

/** Counted by hand: an OpenTelemetry counter sorts and joins its labels anew at every call. */
function increment(series: Map<string, Series>, key: string, attributes: () => Attributes): void {
  let found = series.get(key);
  if (found === undefined) {
    found = { attributes: attributes(), count: 0 };
    series.set(key, found);
  }
  found.count += 1;
}

function observe(meter: Meter, name: string, description: string, series: ReadonlyMap<string, Series>): void {
  meter.createObservableCounter(name, { description }).addCallback((result) => {
    for (const { attributes, count } of series.values()) result.observe(count, attributes);
  });
}
