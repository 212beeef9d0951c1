/** The hits that a request would charge. Pure: what was found in the counters is decision.ts's matter. */
import type { KeyHasher, KeyType } from './api-key.ts';
import type { Descriptor, LimitRequest } from './descriptor.ts';
import type { Charge, Denies, Hit } from './hit.ts';
import { type Limit, unitWindow } from './limit.ts';
import { addressesOf, planKey } from './plan-key.ts';
import { type DomainPolicy, limitAt, type Match, match } from './policy.ts';
import { statsKeyOf } from './stats-key.ts';
import { subjectOf } from './subject.ts';
import { denialOf } from './verdict.ts';
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
interface Common {
  readonly request: LimitRequest;
  readonly policy: DomainPolicy;
  readonly addressOf: (descriptor: Descriptor) => string;
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
  const descriptors: (PlannedDescriptor | undefined)[] = [];
  const hits: Hit[] = [];
  const met = request.descriptors.map((descriptor) => policy && meet(descriptor, policy));
  replace(met);
  const quotaPasses = met.some((one) => passesItsQuota(one?.limit, modes));
  const common = policy && { request, policy, addressOf: addressesOf(request), hasher, modes, quotaPasses };
  for (const one of met) {
    if (one === undefined || common === undefined) {
      descriptors.push(undefined);
      continue;
    }
    const { hit, ...planned } = planDescriptor(one, common);
    descriptors.push({ ...planned, hitAt: hit === undefined ? -1 : hits.length });
    if (hit !== undefined) hits.push(hit);
  }
  const isRefused = !modes.shadow && denialOf(descriptors, ({ outcome }) => outcome === 'refused') !== 'none';
  return { descriptors, hits: isRefused ? hits.map(withoutCharge) : hits, shadow: modes.shadow };
}

/** A plan that is denied already reads the counters of its other hits, so that each status can be told. */
export function withoutCharge(hit: Hit): Hit {
  return hit.charging === 'together' ? { ...hit, cost: 0 } : hit;
}

/** A descriptor and the limit that it meets. */
export interface Met extends Match {
  readonly descriptor: Descriptor;
  /** Of a key without a record, or of no key. */
  readonly limit: Limit;
  readonly limitFor: (recordType?: KeyType) => Limit | undefined;
}

function meet(descriptor: Descriptor, policy: DomainPolicy): Met | undefined {
  const { entries, override } = descriptor;
  const found = match(policy, descriptor);
  const { node } = found;
  const limitFor = (recordType?: KeyType): Limit | undefined => {
    const limit = node && limitAt(node, entries.at(-1)?.value ?? '', recordType);
    return override === undefined ? limit : overridden(override, limit);
  };
  const limit = limitFor();
  if (limit === undefined) return undefined;
  // What is counted by an override is counted by the value that came, not by a pattern of the policy.
  return override === undefined
    ? { ...found, descriptor, limit, limitFor }
    : { ...found, path: undefined, descriptor, limit, limitFor };
}

/** Limits that another one of the request replaces do not apply: order and mutual replacement do not matter. */
function replace(met: (Met | undefined)[]): void {
  if (!met.some((one) => one !== undefined && one.limit.replaces.length > 0)) return;
  const replaced = new Set(met.flatMap((one) => one?.limit.replaces ?? []));
  met.forEach((one, index) => {
    if (one !== undefined && !one.limit.unlimited && replaced.has(one.limit.name)) met[index] = undefined;
  });
}

/** Whether a descriptor is one of those that deny only jointly, and cannot deny. */
function passesItsQuota(limit: Limit | undefined, modes: Modes): boolean {
  if (limit === undefined) return modes.quota;
  return (limit.quota || modes.quota) && limit.shadow && !limit.unlimited;
}

/** What a descriptor comes to, before its hit has a place. */
export type Planned = Omit<PlannedDescriptor, 'hitAt'> & { readonly hit: Hit | undefined };

function planDescriptor(met: Met, common: Common): Planned {
  const { descriptor, limit, keys } = met;
  const { policy, hasher, modes, request } = common;
  const quota = limit.quota || modes.quota;
  const denies = deniesOf(limit, quota, common.quotaPasses);
  const statsKey = statsKeyOf(policy.domain, met, hasher);
  const unknown = { unknownLimit: limit, unknownStatsKey: statsKey };
  const planned = { limit, ...unknown, denies, quota, statsKey, failsInactive: false };
  if (limit.unlimited) return { ...planned, outcome: 'unlimited', hit: undefined };
  const charge = chargeOf(descriptor, limit, request.hitsAddend, modes, modes.shadow ? 'never' : denies);
  if (keys === undefined) {
    const hit = { subject: subjectOf(policy.domain, descriptor.entries, met), windows: limit.windows, ...charge };
    return { ...planned, outcome: 'counted', hit };
  }
  return { ...planned, ...planKey({ ...common, ...met, keys, charge }) };
}

function deniesOf(limit: Limit, quota: boolean, quotaPasses: boolean): Denies {
  if (limit.shadow || limit.unlimited) return 'never';
  if (!quota) return 'alone';
  return quotaPasses ? 'never' : 'jointly';
}

/** An override keeps the way in which its node counts; without a node it counts as envoyproxy/ratelimit does. */
function overridden(override: NonNullable<Descriptor['override']>, found: Limit | undefined): Limit {
  const isOwn = found?.charging === 'together';
  const window = unitWindow(override.requestsPerUnit, override.unit);
  return {
    policy: found?.policy ?? 'override',
    statsKey: '',
    // A window of `limits` is named by its unit; envoyproxy/ratelimit tells gateways no name.
    windows: [isOwn ? window : { ...window, name: '' }],
    charging: found?.charging ?? 'each',
    overdraft: found?.overdraft ?? false,
    shadow: isOwn && found.shadow,
    quota: isOwn && found.quota,
    unlimited: false,
    detailed: false,
    name: '',
    replaces: [],
    metadata: isOwn ? found.metadata : undefined,
  };
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
