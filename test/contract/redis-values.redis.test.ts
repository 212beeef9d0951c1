/** take.lua against window.ts on stored values, where the clock is Redis's own: whatever time it is, the vectors are relative to it. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RedisStore } from '../../src/adapters/redis/redis-store.ts';
import { COST_MAX, fixedWindow, windowStart } from '../../src/core/window.ts';
import { countsOf } from '../core/build.ts';
import { TestRedis } from '../support/redis.ts';
import { keyOf, openStore, pack, unpack } from './redis-under-test.ts';
import {
  hit,
  look,
  type Planted,
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

async function recordsOf(subject: string): Promise<Planted[]> {
  return unpack((await redis.client.getBuffer(keyOf(subject))) ?? Buffer.alloc(0));
}

describe('a stored value', () => {
  test('is 16 bytes for each window: length, start and use, little-endian', async () => {
    const subject = someone();
    await store.take([hit(subject, windows({ a: 9, c: 9 }), { cost: 5 })]);
    const now = await storeSeconds(store);
    const bytes = (await redis.client.getBuffer(keyOf(subject))) as Buffer;
    expect(bytes).toHaveLength(32);
    const stored = await recordsOf(subject);
    expect(new Set(stored)).toEqual(new Set([planted(now, 'a', 5), planted(now, 'c', 5)]));
    expect(bytes).toEqual(pack(stored));
    // 1,000,000,000 and 2,000,000,000 by hand, so that no mistake in `pack` hides one in the script.
    expect([bytes.subarray(0, 4).toString('hex'), bytes.subarray(16, 20).toString('hex')].sort()).toEqual([
      '00943577',
      '00ca9a3b',
    ]);
  });

  test('has no room for windows that ended: they leave at the next charge', async () => {
    const subject = someone();
    const now = await storeSeconds(store);
    await redis.client.set(
      keyOf(subject),
      pack([planted(now, 'a', 7, -1), planted(now, 'c', 8), planted(now, 'b', 9, -1)]),
    );
    await store.take([hit(subject, windows({ d: 9 }))]);
    expect(new Set(await recordsOf(subject))).toEqual(new Set([planted(now, 'c', 8), planted(now, 'd', 1)]));
  });

  test('of another make is begun anew, whole records of it read as they are', async () => {
    const now = await storeSeconds(store);
    const good = pack([planted(now, 'a', 7)]);
    const rows: readonly (readonly [value: Buffer, used: number])[] = [
      [Buffer.alloc(0), 0],
      [Buffer.from('x'), 0],
      [Buffer.from('not a counter!!'), 0],
      [Buffer.concat([good, Buffer.from('trailing bytes!')]), 7],
      [good.subarray(0, 15), 0],
      [Buffer.alloc(64), 0],
    ];
    for (const [value, used] of rows) {
      const subject = someone();
      await redis.client.set(keyOf(subject), value);
      expect(await usedBefore(store, hit(subject, windows({ a: 9 })))).toEqual([used]);
      expect(await usedBefore(store, look(subject, windows({ a: 0 })))).toEqual([used + 1]);
    }
  });
});

describe('take.lua finds in a stored value what window.ts finds', () => {
  // Begins and ends years away from any run, and twice in the past.
  const LONG = 700_000_000;

  test.each([
    { title: 'the first second of the window of now', off: 0, stands: true },
    { title: 'a second before it', off: -1, stands: false },
    { title: 'the window before', off: -LONG, stands: false },
    { title: 'a second more than a window before', off: -LONG - 1, stands: false },
    { title: 'a second after the first', off: 1, stands: true },
    { title: 'the window after', off: LONG, stands: true },
    { title: 'windows after', off: 5 * LONG, stands: true },
  ])('from $title on', async ({ off, stands }) => {
    const subject = someone();
    const start = windowStart(await storeSeconds(store), LONG);
    const count = { start: start + off, used: 7 };
    await redis.client.set(keyOf(subject), pack([{ seconds: LONG, ...count }]));
    const taken = await store.take([hit(subject, [windowOfSeconds(LONG, 9)])]);
    const { nowSeconds } = taken;
    const counts = countsOf(taken);
    expect(counts).toEqual(stands ? [count.start, 7] : [start, 0]);
    const twin = fixedWindow.current(count, LONG, nowSeconds);
    expect(counts).toEqual([twin.start, twin.used]);
  });

  test('in any value, at any length and start', async () => {
    const seconds = fc.oneof(
      fc.constantFrom(1, 2, 60, 3_600, 86_400, 4_294_967_295),
      fc.integer({ min: 1, max: 4_294_967_295 }),
    );
    const off = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -(10 ** 9), max: 10 ** 9 }));
    const used = fc.oneof(fc.nat(10), fc.integer({ min: 0, max: 2 ** 52 }));
    const stored = fc.uniqueArray(fc.record({ seconds, off, used }), {
      selector: (each) => each.seconds,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(stored, fc.uniqueArray(seconds, { minLength: 1, maxLength: 3 }), async (records, others) => {
        const subject = someone();
        const now = await storeSeconds(store);
        const value = records.map((each) => ({ ...each, start: windowStart(now, each.seconds) + each.off }));
        const fitting = value.filter(({ start }) => start >= 0);
        await redis.client.set(keyOf(subject), pack(fitting));
        const lengths = [...new Set([...fitting.map((each) => each.seconds), ...others])].slice(0, 8);
        const ask = look(
          subject,
          lengths.map((length) => windowOfSeconds(length, 0)),
        );
        const taken = await store.take([ask]);
        const { nowSeconds } = taken;
        const counts = countsOf(taken);
        const expected = lengths.map((length) => {
          const count = fitting.find((each) => each.seconds === length);
          return fixedWindow.current(count, length, nowSeconds);
        });
        expect(counts).toEqual(expected.flatMap(({ start, used: count }) => [start, count]));
      }),
      { numRuns: 200 },
    );
  });
});

describe('a second on the clock of Redis', () => {
  test('is counted apart from the one before it: a window rolls over exactly at its end', async () => {
    const subject = someone();
    const second = [windowOfSeconds(1, 1_000_000)];
    const seen = new Map<number, number>();
    // Three seconds begin while it runs: enough for two roll-overs to be met by calls on either side.
    while (seen.size < 3) {
      const taken = await store.take([hit(subject, second)]);
      const { nowSeconds } = taken;
      const counts = countsOf(taken);
      const before = seen.get(nowSeconds) ?? 0;
      expect(counts).toEqual([nowSeconds, before]);
      seen.set(nowSeconds, before + 1);
    }
    expect(seen.size).toBe(3);
  });

  test('of a refund after the roll-over gives nothing back', async () => {
    const subject = someone();
    const second = [windowOfSeconds(1, 1_000_000)];
    const { nowSeconds: first } = await store.take([hit(subject, second, { cost: 5 })]);
    let found = [first, 5];
    while (found[0] === first) {
      found = countsOf(await store.take([look(subject, second)]));
    }
    expect(found[1]).toBe(0);
    const counts = countsOf(
      await store.take([
        hit(subject, second, { cost: -5, need: -COST_MAX, charging: 'always' }),
        look(subject, second),
      ]),
    );
    expect(counts[3]).toBe(0);
  });
});

test('forgetting the windows of one length leaves the expiry of the others', async () => {
  const subject = someone();
  const [short, long] = [windowOfSeconds(1_000, 9), windowOfSeconds(1_000_000_000, 9)];
  await store.take([hit(subject, [short, long])]);
  const before = await redis.client.pttl(keyOf(subject));
  await store.forget([{ subject }], 1_000);
  const after = await redis.client.pttl(keyOf(subject));
  expect(after).toBeLessThanOrEqual(before);
  expect(after).toBeGreaterThan(before - 60_000);
});
