/** The compiled policy: which limit a descriptor meets. How the limit is written down is definition.ts's matter. */
import type { Descriptor } from './descriptor.ts';
import type { Limit } from './limit.ts';

export type HeaderStyle = 'documented' | 'ietf' | 'reference' | 'off';

/** A limit that replaces the node's own for API keys with a prefix. */
export interface KeyClass {
  readonly prefix: string;
  readonly limit: Limit;
}

export interface PolicyNode {
  /** Absent: the node only leads to others, or lets pass. */
  readonly limit: Limit | undefined;
  /** Tried in order; empty unless `apiKeys`. */
  readonly classes: readonly KeyClass[];
  /** The entry's value at this node is an API key: a secret, counted by its hash. */
  readonly apiKeys: boolean;
  /** By `key_value` or, for every other value, by `key`. */
  readonly children: ReadonlyMap<string, PolicyNode>;
}

/** One policy file. */
export interface DomainPolicy {
  readonly domain: string;
  readonly headerStyle: HeaderStyle;
  readonly root: PolicyNode;
}

/** All domains that are in force together. */
export type PolicySet = ReadonlyMap<string, DomainPolicy>;

/** What a walk through the tree found. */
export interface Match {
  /** Present only if the last entry met a node with a limit. */
  readonly limit: Limit | undefined;
  /** By entry: whether its value is an API key. Shorter than the entries where the walk ended early. */
  readonly secret: readonly boolean[];
}

/**
 * Walks the entries from left to right: at each level the node `key_value`, else the node `key`, without backtracking.
 * The joined text is envoyproxy/ratelimit's: existing files rely on `key: a_b` meeting the entry (a, b).
 */
export function match(policy: DomainPolicy, descriptor: Descriptor): Match {
  const secret: boolean[] = [];
  let node = policy.root;
  for (const { key, value } of descriptor.entries) {
    const next = node.children.get(`${key}_${value}`) ?? node.children.get(key);
    if (next === undefined) return { limit: undefined, secret };
    secret.push(next.apiKeys);
    node = next;
  }
  const last = descriptor.entries.at(-1);
  return { limit: last === undefined ? undefined : limitFor(node, last.value), secret };
}

function limitFor(node: PolicyNode, value: string): Limit | undefined {
  for (const { prefix, limit } of node.classes) if (value.startsWith(prefix)) return limit;
  return node.limit;
}
