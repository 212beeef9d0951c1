/** What a descriptor with an API key comes to: the hits of a key with a record, and of one without. */
import { hashesOf, parseKey, type WellFormedKey } from './api-key.ts';
import { countedAddress } from './caller-address.ts';
import type { Descriptor, Entry, LimitRequest } from './descriptor.ts';
import { type Charge, hitOf, type Target } from './hit.ts';
import { limitFor, type Met } from './met.ts';
import type { Common, PlannedHit } from './plan.ts';
import type { KeyRules } from './policy.ts';
import { type StandIn, subjectOf } from './subject.ts';

/** @param keys of the node that the descriptor's API key met */
export function planKey(met: Met, keys: KeyRules, charge: Charge, common: Common): PlannedHit {
  const { value } = met.descriptor.entries[met.keyAt] as Entry;
  const key = parseKey(value);
  if (key !== undefined) return planKnown(key, met, keys, charge, common);
  // No record can be of it: nothing has to be looked up.
  const { limit } = met;
  const target = unknownTarget(met, keys, common);
  if (target === undefined) return { outcome: 'refused', limit, failsInactive: false, hit: undefined };
  return { outcome: 'counted', limit, failsInactive: false, hit: hitOf(target, charge) };
}

/** A key that may have a record, and so is counted beside it. */
function planKnown(key: WellFormedKey, met: Met, keys: KeyRules, charge: Charge, common: Common): PlannedHit {
  const { descriptor, keyAt, node } = met;
  const { value } = descriptor.entries[keyAt] as Entry;
  const hashes = hashesOf(value, common.hasher);
  const limit = limitFor(descriptor, node, key.type) ?? met.limit;
  const subject = subjectFor(met, common, { kind: 'record', text: key.id });
  const presented = {
    hashes,
    // The limit is the key's own, not one of a node below it: the record's numbers may replace its.
    ownLimits: descriptor.override === undefined && keyAt === descriptor.entries.length - 1,
    refusesInactive: keys.inactive !== 'default',
    unknown: unknownTarget(met, keys, common, { record: key.id, hash: hashes[0] }),
  };
  const hit = hitOf({ subject, record: key.id, windows: limit.windows }, charge, presented);
  return { outcome: 'counted', limit, failsInactive: keys.inactive === 'error' && charge.denies !== 'never', hit };
}

/**
 * @param known of a key that may have a record
 * @returns undefined if such keys are refused
 */
function unknownTarget(
  met: Met,
  { unknown }: KeyRules,
  common: Common,
  known?: { readonly record: string; readonly hash: string },
): Target | undefined {
  if (unknown === 'deny') return undefined;
  const { descriptor, keyAt, limit } = met;
  const { windows } = limit;
  if (unknown === 'default') {
    const text = known?.hash ?? common.hasher.hash((descriptor.entries[keyAt] as Entry).value);
    return { subject: subjectFor(met, common, { kind: 'hash', text }), record: known?.record, windows };
  }
  const text = common.addresses.of(descriptor);
  return { subject: subjectFor(met, common, { kind: 'address', text }), record: undefined, windows };
}

function subjectFor(met: Met, { policy }: Common, standIn: StandIn): string {
  return subjectOf(policy.domain, met.descriptor.entries, met, standIn);
}

/** By which names Envoy sends an address. */
const ADDRESS_KEYS: ReadonlySet<string> = new Set(['remote_address', 'masked_remote_address']);

/**
 * Where a request came from: as its door says, else as an entry beside the key does, else as one of another descriptor;
 * all callers whose address nobody tells are one. What holds for the whole request is found once, however many keys it has.
 */
export class Addresses {
  readonly #request: LimitRequest;
  #shared: string | undefined = undefined;

  constructor(request: LimitRequest) {
    this.#request = request;
  }

  of(descriptor: Descriptor): string {
    const { callerAddress, descriptors } = this.#request;
    const beside = callerAddress === undefined ? addressIn(descriptor) : undefined;
    if (beside !== undefined) return counted(beside);
    this.#shared ??= counted(callerAddress ?? firstAddress(descriptors) ?? '');
    return this.#shared;
  }
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
