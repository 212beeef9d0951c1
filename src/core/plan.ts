/** The hits that a request would charge. Pure: what was found in the counters is decision.ts's matter. */
import type { KeyHasher } from './api-key.ts';
import type { Descriptor, LimitRequest } from './descriptor.ts';
import { type Limit, unitWindow, type Window } from './limit.ts';
import { type DomainPolicy, match } from './policy.ts';
import { type StandIn, subjectOf } from './subject.ts';
import { COST_MAX } from './window.ts';

/** One charge against one subject. */
export interface Hit {
  /** Who is counted, see subject.ts. */
  readonly subject: string;
  /** Lengths distinct, at least one. */
  readonly windows: readonly Window[];
  /** What is charged to every window: 0 reads, a negative cost gives back. */
  readonly cost: number;
  /** What must be left in every window for the hit to fit. */
  readonly need: number;
  /** Charged even when it does not fit, or when another hit of the plan is denied. */
  readonly always: boolean;
  /** Not fitting denies the whole plan. */
  readonly enforced: boolean;
}

/** What one descriptor came to. */
export interface PlannedDescriptor {
  readonly limit: Limit;
  readonly hit: Hit;
}

export interface Plan {
  /** One per descriptor, in request order; undefined where no limit applies. */
  readonly descriptors: readonly (PlannedDescriptor | undefined)[];
  /** The hits of `descriptors`, in order. */
  readonly hits: readonly Hit[];
}

/** @param policy undefined for an unknown domain: nothing is limited there, overrides included */
export function planOf(request: LimitRequest, policy: DomainPolicy | undefined, hasher: KeyHasher): Plan {
  const descriptors: (PlannedDescriptor | undefined)[] = [];
  const hits: Hit[] = [];
  for (const descriptor of request.descriptors) {
    const planned = policy === undefined ? undefined : planDescriptor(descriptor, policy, request.hitsAddend, hasher);
    descriptors.push(planned);
    if (planned !== undefined) hits.push(planned.hit);
  }
  return { descriptors, hits };
}

function planDescriptor(
  descriptor: Descriptor,
  policy: DomainPolicy,
  requestHits: number,
  hasher: KeyHasher,
): PlannedDescriptor | undefined {
  const { limit: found, secret } = match(policy, descriptor);
  const limit = descriptor.override === undefined ? found : overridden(descriptor.override, found);
  if (limit === undefined) return undefined;
  const keyAt = secret.indexOf(true);
  const key = descriptor.entries[keyAt];
  const standIn: StandIn | undefined = key && { kind: 'hash', text: hasher.hash(key.value) };
  const subject = subjectOf(policy.domain, descriptor.entries, keyAt, standIn);
  return { limit, hit: { subject, windows: limit.windows, ...chargeOf(descriptor, limit, requestHits) } };
}

/** An override keeps the way in which its node counts; without a node it counts as envoyproxy/ratelimit does. */
function overridden(override: NonNullable<Descriptor['override']>, found: Limit | undefined): Limit {
  return {
    policy: found?.policy ?? 'override',
    windows: [unitWindow(override.requestsPerUnit, override.unit)],
    charging: found?.charging ?? 'each',
    overdraft: found?.overdraft ?? false,
    shadow: found?.charging === 'together' && found.shadow,
  };
}

function chargeOf(
  descriptor: Descriptor,
  limit: Limit,
  requestHits: number,
): Pick<Hit, 'cost' | 'need' | 'always' | 'enforced'> {
  const cost = descriptor.hitsAddend ?? Math.max(1, requestHits);
  const always = limit.charging === 'each' || limit.overdraft;
  const enforced = !limit.shadow;
  // A refund has nothing to be denied, and is not lost because another descriptor is.
  if (descriptor.isNegativeHits) return { cost: -cost, need: -COST_MAX, always: true, enforced };
  // A peek at `limits` asks whether one more would fit; envoyproxy/ratelimit's asks whether the limit was exceeded.
  const need = cost === 0 && limit.charging === 'together' ? 1 : cost;
  return { cost, need, always, enforced };
}
