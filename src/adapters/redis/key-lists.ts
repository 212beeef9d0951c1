/** In which lists a record stands, and what stands for it there: one list for every order and every filter that can be asked for. */
import type { KeyRecord } from '../../core/key-record.ts';
import type { KeyQuery } from '../../ports/key-registry.ts';

/** Of all records, by creation. */
export const ALL_BY_CREATION = 'created:any:any';

const ID_PREFIX = 'key_';

/** The change of one list. */
export interface ListChange {
  readonly list: string;
  readonly byCreation: boolean;
  readonly leave: string | undefined;
  readonly enter: string | undefined;
}

/** The list that holds exactly what the query asks for, but for the prefix of the name. */
export function listOf({ sort, type, status }: Pick<KeyQuery, 'sort' | 'type' | 'status'>): string {
  return `${sort.endsWith('name') ? 'name' : 'created'}:${type ?? 'any'}:${status ?? 'any'}`;
}

/** What stands for a record in lists by creation. */
export function createdMember(id: string): string {
  return id.slice(ID_PREFIX.length);
}

/** The id of what stands in a list of either kind. */
export function idOf(member: string): string {
  return ID_PREFIX + member.slice(member.lastIndexOf('\0') + 1);
}

/** The lists that change when a record does; none for most changes. */
export function listChanges(before: KeyRecord | undefined, after: KeyRecord): ListChange[] {
  const [old, members] = [before === undefined ? new Map<string, string>() : membersOf(before), membersOf(after)];
  return [...new Set([...old.keys(), ...members.keys()])]
    .map((list) => ({
      list,
      byCreation: list.startsWith('created'),
      leave: old.get(list),
      enter: members.get(list),
    }))
    .filter(({ leave, enter }) => leave !== enter);
}

/** By list. */
function membersOf({ id, name, type, status }: KeyRecord): Map<string, string> {
  const created = createdMember(id);
  // Behind a name comes a byte that no name has, so that a name stands before all that begin with it.
  const members = { created, name: `${name}\0${created}` };
  return new Map(
    [{}, { type }, { status }, { type, status }].flatMap((filter) => [
      [listOf({ ...filter, sort: 'created_at' }), members.created],
      [listOf({ ...filter, sort: 'name' }), members.name],
    ]),
  );
}
