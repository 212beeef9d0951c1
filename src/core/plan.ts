/** The hits that a request would charge. Pure: what was found in the counters is decision.ts's matter. */
import type { KeyHasher, KeyType } from './api-key.ts';
import type { Descriptor, LimitRequest } from './descriptor.ts';
import type { Charge, Hit } from './hit.ts';
import { type Limit, unitWindow } from './limit.ts';
import { addressesOf, planKey } from './plan-key.ts';
import { type DomainPolicy, limitAt, match } from './policy.ts';
import { subjectOf } from './subject.ts';
import { COST_MAX } from './window.ts';

/** What one descriptor came to. */
export interface PlannedDescriptor {
  readonly limit: Limit;
  /** Applies if an API key turns out to have no record; without an API key, `limit` again. */
  readonly unknownLimit: Limit;
  /** Undefined: refused without a look, since no record can be of this key. */
  readonly hit: Hit | undefined;
  /** An inactive key is an error, not a denial. */
  readonly failsInactive: boolean;
}

export interface Plan {
  /** Empty for a domain that no policy knows. */
  readonly domain: string;
  /** One per descriptor, in request order; undefined where no limit applies. */
  readonly descriptors: readonly (PlannedDescriptor | undefined)[];
  /** The hits of `descriptors`, in order. */
  readonly hits: readonly Hit[];
  /** A descriptor that is refused without a look denies the whole plan. */
  readonly refused: boolean;
}

/** @param policy undefined for an unknown domain: nothing is limited there, overrides included */
export function planOf(request: LimitRequest, policy: DomainPolicy | undefined, hasher: KeyHasher): Plan {
  const descriptors: (PlannedDescriptor | undefined)[] = [];
  const hits: Hit[] = [];
  let refused = false;
  const common = { requestHits: request.hitsAddend, addressOf: addressesOf(request), hasher };
  for (const descriptor of request.descriptors) {
    const planned = policy === undefined ? undefined : planDescriptor(descriptor, policy, common);
    descriptors.push(planned);
    if (planned === undefined) continue;
    if (planned.hit !== undefined) hits.push(planned.hit);
    else if (!planned.limit.shadow) refused = true;
  }
  return { domain: policy?.domain ?? '', descriptors, hits: refused ? hits.map(withoutCharge) : hits, refused };
}

/** A plan that is denied already reads the counters of its other hits, so that each status can be told. */
function withoutCharge(hit: Hit): Hit {
  return hit.always ? hit : { ...hit, cost: 0 };
}

/** What all descriptors of a request have in common. */
interface Common {
  readonly requestHits: number;
  readonly addressOf: (descriptor: Descriptor) => string;
  readonly hasher: KeyHasher;
}

function planDescriptor(
  descriptor: Descriptor,
  policy: DomainPolicy,
  { requestHits, addressOf, hasher }: Common,
): PlannedDescriptor | undefined {
  const { node, keyAt, keys } = match(policy, descriptor);
  const { entries, override } = descriptor;
  const limitFor = (recordType?: KeyType): Limit | undefined => {
    const found = node && limitAt(node, entries.at(-1)?.value ?? '', recordType);
    return override === undefined ? found : overridden(override, found);
  };
  const limit = limitFor();
  if (limit === undefined) return undefined;
  const charge = chargeOf(descriptor, limit, requestHits);
  if (keys === undefined) {
    const hit = { subject: subjectOf(policy.domain, entries), windows: limit.windows, ...charge };
    return { limit, unknownLimit: limit, hit, failsInactive: false };
  }
  const ownLimits = override === undefined && keyAt === entries.length - 1;
  return planKey({ policy, descriptor, addressOf, keyAt, keys, limitFor, charge, ownLimits }, limit, hasher);
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

function chargeOf(descriptor: Descriptor, limit: Limit, requestHits: number): Charge {
  const cost = descriptor.hitsAddend ?? Math.max(1, requestHits);
  const always = limit.charging === 'each' || limit.overdraft;
  const enforced = !limit.shadow;
  // A refund has nothing to be denied, and is not lost because another descriptor is.
  if (descriptor.isNegativeHits) return { cost: -cost, need: -COST_MAX, always: true, enforced };
  // A peek at `limits` asks whether one more would fit; envoyproxy/ratelimit's asks whether the limit was exceeded.
  const need = cost === 0 && limit.charging === 'together' ? 1 : cost;
  return { cost, need, always, enforced };
}
