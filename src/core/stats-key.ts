/** What the statistics of a limit are called: envoyproxy/ratelimit's names, before they are made fit for a wire. */
import { type KeyHasher, parseKey, withoutKeys } from './api-key.ts';
import type { Met } from './met.ts';
import type { PolicyNode } from './policy.ts';
import { patternOf } from './subject.ts';

/**
 * The limit's own name, unless the values of the request are to be part of it: where the policy says so, and where the
 * request brings a limit of its own.
 */
export function statsKeyOf(domain: string, { limit, descriptor, keyAt, path }: Met, hasher: KeyHasher): string {
  const isOverride = descriptor.override !== undefined;
  if (!isOverride && !limit.detailed && path === undefined) return limit.statsKey;
  const names = descriptor.entries.map((entry, index) => {
    const { key } = entry;
    const value = index === keyAt ? publicName(entry.value, hasher) : publicValue(entry.value);
    if (isOverride) return joined(key, value);
    const node = path?.[index];
    return limit.detailed ? detailed(key, value, node) : enhanced(key, value, node);
  });
  return `${domain}.${names.join('.')}`;
}

/** `detailed_metric`: every entry by its value; many values that are counted as one are one name, too. */
function detailed(key: string, value: string, node: PolicyNode | undefined): string {
  return `${key}_${node?.shared ? patternOf(node) : value}`;
}

/** `value_to_metric`: the value at the nodes that ask for it, the policy's own words at the others. */
function enhanced(key: string, value: string, node: PolicyNode | undefined): string {
  if (node === undefined) return key;
  if (node.valueInStats && !node.shared) return joined(key, value);
  return joined(node.entry.key, node.entry.value ?? '');
}

function joined(key: string, value: string): string {
  return value === '' ? key : `${key}_${value}`;
}

/** A value that no policy takes for a key: gateways that put their entries in another order send keys all the same. */
export function publicValue(value: string): string {
  return parseKey(value)?.id ?? withoutKeys(value);
}

// As much of a hash as may be told: enough to tell keys apart, too little to look one up by.
const HASH_CHARACTERS = 12;

/** What stands for an API key where people read: the id of its record, or of what is no key the beginning of its hash. */
export function publicName(key: string, hasher: KeyHasher): string {
  return parseKey(key)?.id ?? hasher.hash(key).slice(0, HASH_CHARACTERS);
}
