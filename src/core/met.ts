/** Which limit a descriptor meets: the policy's, or the one that the request brings in its place. */
import type { KeyType } from './api-key.ts';
import type { Descriptor, Entry, LimitOverride } from './descriptor.ts';
import { type Limit, unitWindow } from './limit.ts';
import { type DomainPolicy, limitAt, type Match, match, type PolicyNode } from './policy.ts';

/** A descriptor and the limit that it meets. */
export interface Met extends Match {
  readonly descriptor: Descriptor;
  /** Of a key without a record, or of no key. */
  readonly limit: Limit;
}

/** @returns undefined where no limit applies */
export function meet(descriptor: Descriptor, policy: DomainPolicy): Met | undefined {
  const { node, keyAt, keys, path } = match(policy, descriptor);
  const limit = limitFor(descriptor, node);
  if (limit === undefined) return undefined;
  // What is counted by an override is counted by the value that came, not by a pattern of the policy.
  return { node, keyAt, keys, path: descriptor.override === undefined ? path : undefined, descriptor, limit };
}

/** @param recordType the type of the API key's record; undefined for a key without one, and for what is no key */
export function limitFor(
  { entries, override }: Descriptor,
  node: PolicyNode | undefined,
  recordType?: KeyType,
): Limit | undefined {
  const limit = node && limitAt(node, (entries[entries.length - 1] as Entry).value, recordType);
  return override === undefined ? limit : overridden(override, limit);
}

/** An override keeps the way in which its node counts; without a node it counts as envoyproxy/ratelimit does. */
function overridden({ requestsPerUnit, unit }: LimitOverride, found: Limit | undefined): Limit {
  const isOwn = found?.charging === 'together';
  const window = unitWindow(requestsPerUnit, unit);
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
    passing: true,
  };
}
