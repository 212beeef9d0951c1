/** The part of the contract about lists: filters, orders, pages, and what they show while keys come and change. */
import { describe, expect, test } from '@jest/globals';
import { KEY_STATUSES, type KeyRecord, type StoredKey } from '../../src/core/key-record.ts';
import type { KeyQuery, KeySort } from '../../src/ports/key-registry.ts';
import { change, create, FIRST_PAGE, idsOf, type KeysUnderTest } from './keys-under-test.ts';

const TYPES = ['secret', 'publishable'] as const;
const SORTS: readonly KeySort[] = ['created_at', '-created_at', 'name', '-name'];

export function describeLists(get: () => KeysUnderTest): void {
  describeFilters(get);
  describeNames(get);
  describePages(get);
  describeUnions(get);
  describeMoves(get);
}

function byBytes(one: KeyRecord, other: KeyRecord): number {
  const key = ({ name, id }: KeyRecord) => Buffer.from(`${name}\0${id}`);
  return Buffer.compare(key(one), key(other));
}

/** What a list must show, in the plainest words. */
function expected(all: readonly StoredKey[], query: Partial<KeyQuery>): string[] {
  const { type, status, sort = 'created_at', namePrefix = '' } = query;
  const found = all
    .map(({ record }) => record)
    .filter((record) => type === undefined || record.type === type)
    .filter((record) => status === undefined || record.status === status)
    .filter(({ name }) => name.startsWith(namePrefix));
  if (sort.endsWith('name')) found.sort(byBytes);
  if (sort.startsWith('-')) found.reverse();
  return found.map(({ id }) => id);
}

function describeFilters(get: () => KeysUnderTest): void {
  const rows = [undefined, ...TYPES].flatMap((type) =>
    [undefined, ...KEY_STATUSES].flatMap((status) => SORTS.map((sort) => ({ type, status, sort }))),
  );
  test.each(rows)('type $type, status $status, by $sort: exactly those, in that order', async (query) => {
    const { registry } = get();
    const all: StoredKey[] = [];
    for (let made = 0; made < 30; made++) {
      const [type, status] = [TYPES[made % 2]!, KEY_STATUSES[made % 3]!];
      // Clocks that stand still, and clocks that run backwards.
      const createdAt = 2_000_000_000_000 - Math.floor(made / 3);
      all.push(await create(registry, { type, status, createdAt, name: `n${(made * 7) % 10}` }));
    }
    for (const pageSize of [100, 4]) {
      expect(await idsOf(registry, { ...query, pageSize })).toEqual(expected(all, query));
    }
    const { totalCount } = await registry.list({ ...FIRST_PAGE, ...query, pageSize: 1 });
    expect(totalCount).toBe(expected(all, query).length);
  });

  test('an empty registry has an empty first page', async () => {
    for (const sort of SORTS) {
      expect(await get().registry.list({ ...FIRST_PAGE, sort })).toEqual({ items: [], totalCount: 0 });
    }
    const query: KeyQuery = { ...FIRST_PAGE, sort: 'name', namePrefix: 'x' };
    expect(await get().registry.list(query)).toEqual({ items: [], totalCount: 0 });
  });
}

function describeNames(get: () => KeysUnderTest): void {
  const NAMES = [
    ...[
      '',
      'a',
      'a',
      'a',
      'ab',
      'a b',
      'a\u0001',
      'A',
      'b',
      '[',
      '[a',
      '[[',
      '(',
      '(a',
      '((',
      '+',
      '-',
      '-inf',
      '*',
      '?',
    ],
    ...['\\', '{', '{a}', '~', '\x7f', '\xff', '\xff\xff', 'ÿ', 'é', 'e\u0301', '日本', '日本語', '日'],
    ...[
      '\ud7ff',
      '\ue000',
      '\uffff',
      '\uffffa',
      '\u{10000}',
      '\u{1f511}',
      '\u{1f511}\u{1f511}',
      '\u{10ffff}',
      '\u{10ffff}z',
    ],
    ...['x'.repeat(100), `${'x'.repeat(100)}y`],
  ];
  const fill = async (): Promise<StoredKey[]> => {
    const all: StoredKey[] = [];
    for (const [index, name] of NAMES.entries()) {
      all.push(await create(get().registry, { name, status: KEY_STATUSES[index % 3]! }));
    }
    return all;
  };

  test('names stand in the order of their UTF-8 bytes, equal ones in that of their ids', async () => {
    const all = await fill();
    expect(await idsOf(get().registry, { sort: 'name', pageSize: 7 })).toEqual(expected(all, { sort: 'name' }));
    expect(await idsOf(get().registry, { sort: '-name', pageSize: 7 })).toEqual(expected(all, { sort: '-name' }));
  });

  test('a prefix finds all names that begin with it and no other, whatever characters it has', async () => {
    const all = await fill();
    const prefixes = new Set([...NAMES, 'nobody', 'a\u0000', 'z', '(a(', '[a[', '\u{10ffff}\u{10ffff}']);
    for (const namePrefix of prefixes) {
      for (const sort of ['name', '-name'] as const) {
        const query = { sort, namePrefix };
        expect({ namePrefix, ids: await idsOf(get().registry, query) }).toEqual({
          namePrefix,
          ids: expected(all, query),
        });
        const { totalCount } = await get().registry.list({ ...FIRST_PAGE, ...query, page: 9 });
        expect(totalCount).toBe(expected(all, query).length);
      }
    }
  });

  test('a prefix goes together with the filters, on every page', async () => {
    const all = await fill();
    for (const status of KEY_STATUSES) {
      for (const namePrefix of ['a', '[', '\u{1f511}', '日']) {
        const query = { sort: '-name', namePrefix, status, type: 'secret', pageSize: 1 } as const;
        expect(await idsOf(get().registry, query)).toEqual(expected(all, query));
      }
    }
  });
}

function describePages(get: () => KeysUnderTest): void {
  const COUNT = 342;
  const fill = async (): Promise<StoredKey[]> => {
    const all: StoredKey[] = [];
    for (let made = 0; made < COUNT; made++) all.push(await create(get().registry, { name: `key ${made % 50}` }));
    return all;
  };

  test.each(SORTS)('342 keys by %s are four pages of 100, each key on one of them', async (sort) => {
    const { registry } = get();
    const all = await fill();
    const pages = await Promise.all([1, 2, 3, 4].map((page) => registry.list({ page, pageSize: 100, sort })));
    expect(pages.map(({ items }) => items.length)).toEqual([100, 100, 100, 42]);
    expect(pages.map(({ totalCount }) => totalCount)).toEqual([COUNT, COUNT, COUNT, COUNT]);
    expect(pages.flatMap(({ items }) => items.map(({ record }) => record.id))).toEqual(expected(all, { sort }));
  });

  test.each([5, 6, 1_000_000, Number.MAX_SAFE_INTEGER])(
    'page %d of four is empty and has the right total',
    async (page) => {
      await fill();
      for (const sort of SORTS) {
        expect(await get().registry.list({ page, pageSize: 100, sort })).toEqual({ items: [], totalCount: COUNT });
      }
      const query = { page, pageSize: 100, sort: 'name', namePrefix: 'key 4' } as const;
      // Names are `key 4` and `key 40` to `key 49`: seven of each, but six from `key 42` on.
      expect((await get().registry.list(query)).totalCount).toBe(69);
    },
  );

  test('while keys are created and revoked between the pages, no other is missing or there twice', async () => {
    const { registry } = get();
    const all = await fill();
    const touched = new Set<string>();
    const ids = await idsOf(registry, {}, async (page) => {
      for (let made = 0; made < 10; made++) touched.add((await create(registry)).record.id);
      for (let revoked = 0; revoked < 10; revoked++) {
        const stored = all[(page * 71 + revoked * 31) % COUNT]!;
        if (touched.has(stored.record.id)) continue;
        touched.add(stored.record.id);
        await change(registry, stored, { status: 'revoked' });
      }
    });
    const untouched = (list: readonly string[]) => list.filter((id) => !touched.has(id));
    expect(untouched(ids)).toEqual(untouched(all.map(({ record }) => record.id)));
    expect(new Set(ids).size).toBe(ids.length);
  });
}

/** Keys of one type and status next to one another in every order, and scattered: where one filter's page ends is everywhere. */
function describeUnions(get: () => KeysUnderTest): void {
  const COUNT = 400;
  const kindOf = (number: number) => ({ type: TYPES[number % 2]!, status: KEY_STATUSES[number % 3]! });
  const rows = [
    { title: 'take turns', kind: kindOf },
    { title: 'stand in blocks', kind: (made: number) => kindOf(Math.floor(made / 67)) },
    { title: 'are scattered', kind: (made: number) => kindOf((made * made * 7 + made) % 41) },
    { title: 'are nearly all of one kind', kind: (made: number) => kindOf(made % 97 === 5 ? made : 0) },
  ];
  test.each(rows)('kinds that $title: every page of every size continues the one before', async ({ kind }) => {
    const { registry } = get();
    const all: StoredKey[] = [];
    for (let made = 0; made < COUNT; made++) {
      all.push(await create(registry, { ...kind(made), name: `n${String(made).padStart(4, '0')}` }));
    }
    const filters = [{}, { type: 'secret' }, { status: 'active' }] as const;
    for (const query of filters.flatMap((filter) => SORTS.map((sort) => ({ ...filter, sort })))) {
      for (const pageSize of [7, 64]) {
        expect(await idsOf(registry, { ...query, pageSize })).toEqual(expected(all, query));
      }
    }
    const query = { sort: 'name', namePrefix: 'n01', pageSize: 9 } as const;
    expect(await idsOf(registry, query)).toEqual(expected(all, query));
  });
}

function describeMoves(get: () => KeysUnderTest): void {
  const query = { sort: 'name' } as const;

  test('a change of status moves the record to the lists of the new one', async () => {
    const { registry } = get();
    let stored = await create(registry, { type: 'publishable' });
    const other = await create(registry, { type: 'publishable', status: 'disabled' });
    for (const status of ['disabled', 'active', 'revoked', 'active', 'revoked'] as const) {
      stored = await change(registry, stored, { status });
      for (const type of [undefined, ...TYPES]) {
        for (const asked of [undefined, ...KEY_STATUSES]) {
          for (const sort of SORTS) {
            const filters = { type, status: asked, sort };
            expect(await idsOf(registry, filters)).toEqual(expected([stored, other], filters));
          }
        }
      }
    }
  });

  test('a record keeps its place in the order of creation, whatever changes', async () => {
    const { registry } = get();
    const all: StoredKey[] = [];
    for (let made = 0; made < 5; made++) all.push(await create(registry));
    all[1] = await change(registry, all[1]!, { status: 'disabled', name: 'another' });
    all[1] = await change(registry, all[1]!, { status: 'active' });
    for (const filters of [{}, { status: 'active' }, { type: 'secret', status: 'active' }] as const) {
      expect(await idsOf(registry, filters)).toEqual(expected(all, filters));
    }
  });

  test('a new name moves the record in all lists by name that it stands in', async () => {
    const { registry } = get();
    const all = [await create(registry, { name: 'a' }), await create(registry, { name: 'c' })];
    for (const name of ['b', 'd', 'd', '', 'c']) {
      all[0] = await change(registry, all[0]!, { name });
      for (const filters of [query, { ...query, status: 'active' }, { ...query, type: 'secret' }] as const) {
        expect(await idsOf(registry, filters)).toEqual(expected(all, filters));
      }
    }
  });

  test('a new name and a new status at once move it once', async () => {
    const { registry } = get();
    const stored = await change(registry, await create(registry, { name: 'a' }), { name: 'b', status: 'revoked' });
    for (const status of [undefined, ...KEY_STATUSES]) {
      const filters = { ...query, status };
      expect(await idsOf(registry, filters)).toEqual(expected([stored], filters));
    }
  });

  describe('keys that are created at once', () => {
    test('all stand in the list, each once, and stay in the order that it shows', async () => {
      const { registry } = get();
      const all = await Promise.all(Array.from({ length: 200 }, () => create(registry)));
      const ids = await idsOf(registry);
      expect(ids.toSorted()).toEqual(all.map(({ record }) => record.id).toSorted());
      expect(await idsOf(registry, { sort: '-created_at' })).toEqual(ids.toReversed());
    });
  });
}
