/** A second Redis for what is counted by the second: what goes there, and what calls over both leave behind. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { RedisConnection } from '../../src/adapters/redis/connect.ts';
import { Counters } from '../../src/adapters/redis/counters.ts';
import { RedisStore } from '../../src/adapters/redis/redis-store.ts';
import type { Hit } from '../../src/core/hit.ts';
import { until } from '../support/children.ts';
import { TestRedis } from '../support/redis.ts';
import { isConnected } from '../support/redis-connected.ts';
import { connectTo, keyOf, PREFIX, pack, underTest, unpack } from './redis-under-test.ts';
import { describeStore } from './store-contract.ts';
import { hit, isDenied, someone, windowOfSeconds, windows } from './store-under-test.ts';

let main: TestRedis;
let second: TestRedis;
let store: RedisStore;
/** For what tests write themselves. */
let planting: RedisConnection;
beforeAll(async () => {
  main = await TestRedis.start();
  second = await TestRedis.start();
  store = await open();
  planting = await connectTo(main);
});
beforeEach(async () => {
  await main.client.flushall();
  await second.client.flushall();
});
afterAll(async () => {
  await store.close();
  planting.close();
  await main.stop();
  await second.stop();
});

async function open(): Promise<RedisStore> {
  const options = { keyPrefix: PREFIX, expirationJitterMaxSeconds: 0 };
  return new RedisStore({ ...options, redis: await connectTo(main), perSecond: await connectTo(second) });
}

describeStore('Redis beside one for seconds', async () => ({ ...underTest(planting), store: await open() }));

const SECOND = windowOfSeconds(1, 99);
const MINUTE = windowOfSeconds(60, 99);

describe('who is counted', () => {
  test.each([
    { title: 'by the second alone', limits: [SECOND], there: 'second' },
    { title: 'by the minute', limits: [MINUTE], there: 'main' },
    { title: 'by both', limits: [SECOND, MINUTE], there: 'main' },
  ])('$title is in one of them: $there', async ({ limits, there }) => {
    const subject = someone();
    await store.take([hit(subject, limits)]);
    expect(await main.client.exists(keyOf(subject))).toBe(there === 'main' ? 1 : 0);
    expect(await second.client.exists(keyOf(subject))).toBe(there === 'second' ? 1 : 0);
  });

  test('by an API key with a record is beside the record', async () => {
    const record = 'key_0123456789ab';
    await main.client.hset(`${PREFIX}hr:key:{${record}}`, { hash: 'its', until: 9_999_999_999 });
    const key = { hashes: ['its'], ownLimits: true, refusesInactive: true, unknown: undefined };
    await store.take([{ ...hit(someone(), [SECOND]), record, key }]);
    expect(await main.client.keys(`*{${record}}:*`)).toHaveLength(1);
    expect(await second.client.dbsize()).toBe(0);
  });

  test('by what keys without a record share is in the same place, whether or not the key could have had one', async () => {
    const shared = { subject: someone(), windows: [SECOND] };
    const key = { hashes: ['any'], ownLimits: true, refusesInactive: true, unknown: shared };
    const wellFormed: Hit = { ...hit(someone(), [SECOND]), record: 'key_0123456789ab', key };
    const { found } = await store.take([wellFormed]);
    expect(found[0]).toMatchObject({ standing: 'unknown', windows: shared.windows });
    await store.take([hit(shared.subject, shared.windows)]);
    await store.take([wellFormed, hit(someone(), [MINUTE])]);
    const value = await second.client.getBuffer(keyOf(shared.subject));
    expect(value && unpack(value)).toHaveLength(1);
    expect(await main.client.exists(keyOf(shared.subject))).toBe(0);
  });
});

test('a key without a record costs one call where its shared counter is in the first Redis, too', async () => {
  const shared = { subject: someone(), windows: [MINUTE] };
  const key = { hashes: ['any'], ownLimits: true, refusesInactive: true, unknown: shared };
  const keyed = { ...hit(someone(), [MINUTE]), record: 'key_000000000000', key };
  const calls = async (): Promise<number> => {
    const stats = await main.client.info('commandstats');
    return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  };
  // The script may not be known yet.
  await store.take([keyed]);
  const before = await calls();
  expect((await store.take([keyed])).found[0]).toMatchObject({ standing: 'unknown', windows: shared.windows });
  expect((await calls()) - before).toBe(1);
  const value = await main.client.getBuffer(keyOf(shared.subject));
  expect(value && unpack(value)[0]?.used).toBe(2);
});

describe('a call over both', () => {
  test.each<{ title: string; hits: () => Hit[] }>([
    { title: 'the second', hits: () => [hit('m', [MINUTE]), hit('s', [windowOfSeconds(1, 0)])] },
    { title: 'the second, which comes first', hits: () => [hit('s', [windowOfSeconds(1, 0)]), hit('m', [MINUTE])] },
    { title: 'the minute', hits: () => [hit('s', [SECOND]), hit('m', [windowOfSeconds(60, 0)])] },
  ])('that $title denies charges neither', async ({ hits }) => {
    await main.client.set(keyOf('m'), pack([{ seconds: 60, start: 60, used: 3 }]));
    expect(await isDenied(store, ...hits())).toBe(true);
    const [minute, everySecond] = [await main.client.getBuffer(keyOf('m')), await second.client.getBuffer(keyOf('s'))];
    expect(minute && unpack(minute)[0]?.used).not.toBe(4);
    for (const value of [minute, everySecond]) {
      for (const { used, start } of value ? unpack(value) : []) expect(start === 60 ? 3 : 0).toBe(used);
    }
  });

  test('charges what is charged always in each, whatever the other says', async () => {
    const always = { charging: 'always' as const };
    const hits = [hit('s', [windowOfSeconds(1, 0)], always), hit('m', [MINUTE], always)];
    expect(await isDenied(store, ...hits)).toBe(true);
    for (const [redis, name] of [
      [main, 'm'],
      [second, 's'],
    ] as const) {
      expect(unpack((await redis.client.getBuffer(keyOf(name))) as Buffer)[0]?.used).toBe(1);
    }
  });

  test('that fails in one gives back what it charged in the other; what needs the other alone goes on', async () => {
    const own = await TestRedis.start();
    const options = { keyPrefix: PREFIX, expirationJitterMaxSeconds: 0 };
    const perSecond = await connectTo(own);
    const both = new RedisStore({ ...options, redis: await connectTo(main), perSecond });
    await both.take([hit('m', [MINUTE], { cost: 7 })]);
    await own.kill();
    await until('it is gone', () => !isConnected(perSecond));
    await expect(both.take([hit('m', [MINUTE]), hit('s', [SECOND])])).rejects.toThrow();
    await expect(both.probe()).rejects.toThrow();
    expect(await isDenied(both, hit('m', [MINUTE]))).toBe(false);
    const value = (await main.client.getBuffer(keyOf('m'))) as Buffer;
    expect([1, 8]).toContain(unpack(value)[0]?.used);
    await both.close();
    await own.stop();
  });
});

test('what is forgotten is forgotten in both', async () => {
  const subject = someone();
  for (const redis of [main, second]) await redis.client.set(keyOf(subject), pack([{ seconds: 1, start: 1, used: 3 }]));
  await store.forget([{ subject }]);
  expect(await main.client.exists(keyOf(subject))).toBe(0);
  expect(await second.client.exists(keyOf(subject))).toBe(0);
});

describe('a charge that is given back', () => {
  const { a: seconds } = { a: 1_000_000_000 };

  test.each([
    { title: 'comes off the window that it was made in', held: { start: 1_000_000_000, used: 9 }, left: 6 },
    { title: 'leaves no less than nothing', held: { start: 1_000_000_000, used: 2 }, left: 0 },
    { title: 'takes nothing from the window after it', held: { start: 2_000_000_000, used: 9 }, left: 9 },
  ])('$title', async ({ held, left }) => {
    const counters = new Counters({ redis: await connectTo(main), keyPrefix: PREFIX, expirationJitterMaxSeconds: 0 });
    const subject = someone();
    const other = { seconds: 1_500_000_000, start: 1_500_000_000, used: 5 };
    await main.client.set(keyOf(subject), pack([{ seconds, ...held }, other]), 'EX', 1_000);
    const target = { subject, windows: windows({ a: 10 }) };
    await counters.refund({ target, cost: 3, counts: [1_000_000_000, 0] });
    const value = (await main.client.getBuffer(keyOf(subject))) as Buffer;
    expect(unpack(value)).toEqual([{ seconds, ...held, used: left }, other]);
    expect(await main.client.ttl(keyOf(subject))).toBeGreaterThan(990);
    counters.close();
  });

  test('of somebody who is no longer counted stores nothing', async () => {
    const counters = new Counters({ redis: await connectTo(main), keyPrefix: PREFIX, expirationJitterMaxSeconds: 0 });
    const target = { subject: someone(), windows: windows({ a: 10 }) };
    await counters.refund({ target, cost: 3, counts: [1_000_000_000, 0] });
    expect(await main.client.exists(keyOf(target.subject))).toBe(0);
    counters.close();
  });
});
