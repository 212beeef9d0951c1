/** Who is counted, as one text: injective, so that two descriptors never share a counter. */
import type { Entry } from './descriptor.ts';
import type { PolicyNode } from './policy.ts';

/**
 * What stands for an API key, so that the key itself never becomes part of a subject. `hash`: of a key without a record.
 * `record`: the id of its record, the same before and after a rotation. `address`: where a key without a record came
 * from, in place of the key.
 */
export interface StandIn {
  readonly kind: 'hash' | 'record' | 'address';
  readonly text: string;
}

/** One letter for each kind of value: `v` for one as it came. */
const MARKS: Readonly<Record<StandIn['kind'], string>> = { hash: 'k', record: 'r', address: 'a' };
const PATTERN = 'p';

/** What the walk through the policy says of the entries. */
export interface SubjectParts {
  /** The index of the entry whose value is an API key, -1 for none. */
  readonly keyAt: number;
  /** What each entry met: the value of one that is `shared` gives way to its pattern. */
  readonly path: readonly PolicyNode[] | undefined;
}

const PLAIN: SubjectParts = { keyAt: -1, path: undefined };

/**
 * Every part carries its length and its kind, so no text inside a part can pretend to be a border:
 * `8:closient` `7:api_key` `k` `43:<hash>`.
 *
 * @param standIn for the value of the entry `keyAt`, if there is one
 */
export function subjectOf(
  domain: string,
  entries: readonly Entry[],
  { keyAt, path }: SubjectParts = PLAIN,
  standIn?: StandIn,
): string {
  let subject = part(domain);
  for (let index = 0; index < entries.length; index++) {
    const { key, value } = entries[index] as Entry;
    const node = path?.[index];
    subject += part(key);
    if (index === keyAt && standIn) subject += MARKS[standIn.kind] + part(standIn.text);
    else if (node?.shared) subject += PATTERN + part(patternOf(node));
    else subject += `v${part(value)}`;
  }
  return subject;
}

/** What stands for all values that meet a wildcard. */
export function patternOf({ entry }: PolicyNode): string {
  return entry.value ?? entry.key;
}

function part(text: string): string {
  return `${text.length}:${text}`;
}
