/** What a descriptor with an API key comes to: the hits of a key with a record, and of one without. */
import { hashesOf, type KeyHasher, parseKey } from './api-key.ts';
import { countedAddress } from './caller-address.ts';
import type { Descriptor, Entry, LimitRequest } from './descriptor.ts';
import type { Charge, Target } from './hit.ts';
import type { Met, Planned } from './plan.ts';
import type { DomainPolicy, KeyRules } from './policy.ts';
import { statsKeyOf } from './stats-key.ts';
import { type StandIn, subjectOf } from './subject.ts';

/** A descriptor that met a node with `api_keys`. */
export interface KeyedDescriptor extends Met {
  readonly policy: DomainPolicy;
  readonly addressOf: (descriptor: Descriptor) => string;
  readonly hasher: KeyHasher;
  readonly keys: KeyRules;
  readonly charge: Charge;
}

type PlannedKey = Pick<Planned, 'outcome' | 'hit' | 'limit' | 'failsInactive'> & Partial<Pick<Planned, 'statsKey'>>;

export function planKey(keyed: KeyedDescriptor): PlannedKey {
  const { keys, charge, hasher, keyAt, descriptor, limit: unknownLimit } = keyed;
  const { value } = descriptor.entries[keyAt] as Entry;
  const key = parseKey(value);
  if (key === undefined) {
    // No record can be of it: nothing has to be looked up.
    const target = unknownTarget(keyed, () => hasher.hash(value), undefined);
    if (target === undefined) {
      return { outcome: 'refused', limit: unknownLimit, hit: undefined, failsInactive: false };
    }
    return { outcome: 'counted', limit: unknownLimit, hit: { ...target, ...charge }, failsInactive: false };
  }
  const hashes = hashesOf(value, hasher);
  const limit = keyed.limitFor(key.type) ?? unknownLimit;
  const hit = {
    subject: subjectFor(keyed, { kind: 'record', text: key.id }),
    record: key.id,
    windows: limit.windows,
    ...charge,
    key: {
      hashes,
      // The limit is the key's own, not one of a node below it: the record's numbers may replace its.
      ownLimits: descriptor.override === undefined && keyAt === descriptor.entries.length - 1,
      refusesInactive: keys.inactive !== 'default',
      unknown: unknownTarget(keyed, () => hashes[0], key.id),
    },
  };
  const failsInactive = keys.inactive === 'error' && charge.denies !== 'never';
  const statsKey = statsKeyOf(keyed.policy.domain, { ...keyed, limit }, hasher);
  return { outcome: 'counted', limit, hit, failsInactive, statsKey };
}

/** @returns undefined if such keys are refused */
function unknownTarget(keyed: KeyedDescriptor, hash: () => string, record: string | undefined): Target | undefined {
  const { unknown } = keyed.keys;
  const { windows } = keyed.limit;
  if (unknown === 'deny') return undefined;
  if (unknown === 'default') return { subject: subjectFor(keyed, { kind: 'hash', text: hash() }), record, windows };
  return { subject: subjectFor(keyed, { kind: 'address', text: keyed.addressOf(keyed.descriptor) }), windows };
}

function subjectFor(keyed: KeyedDescriptor, standIn: StandIn): string {
  return subjectOf(keyed.policy.domain, keyed.descriptor.entries, keyed, standIn);
}

/** By which names Envoy sends an address. */
const ADDRESS_KEYS: ReadonlySet<string> = new Set(['remote_address', 'masked_remote_address']);

/**
 * Where a request came from: as its door says, else as an entry beside the key does, else as one of another descriptor;
 * all callers whose address nobody tells are one. What holds for the whole request is found once, however many keys it has.
 */
export function addressesOf({ callerAddress, descriptors }: LimitRequest): (descriptor: Descriptor) => string {
  let shared: string | undefined;
  return (descriptor) => {
    const beside = callerAddress === undefined ? addressIn(descriptor) : undefined;
    if (beside !== undefined) return counted(beside);
    shared ??= counted(callerAddress ?? firstAddress(descriptors) ?? '');
    return shared;
  };
}

function counted(address: string): string {
  return countedAddress(address) ?? address;
}

function firstAddress(descriptors: readonly Descriptor[]): string | undefined {
  for (const descriptor of descriptors) {
    const address = addressIn(descriptor);
    if (address !== undefined) return address;
  }
  return undefined;
}

function addressIn({ entries }: Descriptor): string | undefined {
  return entries.find(({ key }) => ADDRESS_KEYS.has(key))?.value;
}
