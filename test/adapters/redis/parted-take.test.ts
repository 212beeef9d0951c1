/** In which order the parts of a call are asked, how often, and what is given back. Parts are stores in memory. */
import { beforeEach, expect, test } from '@jest/globals';
import { MemoryStore } from '../../../src/adapters/memory/memory-store.ts';
import { type Parts, takeInParts, takeRoaming } from '../../../src/adapters/redis/parted-take.ts';
import { verdictOf } from '../../../src/core/decision.ts';
import type { Hit } from '../../../src/core/hit.ts';
import type { StoredKey } from '../../../src/core/key-record.ts';
import { COST_MAX } from '../../../src/core/window.ts';
import { keyOf } from '../../contract/keys-under-test.ts';
import { ManualClock } from '../../contract/manual-clock.ts';
import { hit, look, usedBefore, windows } from '../../contract/store-under-test.ts';

const NOW = 1_800_000_000;
/** A subject's part is the number that it ends with. */
const partOf = ({ subject }: { subject: string }): number => Number(subject.at(-1));

let stored: StoredKey | undefined;
let store: MemoryStore;
let log: string[];
let broken: number | undefined;
beforeEach(() => {
  stored = undefined;
  log = [];
  broken = undefined;
  store = new MemoryStore({ clock: new ManualClock(NOW), subjectsMax: 100, keys: { stored: () => stored } });
});

const parts: Parts = {
  partOf,
  take: async (part, hits) => {
    log.push(`${part}: ${hits.map(({ cost }) => cost).join()}`);
    await Promise.resolve();
    if (part === broken) throw new Error('part is gone');
    const { found } = await store.take(hits);
    log.push(`${part} answers`);
    // Their clocks differ.
    return { nowSeconds: NOW + part, found };
  },
  refund: async (part, { target, cost }) => {
    log.push(`${part} gives back ${cost}`);
    await store.take([hit(target.subject, target.windows, { cost: -cost, need: -COST_MAX, charging: 'always' })]);
  },
};

const limits = (a: number) => windows({ a });
const always = { charging: 'always' as const };
const used = (...subjects: string[]): Promise<number[]> =>
  usedBefore(store, ...subjects.map((subject) => look(subject, windows({ a: 0 }))));

test('parts in which nothing can be taken back are asked at the same time, once each', async () => {
  const hits = [hit('x1', limits(9), always), hit('x2', limits(0), always), hit('y1', limits(9), always)];
  const { nowSeconds, found } = await takeInParts(hits, parts);
  expect(log).toEqual(['1: 1,1', '2: 1', '1 answers', '2 answers']);
  expect(verdictOf(hits, found).denied).toBe(true);
  expect(await used('x1', 'x2', 'y1')).toEqual([1, 1, 1]);
  expect(nowSeconds).toBe(NOW + 1);
});

test('parts that are charged together are asked one after the other, once each', async () => {
  await takeInParts([hit('x1', limits(9)), hit('x2', limits(9)), hit('x3', limits(9))], parts);
  expect(log).toEqual(['1: 1', '1 answers', '2: 1', '2 answers', '3: 1', '3 answers']);
});

test('what is known to be denied is read and not charged, and what was charged is given back', async () => {
  const hits = [hit('x1', limits(9), { cost: 2 }), hit('x2', limits(0)), hit('x3', limits(9)), hit('y1', limits(9))];
  const { found } = await takeInParts(hits, parts);
  expect(log.filter((line) => !line.includes('answers'))).toEqual([
    '1: 2,1',
    '2: 1',
    '3: 0',
    '1 gives back 2',
    '1 gives back 1',
  ]);
  expect(verdictOf(hits, found)).toMatchObject({ denied: true, outcomes: ['fits', 'over', 'fits', 'fits'] });
  expect(await used('x1', 'x2', 'x3', 'y1')).toEqual([0, 0, 0, 0]);
});

test('a denial by what is charged always keeps the others from being charged at all', async () => {
  await takeInParts([hit('x1', limits(9)), hit('x2', limits(0), always)], parts);
  expect(log.filter((line) => !line.includes('answers'))).toEqual(['2: 1', '1: 0']);
});

test('those that deny jointly, in several parts, deny when none of them fits, and not before', async () => {
  const joint = { denies: 'jointly' as const };
  const some = [hit('x1', limits(0), joint), hit('x2', limits(9), joint), hit('x3', limits(9))];
  expect(verdictOf(some, (await takeInParts(some, parts)).found).denied).toBe(false);
  expect(await used('x1', 'x2', 'x3')).toEqual([0, 1, 1]);
  const all = [hit('x3', limits(9)), hit('x1', limits(0), joint), hit('x2', limits(1), joint)];
  expect(verdictOf(all, (await takeInParts(all, parts)).found).denied).toBe(true);
  expect(await used('x1', 'x2', 'x3')).toEqual([0, 1, 1]);
});

test('those that stop each other, in several parts, are read before any is charged', async () => {
  const stop = { charging: 'stop' as const, denies: 'never' as const };
  await takeInParts([hit('x1', limits(9), stop), hit('x2', limits(0), stop)], parts);
  expect(log.filter((line) => !line.includes('answers'))).toEqual(['1: 0', '2: 0', '1: 0', '2: 1']);
  expect(await used('x1', 'x2')).toEqual([0, 1]);
});

test.each([
  { title: 'which it exceeds', max: 1 },
  { title: 'which it does not exceed', max: 2 },
])(
  'of a subject twice among those that stop each other, with a limit $title, one finds the charge of the other',
  async ({ max }) => {
    const stop = { charging: 'stop' as const, denies: 'never' as const };
    const twice = hit('x1', limits(max), stop);
    const apart = await takeInParts([twice, twice, hit('x2', limits(9), stop)], parts);
    const [sum, other] = await used('x1', 'x2');
    const other1 = hit('z1', limits(max), stop);
    const together = await store.take([other1, other1, hit('z2', limits(9), stop)]);
    expect(apart.found).toEqual(together.found);
    expect([sum, other]).toEqual(await used('z1', 'z2'));
  },
);

test('a part that fails fails the call, and what is known to be charged is given back', async () => {
  broken = 2;
  await expect(takeInParts([hit('x1', limits(9)), hit('x2', limits(9)), hit('x3', limits(9))], parts)).rejects.toThrow(
    'gone',
  );
  expect(log).toEqual(['1: 1', '1 answers', '2: 1', '1 gives back 1']);
  expect(await used('x1')).toEqual([0]);
});

const keyed = (): Hit => {
  const unknown = { subject: 'address 2', windows: limits(9) };
  const key = { hashes: ['its'], ownLimits: false, refusesInactive: true, unknown };
  return { ...hit('record 1', limits(9)), record: 'key_0123456789ab', key };
};

test('a key with a record costs one call; one without, where callers share a counter, a second one', async () => {
  stored = keyOf({ id: 'key_0123456789ab' }, { hash: 'its' });
  expect((await takeRoaming(keyed(), parts)).found[0]).toMatchObject({ standing: 'active' });
  expect(log).toEqual(['1: 1', '1 answers']);
  stored = undefined;
  expect(await takeRoaming(keyed(), parts)).toMatchObject({ nowSeconds: NOW + 2, found: [{ standing: 'unknown' }] });
  expect(await used('record 1', 'address 2')).toEqual([1, 1]);
});

test.each(['revoked', 'replaced'] as const)('a key that is %s is refused in one call', async (kind) => {
  stored = keyOf(kind === 'revoked' ? { status: 'revoked' } : {}, { hash: kind === 'revoked' ? 'its' : 'another' });
  const { found } = await takeRoaming(keyed(), parts);
  expect(found[0]?.windows).toEqual([]);
  expect(log).toEqual(['1: 1', '1 answers']);
});

test('a key without a record beside other hits is charged where it is shared, and given back when one denies', async () => {
  const hits = [keyed(), hit('x3', limits(0))];
  const { found } = await takeInParts(hits, parts);
  expect(found[0]).toMatchObject({ standing: 'unknown', counts: [1_000_000_000, 0] });
  expect(log.filter((line) => !line.includes('answers'))).toEqual(['1: 0', '2: 1', '3: 1', '2 gives back 1']);
  expect(await used('record 1', 'address 2', 'x3')).toEqual([0, 0, 0]);
});
