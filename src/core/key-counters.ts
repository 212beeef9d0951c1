/** Where the use of one API key is counted: every limit that the policies have for it, as hits that read and charge nothing. */
import { keyBeginning } from './api-key.ts';
import type { Hit } from './hit.ts';
import { type KeyRecord, ownWindows } from './key-record.ts';
import { type DomainPolicy, limitAt, type PolicyNode, type PolicySet } from './policy.ts';
import { subjectOf } from './subject.ts';

export interface KeyCounter {
  readonly domain: string;
  /** The limit's name, as in metrics. */
  readonly policy: string;
  /** Reads its windows, with the record's own numbers. */
  readonly hit: Hit;
}

/**
 * Limits at a node with `api_keys` and below it, if every other entry on the way has its value in the policy. A counter
 * under an entry whose value only requests know, such as an address, cannot be listed.
 */
export function countersOf(policies: PolicySet, record: KeyRecord): readonly KeyCounter[] {
  return [...policies.values()].flatMap((policy) =>
    [...policy.root.children.values()].flatMap((node) =>
      below(node, { policy, record, entries: [], keyAt: -1, path: [] }),
    ),
  );
}

interface Path {
  readonly policy: DomainPolicy;
  readonly record: KeyRecord;
  /** Up to the node's parent. */
  readonly entries: readonly { readonly key: string; readonly value: string }[];
  readonly keyAt: number;
  /** What the entries met. */
  readonly path: readonly PolicyNode[];
}

function below(node: PolicyNode, path: Path): KeyCounter[] {
  const isKey = node.keys !== undefined;
  const { type, id } = path.record;
  const value = isKey ? keyBeginning(type, id) : node.entry.value;
  // Of a wildcard there is one counter only if all that meet it share it.
  if (value === undefined || (node.wildcard !== undefined && !node.shared)) return [];
  const entries = [...path.entries, { key: node.entry.key, value }];
  const here = { ...path, entries, keyAt: isKey ? path.entries.length : path.keyAt, path: [...path.path, node] };
  const children = [...node.children.values()].flatMap((child) => below(child, here));
  return here.keyAt < 0 ? children : [...counterAt(node, here), ...children];
}

function counterAt(node: PolicyNode, { policy, record, entries, keyAt, path }: Path): KeyCounter[] {
  const limit = limitAt(node, entries.at(-1)?.value ?? '', record.type);
  if (limit === undefined || limit.unlimited) return [];
  const subject = subjectOf(policy.domain, entries, { keyAt, path }, { kind: 'record', text: record.id });
  const windows = node.keys === undefined ? limit.windows : ownWindows(record, limit.windows);
  const peek = { cost: 0, need: 0, charging: 'always', denies: 'never' } as const;
  return [{ domain: policy.domain, policy: limit.policy, hit: { subject, record: record.id, windows, ...peek } }];
}
