/**
 * In which lists a record stands, and what stands for it there. Each list holds the keys of one type and one status, in one
 * order; what is asked for without a filter is the union of several, so that a record stands in two lists only.
 */
import { KEY_TYPES, type KeyType } from '../../core/api-key.ts';
import { KEY_STATUSES, type KeyRecord, type KeyStatus } from '../../core/key-record.ts';
import type { KeyQuery } from '../../ports/key-registry.ts';

export type ListOrder = 'created' | 'name';

const ID_PREFIX = 'key_';

/** Where a record stands. */
export interface Places {
  readonly byCreation: string;
  readonly byName: string;
  readonly createdMember: string;
  readonly nameMember: string;
}

export function placesOf({ id, name, type, status }: KeyRecord): Places {
  const createdMember = id.slice(ID_PREFIX.length);
  return {
    byCreation: list('created', type, status),
    byName: list('name', type, status),
    createdMember,
    // Behind a name comes a byte that no name has, so that a name stands before all that begin with it.
    nameMember: `${name}\0${createdMember}`,
  };
}

export interface ListQuery {
  readonly order: ListOrder;
  readonly isDescending: boolean;
  /** Their union is what is asked for, but for the prefix of the name. */
  readonly lists: readonly string[];
}

export function listQueryOf({ sort, type, status }: KeyQuery): ListQuery {
  const order = sort.endsWith('name') ? 'name' : 'created';
  const types = type === undefined ? KEY_TYPES : [type];
  const statuses = status === undefined ? KEY_STATUSES : [status];
  const lists = types.flatMap((one) => statuses.map((other) => list(order, one, other)));
  return { order, isDescending: sort.startsWith('-'), lists };
}

function list(order: ListOrder, type: KeyType, status: KeyStatus): string {
  return `${order}:${type}:${status}`;
}

/** As Redis gives it: member, score, member, score … */
export type Slice = readonly string[];

/** The ids of the members of several slices in the order of their union: by score, then by bytes. */
export function mergedIds(slices: readonly Slice[]): string[] {
  const members = slices.flatMap((slice) =>
    slice.flatMap((member, at) =>
      at % 2 === 0 ? [{ member: Buffer.from(member), score: Number(slice[at + 1]) }] : [],
    ),
  );
  // One slice comes in order.
  if (slices.length > 1) members.sort((a, b) => a.score - b.score || Buffer.compare(a.member, b.member));
  return members.map(({ member }) => ID_PREFIX + member.toString('latin1', member.lastIndexOf(0) + 1));
}
