/** The hits that a request would charge. Pure: what was found in the counters is decision.ts's matter. */
import type { KeyHasher } from './api-key.ts';
import type { Descriptor, LimitRequest } from './descriptor.ts';
import { type Charge, type Denies, type Hit, hitOf } from './hit.ts';
import type { Limit } from './limit.ts';
import { type Met, meet } from './met.ts';
import { Addresses, planKey } from './plan-key.ts';
import type { DomainPolicy } from './policy.ts';
import { statsKeyOf } from './stats-key.ts';
import { subjectOf } from './subject.ts';
import { Votes } from './verdict.ts';
import { COST_MAX } from './window.ts';

/** What holds for all domains, whatever their policies say. */
export interface Modes {
  /** Nothing is denied (SHADOW_MODE). */
  readonly shadow: boolean;
  /** Every descriptor denies only jointly with all others (QUOTA_MODE). */
  readonly quota: boolean;
  /** Where a `rate_limit` is exceeded, others that are not stay as they are (STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT). */
  readonly stopWhenOver: boolean;
}

export const NO_MODES: Modes = { shadow: false, quota: false, stopWhenOver: false };

/** What one descriptor came to. */
export interface PlannedDescriptor {
  readonly limit: Limit;
  /** Applies if an API key turns out to have no record; without an API key, `limit` again. */
  readonly unknownLimit: Limit;
  /** `counted`: by its hit. `refused`: without a look, since no record can be of this key. `unlimited`: passes. */
  readonly outcome: 'counted' | 'refused' | 'unlimited';
  /** Where its hit stands among the plan's; -1 for none. */
  readonly hitAt: number;
  /** What not fitting does to the request, SHADOW_MODE apart. */
  readonly denies: Denies;
  /** It denies only jointly, if at all. */
  readonly quota: boolean;
  /** An inactive key is an error, not a denial. */
  readonly failsInactive: boolean;
  readonly statsKey: string;
  /** The same of `unknownLimit`. */
  readonly unknownStatsKey: string;
}

export interface Plan {
  /** One per descriptor, in request order; undefined where no limit applies. */
  readonly descriptors: readonly (PlannedDescriptor | undefined)[];
  /** Those of the descriptors that are counted, in order. */
  readonly hits: readonly Hit[];
  /** What would be denied passes. */
  readonly shadow: boolean;
}

/** What all descriptors of a request have in common. */
export interface Common {
  readonly request: LimitRequest;
  readonly policy: DomainPolicy;
  readonly addresses: Addresses;
  readonly hasher: KeyHasher;
  readonly modes: Modes;
  /** A descriptor in quota mode passes whatever is counted: no other can deny jointly with it. */
  readonly quotaPasses: boolean;
}

/** @param policy undefined for an unknown domain: nothing is limited there, overrides included */
export function planOf(
  request: LimitRequest,
  policy: DomainPolicy | undefined,
  hasher: KeyHasher,
  modes: Modes = NO_MODES,
): Plan {
  const { shadow } = modes;
  if (policy === undefined) return { descriptors: request.descriptors.map(() => undefined), hits: [], shadow };
  const met = meetAll(request, policy);
  const quotaPasses = met.some((one) => passesItsQuota(one?.limit, modes));
  const common = { request, policy, addresses: new Addresses(request), hasher, modes, quotaPasses };
  const descriptors: (PlannedDescriptor | undefined)[] = [];
  const hits: Hit[] = [];
  const refused = new Votes();
  for (const one of met) {
    const planned = one && planDescriptor(one, common, hits);
    descriptors.push(planned);
    if (planned !== undefined) refused.add(planned.denies, planned.outcome === 'refused');
  }
  const isRefused = !shadow && refused.denial !== 'none';
  return { descriptors, hits: isRefused ? hits.map(withoutCharge) : hits, shadow };
}

/** A plan that is denied already reads the counters of its other hits, so that each status can be told. */
export function withoutCharge(hit: Hit): Hit {
  return hit.charging === 'together' ? { ...hit, cost: 0 } : hit;
}

/** Limits that another one of the request replaces do not apply: order and mutual replacement do not matter. */
function meetAll({ descriptors }: LimitRequest, policy: DomainPolicy): (Met | undefined)[] {
  const met: (Met | undefined)[] = [];
  let isReplacing = false;
  for (const descriptor of descriptors) {
    const one = meet(descriptor, policy);
    met.push(one);
    if (one !== undefined && one.limit.replaces.length > 0) isReplacing = true;
  }
  if (!isReplacing) return met;
  const replaced = new Set(met.flatMap((one) => one?.limit.replaces ?? []));
  return met.map((one) => (one && !one.limit.unlimited && replaced.has(one.limit.name) ? undefined : one));
}

/** Whether a descriptor is one of those that deny only jointly, and cannot deny. */
function passesItsQuota(limit: Limit | undefined, modes: Modes): boolean {
  if (limit === undefined) return modes.quota;
  return (limit.quota || modes.quota) && limit.shadow && !limit.unlimited;
}

/** What is counted of a descriptor, and what its API key makes of the rest. */
export type PlannedHit = Pick<PlannedDescriptor, 'outcome' | 'limit' | 'failsInactive'> & {
  readonly hit: Hit | undefined;
};

/** @param hits of the plan; its own is added */
function planDescriptor(met: Met, common: Common, hits: Hit[]): PlannedDescriptor {
  const { limit: unknownLimit } = met;
  const { policy, hasher, modes } = common;
  const quota = unknownLimit.quota || modes.quota;
  const denies = deniesOf(unknownLimit, quota, common.quotaPasses);
  const { outcome, limit, failsInactive, hit } = planHit(met, common, denies);
  const unknownStatsKey = statsKeyOf(policy.domain, met, hasher);
  const statsKey = limit === unknownLimit ? unknownStatsKey : statsKeyOf(policy.domain, { ...met, limit }, hasher);
  const hitAt = hit === undefined ? -1 : hits.length;
  if (hit !== undefined) hits.push(hit);
  return { limit, unknownLimit, outcome, hitAt, denies, quota, failsInactive, statsKey, unknownStatsKey };
}

function planHit(met: Met, common: Common, denies: Denies): PlannedHit {
  const { descriptor, limit, keys } = met;
  if (limit.unlimited) return { outcome: 'unlimited', limit, failsInactive: false, hit: undefined };
  const { policy, request, modes } = common;
  const charge = chargeOf(descriptor, limit, request.hitsAddend, modes, modes.shadow ? 'never' : denies);
  if (keys !== undefined) return planKey(met, keys, charge, common);
  const subject = subjectOf(policy.domain, descriptor.entries, met);
  const hit = hitOf({ subject, record: undefined, windows: limit.windows }, charge);
  return { outcome: 'counted', limit, failsInactive: false, hit };
}

function deniesOf(limit: Limit, quota: boolean, quotaPasses: boolean): Denies {
  if (limit.shadow || limit.unlimited) return 'never';
  if (!quota) return 'alone';
  return quotaPasses ? 'never' : 'jointly';
}

function chargeOf(
  descriptor: Descriptor,
  limit: Limit,
  requestHits: number,
  { stopWhenOver }: Modes,
  denies: Denies,
): Charge {
  const cost = descriptor.hitsAddend ?? Math.max(1, requestHits);
  // A refund has nothing to be denied, and is not lost because another descriptor is.
  if (descriptor.isNegativeHits) return { cost: -cost, need: -COST_MAX, charging: 'always', denies };
  if (limit.charging === 'each') return { cost, need: cost, charging: stopWhenOver ? 'stop' : 'always', denies };
  // A peek at `limits` asks whether one more would fit; envoyproxy/ratelimit's asks whether the limit was exceeded.
  return { cost, need: cost === 0 ? 1 : cost, charging: limit.overdraft ? 'always' : 'together', denies };
}
