/** Who is counted, as one text: injective, so that two descriptors never share a counter. */
import type { Entry } from './descriptor.ts';

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

/**
 * Every part carries its length and its kind, so no text inside a part can pretend to be a border:
 * `8:closient` `7:api_key` `k` `43:<hash>`.
 *
 * @param keyAt the index of the entry whose value is an API key, -1 for none
 * @param standIn for that value; needed only with `keyAt`
 */
export function subjectOf(domain: string, entries: readonly Entry[], keyAt = -1, standIn?: StandIn): string {
  let subject = part(domain);
  for (let index = 0; index < entries.length; index++) {
    const { key, value } = entries[index] as Entry;
    subject += part(key);
    subject += index === keyAt && standIn ? MARKS[standIn.kind] + part(standIn.text) : `v${part(value)}`;
  }
  return subject;
}

function part(text: string): string {
  return `${text.length}:${text}`;
}
