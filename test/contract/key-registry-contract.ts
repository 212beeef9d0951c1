/** What every registry of keys promises. The same rows are run against each; what a registry adds is tested beside it. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { StoredKey } from '../../src/core/key-record.ts';
import { describeAudit } from './key-audit-contract.ts';
import { describeLists } from './key-lists-contract.ts';
import {
  change,
  changed,
  create,
  creation,
  FIRST_PAGE,
  type KeysUnderTest,
  keyOf,
  replacement,
  someId,
} from './keys-under-test.ts';

/** @param open called for every test; gives an empty registry */
export function describeKeys(name: string, open: () => KeysUnderTest): void {
  describe(`${name}, as a registry of keys,`, () => {
    let opened: KeysUnderTest;
    beforeEach(() => {
      opened = open();
    });
    const get = (): KeysUnderTest => opened;
    describeRecords(get);
    describeConflicts(get);
    describeOnce(get);
    describeLists(get);
    describeAudit(get);
  });
}

function describeRecords(get: () => KeysUnderTest): void {
  const rows: readonly { title: string; stored: StoredKey }[] = [
    { title: 'with nothing but defaults', stored: keyOf() },
    { title: 'with limits of its own', stored: keyOf({ rateLimitPerMinute: 7, rateLimitPerDay: 2 ** 53 - 1 }) },
    { title: 'of a publishable key', stored: keyOf({ type: 'publishable' }) },
    { title: 'that ends', stored: keyOf({ expiresAt: 1_900_000_000 }) },
    { title: 'that ended and is disabled', stored: keyOf({ expiresAt: 1, status: 'disabled' }) },
    { title: 'that was changed later', stored: keyOf({ updatedAt: 1_800_000_000_001, version: 2 ** 40 }) },
    { title: 'with metadata', stored: keyOf({ metadata: { team: 'a', '': '', '2': '1', été: '\u0000"\\\u{1f511}' } }) },
    { title: 'with much metadata', stored: keyOf({ metadata: { long: 'x'.repeat(10_000) } }) },
    { title: 'with a long name', stored: keyOf({ name: 'é'.repeat(200) }) },
    { title: 'without a name', stored: keyOf({ name: '' }) },
    { title: 'of a rotated key', stored: keyOf({}, { rotated: { hash: 'the old one', untilSeconds: 1_900_000_000 } }) },
  ];
  test.each(rows)('a record $title is found as it was written', async ({ stored }) => {
    const { registry } = get();
    expect(await registry.find(stored.record.id)).toBeUndefined();
    expect(await registry.write(creation(stored))).toEqual({ kind: 'written' });
    expect(await registry.find(stored.record.id)).toEqual(stored);
    expect((await registry.list(FIRST_PAGE)).items).toEqual([stored]);
  });

  test('a change is found, and what goes back to its default leaves nothing behind', async () => {
    const { registry } = get();
    const full = keyOf(
      { rateLimitPerMinute: 7, rateLimitPerDay: 9, expiresAt: 1_900_000_000, metadata: { a: 'b' } },
      { rotated: { hash: 'the old one', untilSeconds: 1_900_000_000 } },
    );
    await registry.write(creation(full));
    const back = { rateLimitPerMinute: 0, rateLimitPerDay: 0, expiresAt: null, metadata: {} };
    const bare = { ...changed(full, back), credentials: { hash: 'another', rotated: undefined } };
    expect(await registry.write(replacement(full, bare))).toEqual({ kind: 'written' });
    expect(await registry.find(full.record.id)).toEqual(bare);
    const again = { ...changed(bare, { rateLimitPerDay: 3, expiresAt: 5 }), credentials: full.credentials };
    await registry.write(replacement(bare, again));
    expect(await registry.find(full.record.id)).toEqual(again);
  });

  test('an id that nobody has is found by nobody', async () => {
    expect(await get().registry.find(someId())).toBeUndefined();
  });
}

function describeConflicts(get: () => KeysUnderTest): void {
  const rows = [
    { title: 'a creation of what exists', write: (now: StoredKey) => creation(keyOf({ id: now.record.id })) },
    {
      title: 'a change of what was changed since',
      write: (now: StoredKey) => {
        const before = { ...now, record: { ...now.record, version: now.record.version - 1 } };
        return replacement(before, changed(before, { name: 'mine', status: 'revoked' }));
      },
    },
    {
      title: 'a change of what never existed',
      write: () => {
        const before = keyOf();
        return replacement(before, changed(before, {}));
      },
    },
  ];
  test.each(rows)('$title is refused and leaves no trace', async ({ write }) => {
    const { registry } = get();
    const now = await change(registry, await create(registry), { rateLimitPerMinute: 3 });
    const audit = await registry.audit(1, 100);
    const refused = { ...write(now), once: { name: 'n', reply: 'r', seconds: 60 } };
    expect(await registry.write(refused)).toEqual({ kind: 'conflict' });
    expect(await registry.list(FIRST_PAGE)).toEqual({ items: [now], totalCount: 1 });
    expect(await registry.list({ ...FIRST_PAGE, sort: 'name' })).toEqual({ items: [now], totalCount: 1 });
    expect(await registry.list({ ...FIRST_PAGE, status: 'revoked' })).toEqual({ items: [], totalCount: 0 });
    expect(await registry.replyOf('n')).toBeUndefined();
    expect(await registry.audit(1, 100)).toEqual(audit);
  });

  test('of 50 writers at once exactly one changes each version', async () => {
    const { registry } = get();
    let now = await create(registry);
    for (let round = 0; round < 10; round++) {
      const writes = Array.from({ length: 50 }, (_, writer) =>
        replacement(now, changed(now, { name: `writer ${writer}`, rateLimitPerMinute: writer })),
      );
      const outcomes = await Promise.all(writes.map((write) => registry.write(write)));
      const winners = writes.filter((_, writer) => outcomes[writer]?.kind === 'written');
      expect(winners).toHaveLength(1);
      expect(outcomes.filter(({ kind }) => kind === 'conflict')).toHaveLength(49);
      now = winners[0]!.after;
      expect(await registry.find(now.record.id)).toEqual(now);
    }
    expect(now.record.version).toBe(11);
    expect(await registry.list({ ...FIRST_PAGE, sort: 'name' })).toEqual({ items: [now], totalCount: 1 });
  });

  test('of 50 creations of one id at once exactly one is made', async () => {
    const { registry } = get();
    const id = someId();
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, writer) => registry.write(creation(keyOf({ id, name: `writer ${writer}` })))),
    );
    expect(outcomes.filter(({ kind }) => kind === 'written')).toHaveLength(1);
    expect((await registry.list({ ...FIRST_PAGE, sort: 'name' })).totalCount).toBe(1);
  });
}

function describeOnce(get: () => KeysUnderTest): void {
  const once = (reply: string, seconds = 60) => ({ name: 'the name', reply, seconds });

  test('a reply is remembered by its name, and a write of that name is not made again', async () => {
    const { registry } = get();
    const first = keyOf();
    expect(await registry.replyOf('the name')).toBeUndefined();
    expect(await registry.write(creation(first, once('first')))).toEqual({ kind: 'written' });
    expect(await registry.replyOf('the name')).toBe('first');
    for (const write of [creation(first, once('again')), creation(keyOf(), once('another'))]) {
      expect(await registry.write(write)).toEqual({ kind: 'repeated', reply: 'first' });
    }
    expect(await registry.list(FIRST_PAGE)).toEqual({ items: [first], totalCount: 1 });
    expect((await registry.audit(1, 100)).totalCount).toBe(1);
  });

  test('a write without a name is remembered by none', async () => {
    const { registry } = get();
    await create(registry);
    expect(await registry.replyOf('')).toBeUndefined();
  });

  test('an empty reply is remembered, too', async () => {
    const { registry } = get();
    await registry.write(creation(keyOf(), once('')));
    expect(await registry.write(creation(keyOf(), once('another')))).toEqual({ kind: 'repeated', reply: '' });
  });

  test('a reply is remembered for its time and no longer', async () => {
    const { registry, pass } = get();
    await registry.write(creation(keyOf(), once('first', 60)));
    await registry.write(creation(keyOf(), { ...once('longer', 600), name: 'longer' }));
    await pass(59);
    expect(await registry.replyOf('the name')).toBe('first');
    await pass(1);
    expect(await registry.replyOf('the name')).toBeUndefined();
    expect(await registry.replyOf('longer')).toBe('longer');
    expect(await registry.write(creation(keyOf(), once('second', 60)))).toEqual({ kind: 'written' });
    await pass(59);
    expect(await registry.replyOf('the name')).toBe('second');
  });

  test('of 100 writes of one name at once one is made, and 99 are told its reply', async () => {
    const { registry } = get();
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, caller) => registry.write(creation(keyOf(), once(`reply ${caller}`)))),
    );
    const winner = outcomes.findIndex(({ kind }) => kind === 'written');
    const repeated = { kind: 'repeated', reply: `reply ${winner}` };
    expect(outcomes.toSpliced(winner, 1)).toEqual(Array.from({ length: 99 }, () => repeated));
    expect((await registry.list(FIRST_PAGE)).totalCount).toBe(1);
    expect((await registry.audit(1, 1)).totalCount).toBe(1);
  });
}
