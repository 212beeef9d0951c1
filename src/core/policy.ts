/** The compiled policy: which limit a descriptor meets. How the limit is written down is definition.ts's matter. */
import type { KeyType } from './api-key.ts';
import type { Descriptor, Entry } from './descriptor.ts';
import type { Limit } from './limit.ts';
import { matchesWildcard, type Wildcard } from './wildcard.ts';

export type HeaderStyle = 'documented' | 'ietf' | 'reference' | 'off';

/** A limit that replaces the node's own for some API keys. */
export interface KeyClass {
  /** Which keys: those that begin so, or those whose record is of this type. */
  readonly of: { readonly prefix: string } | { readonly type: KeyType };
  readonly limit: Limit;
}

/** What becomes of keys without a record: the class of their prefix, no pass, or one counter for all from an address. */
export type UnknownKeys = 'default' | 'deny' | 'share';

/** What becomes of keys that are disabled, revoked, expired or rotated away: the policy's own numbers, no pass, or an error. */
export type InactiveKeys = 'default' | 'deny' | 'error';

export interface KeyRules {
  /** Tried in order. */
  readonly classes: readonly KeyClass[];
  readonly unknown: UnknownKeys;
  readonly inactive: InactiveKeys;
}

/** The rules for one entry, given what those before it met. */
export interface Level {
  /** By `key_value` or, for every other value, by `key`; those with wildcards by their pattern. */
  readonly children: ReadonlyMap<string, PolicyNode>;
  /** Those of `children` that have a pattern, in the order of the file. */
  readonly wildcards: readonly WildcardNode[];
  /** Of the longest name among `children`: what is longer is none of them. */
  readonly nameCharsMax: number;
}

export interface PolicyNode extends Level {
  /** What the policy file says at this node; an undefined value stands for every other value. */
  readonly entry: { readonly key: string; readonly value: string | undefined };
  /** Present if key or value holds a `*`. */
  readonly wildcard: Wildcard | undefined;
  /** All values that meet the pattern are counted as one (`share_threshold`). */
  readonly shared: boolean;
  /** The value that a request brings is part of the name of the statistics (`value_to_metric`). */
  readonly valueInStats: boolean;
  /** Absent: the node only leads to others, or lets pass. */
  readonly limit: Limit | undefined;
  /** Present if the entry's value at this node is an API key, a secret. At most one node of a path has it. */
  readonly keys: KeyRules | undefined;
}

export interface WildcardNode extends PolicyNode {
  readonly wildcard: Wildcard;
}

/** One domain, of one policy file or merged from several. */
export interface DomainPolicy {
  readonly domain: string;
  readonly headerStyle: HeaderStyle;
  /** The style that a file asks for; undefined if it follows from the limits. */
  readonly writtenHeaderStyle: HeaderStyle | undefined;
  readonly root: Level;
}

/** All domains that are in force together. */
export type PolicySet = ReadonlyMap<string, DomainPolicy>;

/** What a walk through the tree found. */
export interface Match {
  /** What the last entry met, if every entry met something. */
  readonly node: PolicyNode | undefined;
  /** Which entry's value is an API key, wherever the walk ended; -1 for none. */
  readonly keyAt: number;
  /** Of the node that this entry met. */
  readonly keys: KeyRules | undefined;
  /** What each entry met; present only if one of the nodes is `shared` or `valueInStats`. */
  readonly path: readonly PolicyNode[] | undefined;
}

/**
 * Walks the entries from left to right: at each level the node `key_value`, else the first wildcard that it meets, else
 * the node `key`, without backtracking. The joined text is envoyproxy/ratelimit's: existing files rely on `key: a_b`
 * meeting the entry (a, b).
 */
export function match(policy: DomainPolicy, { entries }: Descriptor): Match {
  let node: PolicyNode | undefined;
  let keyAt = -1;
  let keys: KeyRules | undefined;
  let isPathNeeded = false;
  let level: Level = policy.root;
  for (let index = 0; index < entries.length; index++) {
    node = nodeFor(level, entries[index] as Entry);
    if (node === undefined) return { node, keyAt, keys, path: undefined };
    if (node.keys !== undefined) {
      keyAt = index;
      keys = node.keys;
    }
    isPathNeeded ||= node.shared || node.valueInStats;
    level = node;
  }
  return { node, keyAt, keys, path: isPathNeeded ? pathOf(policy, entries) : undefined };
}

function nodeFor({ children, wildcards, nameCharsMax }: Level, { key, value }: Entry): PolicyNode | undefined {
  // The values of keys and addresses stand in no policy, and to join them to a name is what costs most here.
  if (key.length + value.length >= nameCharsMax && wildcards.length === 0) return children.get(key);
  const joined = `${key}_${value}`;
  const exact = children.get(joined);
  if (exact !== undefined) return exact;
  for (const node of wildcards) if (matchesWildcard(node.wildcard, joined)) return node;
  return children.get(key);
}

function pathOf({ root }: DomainPolicy, entries: readonly Entry[]): PolicyNode[] {
  const path: PolicyNode[] = [];
  for (const entry of entries) path.push(nodeFor(path.at(-1) ?? root, entry) as PolicyNode);
  return path;
}

/**
 * The limit of a node for the value that met it.
 * @param recordType the type of the key's record; undefined for a key without one, and for what is no key
 */
export function limitAt(node: PolicyNode, value: string, recordType?: KeyType): Limit | undefined {
  if (node.keys === undefined) return node.limit;
  for (const { of, limit } of node.keys.classes) {
    if ('prefix' in of ? value.startsWith(of.prefix) : of.type === recordType) return limit;
  }
  return node.limit;
}
