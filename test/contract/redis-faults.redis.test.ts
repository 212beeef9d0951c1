/** What happens to a Redis in service: forgotten scripts, stripped expiries, keys that somebody else wrote. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RedisStore } from '../../src/adapters/redis/redis-store.ts';
import type { Hit } from '../../src/core/hit.ts';
import { COST_MAX } from '../../src/core/window.ts';
import { countsOf } from '../core/build.ts';
import { TestRedis } from '../support/redis.ts';
import { keyOf, openStore } from './redis-under-test.ts';
import {
  hit,
  isDenied,
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
});
afterAll(async () => {
  await store.close();
  await redis.stop();
});

describe('a script that Redis has forgotten', () => {
  // One hit, all or nothing, takes another path through the script than any other call.
  test.each<{ title: string; rest: Partial<Hit>; beside: boolean }>([
    { title: 'of one hit', rest: {}, beside: false },
    { title: 'of one hit that is always charged', rest: { charging: 'always' }, beside: false },
    { title: 'of several hits', rest: {}, beside: true },
  ])('$title is sent again: under load nothing is lost and nothing charged twice', async ({ rest, beside }) => {
    const others = [await openStore(redis), await openStore(redis)];
    const stores = [store, ...others];
    const [subject, companion] = [someone(), someone()];
    const limits = windows({ a: 1_000_000, b: 1_000_000 });
    const hits = [hit(subject, limits, rest), ...(beside ? [hit(companion, limits)] : [])];
    let calls = 0;
    for (let round = 0; round < 40; round++) {
      const asked = stores.flatMap((each) => Array.from({ length: 10 }, () => each.take(hits)));
      calls += asked.length;
      await Promise.all([...asked, redis.client.script('FLUSH')]);
    }
    await Promise.all(others.map((each) => each.close()));
    expect(await usedBefore(store, look(subject, windows({ a: 0, b: 0 })))).toEqual([calls, calls]);
    if (beside) expect(await usedBefore(store, look(companion, windows({ a: 0 })))).toEqual([calls]);
  });
});

describe('an expiry', () => {
  const minuteAndDay = [windowOfSeconds(60, 100), windowOfSeconds(86_400, 100)];

  async function millisLeft(subject: string): Promise<number> {
    return redis.client.pttl(keyOf(subject));
  }

  test('that was stripped from a key heals at its next charge', async () => {
    for (const rest of [{}, { charging: 'always' }] as const) {
      const subject = someone();
      await store.take([hit(subject, minuteAndDay, rest)]);
      expect(await redis.client.persist(keyOf(subject))).toBe(1);
      expect(await millisLeft(subject)).toBe(-1);
      await store.take([hit(subject, minuteAndDay, rest)]);
      expect(await millisLeft(subject)).toBeGreaterThan(0);
    }
  });

  test('is there on all keys that are first charged together', async () => {
    const subjects = Array.from({ length: 8 }, someone);
    await Promise.all(subjects.map((subject) => store.take([hit(subject, minuteAndDay)])));
    for (const subject of subjects) expect(await millisLeft(subject)).toBeGreaterThan(0);
  });

  test('is written anew on all keys that are charged together when one of their windows has begun anew', async () => {
    const subjects = Array.from({ length: 8 }, someone);
    const nowSeconds = Math.floor((await redisMillis()) / 1_000);
    const value = Buffer.alloc(32);
    value.writeUInt32LE(60, 0);
    value.writeUIntLE(nowSeconds - (nowSeconds % 60) - 600, 4, 5);
    value.writeUInt32LE(86_400, 16);
    value.writeUIntLE(nowSeconds - (nowSeconds % 86_400), 20, 5);
    for (const subject of subjects) await redis.client.set(keyOf(subject), value);
    await Promise.all(subjects.map((subject) => store.take([hit(subject, minuteAndDay)])));
    for (const subject of subjects) expect(await millisLeft(subject)).toBeGreaterThan(0);
  });

  test('that was stripped from keys which are always charged together comes back, one by one', async () => {
    const subjects = Array.from({ length: 8 }, someone);
    const takeAll = () => Promise.all(subjects.map((subject) => store.take([hit(subject, minuteAndDay)])));
    const leftOf = () => Promise.all(subjects.map(millisLeft));
    await takeAll();
    for (const subject of subjects) await redis.client.persist(keyOf(subject));
    expect(await leftOf()).toEqual(subjects.map(() => -1));
    // By lot, one of eight in each call: that one is never drawn in so many is as likely as to guess a key.
    for (let round = 0; round < 700 && (await leftOf()).includes(-1); round++) await takeAll();
    expect(await leftOf()).not.toContain(-1);
  });

  test('is there after every kind of charge, not before the longest window ends, and no later than the jitter allows', async () => {
    const kinds: readonly Partial<Hit>[] = [
      {},
      { cost: 5 },
      { charging: 'always' },
      { charging: 'always', cost: 500 },
      { cost: -1, need: -COST_MAX, charging: 'always' },
      { denies: 'never' },
    ];
    for (const jitter of [0, 7, 300]) {
      const jittery = await openStore(redis, jitter);
      for (const kind of kinds) {
        const subject = someone();
        const counts = countsOf(await jittery.take([hit(subject, minuteAndDay, kind)]));
        const ends = Math.max((counts[0] as number) + 60, (counts[2] as number) + 86_400);
        const before = await redisMillis();
        const left = await millisLeft(subject);
        const after = await redisMillis();
        expect(left).toBeGreaterThan(0);
        expect(after + left).toBeGreaterThanOrEqual(ends * 1_000);
        // A script counts from the second in which it runs; the expiry from the millisecond.
        expect(before + left).toBeLessThan((ends + jitter + 1) * 1_000);
      }
      await jittery.close();
    }
  });

  test('covers the windows of other policies that the key holds, too', async () => {
    const subject = someone();
    await store.take([hit(subject, windows({ c: 9 }))]);
    await store.take([hit(subject, [windowOfSeconds(60, 9)])]);
    const end = planted(await storeSeconds(store), 'c', 0).start + LENGTHS.c;
    expect((await redisMillis()) + (await millisLeft(subject))).toBeGreaterThanOrEqual(end * 1_000 - 1_000);
    expect(await usedBefore(store, look(subject, windows({ c: 0 })))).toEqual([1]);
  });

  test('is spread by the jitter, so that subjects do not all vanish in one second', async () => {
    const jittery = await openStore(redis, 300);
    const subjects = Array.from({ length: 200 }, someone);
    for (const subject of subjects) await jittery.take([hit(subject, windows({ a: 9 }))]);
    await jittery.close();
    const seconds = await Promise.all(subjects.map(async (subject) => Math.floor((await millisLeft(subject)) / 1_000)));
    expect(new Set(seconds).size).toBeGreaterThan(20);
  });

  test('exists on every key that a load of mixed calls leaves behind', async () => {
    const subjects = Array.from({ length: 50 }, someone);
    const shapes = [windows({ a: 3 }), windows({ a: 3, b: 5 }), [windowOfSeconds(3_600, 2)], minuteAndDay];
    await Promise.all(
      Array.from({ length: 1_000 }, (_, index) => {
        const pick = (step: number) => subjects[(index * step) % subjects.length] as string;
        const limits = shapes[index % shapes.length] ?? [];
        const charging = index % 3 === 0 ? 'always' : 'together';
        return store.take([hit(pick(7), limits, { charging }), ...(index % 2 === 0 ? [] : [hit(pick(11), limits)])]);
      }),
    );
    const keys = await redis.client.keys('*');
    expect(keys.length).toBeGreaterThanOrEqual(50);
    const left = await Promise.all(keys.map((key) => redis.client.ttl(key)));
    expect(left.filter((seconds) => seconds < 0)).toEqual([]);
  });

  async function redisMillis(): Promise<number> {
    const [seconds, micros] = await redis.client.time();
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  }
});

describe('a key of another type', () => {
  test.each([
    { title: 'alone', hitsOf: (bad: string) => [hit(bad, windows({ a: 9 }))] },
    { title: 'always charged', hitsOf: (bad: string) => [hit(bad, windows({ a: 9 }), { charging: 'always' })] },
    { title: 'read by a peek', hitsOf: (bad: string) => [hit(bad, windows({ a: 9 }), { cost: 0, need: 1 })] },
  ])('fails as an error and stays as it is: $title', async ({ hitsOf }) => {
    const bad = someone();
    await redis.client.rpush(keyOf(bad), 'somebody else');
    await expect(store.take(hitsOf(bad))).rejects.toThrow('WRONGTYPE');
    expect(await redis.client.lrange(keyOf(bad), 0, -1)).toEqual(['somebody else']);
  });

  test('fails the whole call, and charges neither the subject before it nor the one after', async () => {
    const [first, bad, last] = [someone(), someone(), someone()];
    const limits = windows({ a: 9 });
    await redis.client.rpush(keyOf(bad), 'somebody else');
    await store.take([hit(first, limits, { cost: 3 })]);
    const value = await redis.client.getBuffer(keyOf(first));
    const always = { charging: 'always' } as const;
    await expect(
      store.take([hit(first, limits, always), hit(bad, limits, always), hit(last, limits, always)]),
    ).rejects.toThrow('WRONGTYPE');
    expect(await redis.client.getBuffer(keyOf(first))).toEqual(value);
    expect(await redis.client.exists(keyOf(last))).toBe(0);
  });

  test('does not keep others from being counted', async () => {
    const subject = someone();
    expect(await isDenied(store, hit(subject, windows({ a: 1 })))).toBe(false);
    expect(await isDenied(store, hit(subject, windows({ a: 1 })))).toBe(true);
  });
});

test('a call as large as requests may be is one charge, whatever the number of its windows', async () => {
  const limits = Array.from({ length: 16 }, (_, index) => windowOfSeconds(LENGTHS.a + index, 9));
  const subjects = Array.from({ length: 4_096 }, someone);
  const counts = countsOf(await store.take(subjects.map((subject) => hit(subject, limits))));
  expect(counts).toHaveLength(4_096 * 16 * 2);
  expect(await usedBefore(store, look(subjects.at(-1) as string, limits))).toEqual(limits.map(() => 1));
});
