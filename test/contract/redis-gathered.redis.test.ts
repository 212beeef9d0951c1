/** Calls that are made in one turn of the event loop: Redis is asked for many at once, and each is answered as if it were alone. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MemoryStore } from '../../src/adapters/memory/memory-store.ts';
import type { RedisStore } from '../../src/adapters/redis/redis-store.ts';
import type { Hit } from '../../src/core/hit.ts';
import type { Taken } from '../../src/core/verdict.ts';
import { COST_MAX } from '../../src/core/window.ts';
import { countsOf } from '../core/build.ts';
import { TestRedis } from '../support/redis.ts';
import { anyCharging, anyDenies } from './any-charge.ts';
import { ManualClock } from './manual-clock.ts';
import { commandsDuring } from './redis-monitor.ts';
import { keyOf, openStore, pack } from './redis-under-test.ts';
import {
  hit,
  LENGTHS,
  look,
  planted,
  someone,
  storeSeconds,
  usedBefore,
  windowOfSeconds,
  windows,
} from './store-under-test.ts';

let redis: TestRedis;
let store: RedisStore;
beforeAll(async () => {
  redis = await TestRedis.start();
  store = await openStore(redis);
  // What is sent again, since its script is not known yet, takes effect behind the others.
  for (const limits of LIMITS) await store.take([hit(someone(), limits)]);
});
afterAll(async () => {
  await store.close();
  await redis.stop();
});

function takeAll(hits: readonly Hit[]): Promise<Taken[]> {
  return Promise.all(hits.map((one) => store.take([one])));
}

/** Of each script call of clients how many keys it names. */
async function keysDuring(action: () => Promise<unknown>): Promise<number[]> {
  const commands = await commandsDuring(redis, action);
  return commands.filter(({ byScript }) => !byScript).map(({ args }) => Number(args[2]));
}

const NAMES = ['x', 'y', 'z'];
const LETTERS = ['a', 'b', 'c', 'd'] as const;

interface Turn {
  readonly name: string;
  readonly limits: Hit['windows'];
  readonly cost: number;
  /** What must be left beyond it. */
  readonly spare: number;
  readonly charging: Hit['charging'];
  readonly denies: Hit['denies'];
}

const LIMITS = [
  windows({ a: 7, b: 9 }),
  windows({ a: 7, b: 9 }),
  windows({ a: 30, b: 40 }),
  windows({ c: 5 }),
  windows({ a: 4, b: 4_294_967_295, c: 8, d: 11 }),
];

/** Few different limits, so that many of a turn go together and most meet values that others have left. */
function turns(amount: fc.Arbitrary<number>): fc.Arbitrary<Turn[][]> {
  const one = fc.record({
    name: fc.constantFrom(...NAMES),
    limits: fc.constantFrom(...LIMITS),
    cost: amount,
    spare: fc.constantFrom(0, 0, 2),
    charging: anyCharging,
    denies: anyDenies,
  });
  return fc.array(fc.array(one, { minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 4 });
}

/** In which order a turn takes effect: limits that say the same together, where they come first, unless the charge is another. */
function inOrder(hits: readonly Hit[]): number[] {
  const batches: { readonly name: string; readonly charge: string; readonly places: number[] }[] = [];
  hits.forEach(({ windows: limits, cost, need, charging }, place) => {
    const name = JSON.stringify(limits);
    const charge = JSON.stringify([cost, need, charging === 'together']);
    const last = batches.findLast((batch) => batch.name === name);
    if (last?.charge === charge) last.places.push(place);
    else batches.push({ name, charge, places: [place] });
  });
  return batches.flatMap(({ places }) => places);
}

/** Runs each turn against Redis at once and against memory one by one, and compares the answers, and the bytes that are left. */
async function compare(all: readonly (readonly Turn[])[]): Promise<void> {
  const clock = new ManualClock(0);
  const memory = new MemoryStore({ clock, subjectsMax: 100 });
  const subjects = new Map(NAMES.map((name) => [name, someone()]));
  for (const turn of all) {
    const hits = turn.map(({ name, limits, cost, spare, ...rest }) =>
      hit(subjects.get(name) as string, limits, { cost, need: Math.min(Math.max(cost, 1) + spare, COST_MAX), ...rest }),
    );
    const taken = await takeAll(hits);
    for (const place of inOrder(hits)) {
      clock.seconds = taken[place]!.nowSeconds;
      expect(taken[place]).toEqual(await memory.take([hits[place]!]));
    }
  }
  for (const subject of subjects.values()) {
    const { found } = await memory.take([look(subject)]);
    const left = LETTERS.map((letter, index) => ({
      seconds: LENGTHS[letter],
      start: found[0]!.counts[2 * index]!,
      used: found[0]!.counts[2 * index + 1]!,
    })).filter(({ used }) => used > 0);
    expect(await redis.client.getBuffer(keyOf(subject))).toEqual(left.length === 0 ? null : pack(left));
  }
}

describe('random calls that are made at once get the answers, and leave the bytes, of calls one by one', () => {
  test('with small costs', async () => {
    await fc.assert(fc.asyncProperty(turns(fc.nat(3)), compare), { numRuns: 100, seed: 25 });
  });

  test('with costs of any size up to 2^53 - 1', async () => {
    const amount = fc.oneof(fc.nat(3), fc.constantFrom(COST_MAX, COST_MAX - 1, 2 ** 52), fc.nat(COST_MAX));
    await fc.assert(fc.asyncProperty(turns(amount), compare), { numRuns: 50, seed: 25 });
  });
});

describe('of calls that are made at once', () => {
  const limits = windows({ a: 9, b: 9 });
  const many = (count: number, rest: Partial<Hit> = {}): Hit[] =>
    Array.from({ length: count }, () => hit(someone(), limits, rest));

  test('those that are charged alike are one command, be their limits one object or not', async () => {
    const alike = [...many(20), ...Array.from({ length: 20 }, () => hit(someone(), windows({ a: 9, b: 9 })))];
    await takeAll(alike);
    expect(await keysDuring(() => takeAll(alike))).toEqual([40]);
  });

  test('each kind is one command: another max, another length, another cost, another way to charge', async () => {
    const kinds = [
      ...many(2),
      ...Array.from({ length: 3 }, () => hit(someone(), windows({ a: 9, b: 10 }))),
      ...Array.from({ length: 4 }, () => hit(someone(), windows({ a: 9, c: 9 }))),
      ...many(5, { cost: 2 }),
      ...many(6, { charging: 'always' }),
      ...many(7, { charging: 'stop', denies: 'jointly' }),
    ];
    await takeAll(kinds);
    expect((await keysDuring(() => takeAll(kinds))).toSorted((one, other) => one - other)).toEqual([2, 3, 4, 5, 13]);
  });

  test('so many are one command that Redis is kept from others for half a millisecond, no more', async () => {
    await takeAll(many(1));
    expect(await keysDuring(() => takeAll(many(300)))).toEqual([128, 128, 44]);
    const wide = Array.from({ length: 16 }, (_, index) => windowOfSeconds(LENGTHS.a + index, 9));
    await store.take([hit(someone(), wide)]);
    const crowd = Array.from({ length: 20 }, () => hit(someone(), wide));
    expect(await keysDuring(() => takeAll(crowd))).toEqual([16, 4]);
  });

  test('one whose value has other windows is in the same command, and they are kept', async () => {
    const hits = many(3);
    const now = await storeSeconds(store);
    const other = planted(now, 'c', 5);
    await redis.client.set(keyOf(hits[1]!.subject), pack([planted(now, 'a', 3), other]));
    await takeAll(many(1));
    let taken: Taken[] = [];
    expect(
      await keysDuring(async () => {
        taken = await takeAll([...hits, hits[1]!]);
      }),
    ).toEqual([4]);
    expect(taken.map((one) => countsOf(one).filter((_, index) => index % 2 === 1))).toEqual([
      [0, 0],
      [3, 0],
      [0, 0],
      [4, 1],
    ]);
    const value = await redis.client.getBuffer(keyOf(hits[1]!.subject));
    expect(value).toEqual(pack([planted(now, 'a', 5), planted(now, 'b', 2), other]));
  });

  test('one whose window starts later than now, since the clock stepped back, is charged in that window', async () => {
    const subject = someone();
    const now = await storeSeconds(store);
    const [later, earlier] = [planted(now, 'a', 3, 1), planted(now, 'b', 4)];
    await redis.client.set(keyOf(subject), pack([later, earlier]));
    await takeAll([...many(2), hit(subject, limits), hit(subject, limits)]);
    const value = await redis.client.getBuffer(keyOf(subject));
    expect(value).toEqual(
      pack([
        { ...later, used: 5 },
        { ...earlier, used: 6 },
      ]),
    );
  });

  test('one that finds a value of another type fails alone, however often it is named', async () => {
    const hits = many(5);
    const bad = hits[2]!;
    await redis.client.rpush(keyOf(bad.subject), 'somebody else');
    const outcomes = await Promise.allSettled([...hits, bad].map((one) => store.take([one])));
    expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual([true, true, false, true, true, false]);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual(
      [1, 2].map(() => ({
        status: 'rejected',
        reason: expect.objectContaining({ message: expect.stringMatching(/WRONGTYPE/) }),
      })),
    );
    expect(await redis.client.lrange(keyOf(bad.subject), 0, -1)).toEqual(['somebody else']);
    const looks = hits.filter((one) => one !== bad).map(({ subject }) => look(subject, windows({ a: 0 })));
    expect(await usedBefore(store, ...looks)).toEqual([1, 1, 1, 1]);
  });

  test('all fail where Redis has no room for any, and none is charged', async () => {
    const hits = many(5);
    await takeAll(many(1));
    await redis.client.config('SET', 'maxmemory', '1');
    const outcomes = await Promise.allSettled(hits.map((one) => store.take([one])));
    await redis.client.config('SET', 'maxmemory', '0');
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { message: expect.stringMatching(/OOM/) } });
    }
    expect(await usedBefore(store, ...hits.map(({ subject }) => look(subject, windows({ a: 0 }))))).toEqual([
      0, 0, 0, 0, 0,
    ]);
  });

  test('all fail that wait when the connection is lost', async () => {
    const own = await TestRedis.start();
    const lost = await openStore(own);
    own.freeze();
    const waiting = Promise.allSettled([...many(5), ...many(5, { cost: 2 })].map((one) => lost.take([one])));
    await own.kill();
    const outcomes = await waiting;
    expect(outcomes.map(({ status }) => status)).toEqual(outcomes.map(() => 'rejected'));
    await lost.close();
    await own.stop();
  });

  test('all are charged once, whichever the call that brings a script which Redis has forgotten', async () => {
    const [one, two] = [someone(), someone()];
    const wide = windows({ a: 1_000_000, b: 1_000_000 });
    for (let round = 0; round < 20; round++) {
      const turn = Array.from({ length: 300 }, (_, index) =>
        index % 3 === 0 ? hit(one, wide) : hit(two, windows({ c: 1_000_000 })),
      );
      await Promise.all([takeAll(turn), redis.client.script('FLUSH')]);
    }
    expect(await usedBefore(store, look(one, windows({ a: 0, b: 0 })), look(two, windows({ c: 0 })))).toEqual([
      2_000, 2_000, 4_000,
    ]);
  });
});

test.each([16, 17, 60])('a limit of %i windows is charged as any other, with an API key, too', async (count) => {
  const limits = Array.from({ length: count }, (_, index) => windowOfSeconds(LENGTHS.a + index, 9));
  const record = 'key_0123456789ac';
  await redis.client.hset(`test:hr:key:{${record}}`, { hash: 'its', until: 9_999_999_999 });
  const key = { hashes: ['its'], ownLimits: true, refusesInactive: true, unknown: undefined };
  for (const one of [hit(someone(), limits), { ...hit(someone(), limits), record, key }]) {
    await store.take([one]);
    expect(await usedBefore(store, one)).toEqual(limits.map(() => 1));
  }
});
