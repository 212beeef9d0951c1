/** take.lua and the memory store are two programs of one function: whatever they are asked, they answer alike. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MemoryStore } from '../../src/adapters/memory/memory-store.ts';
import type { RedisStore } from '../../src/adapters/redis/redis-store.ts';
import type { Hit } from '../../src/core/hit.ts';
import { COST_MAX } from '../../src/core/window.ts';
import { TestRedis } from '../support/redis.ts';
import { anyCharging, anyDenies } from './any-charge.ts';
import { ManualClock } from './manual-clock.ts';
import { openStore } from './redis-under-test.ts';
import { look, someone, windowOfSeconds } from './store-under-test.ts';

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

// Seconds end while the test runs and minutes may: the twin has Redis's own clock, so that is no matter.
const LENGTHS = [1, 60, 3_600, 86_400, 1_000_000_000];
const NAMES = ['x', 'y', 'z'];

interface Ask extends Omit<Hit, 'windows' | 'subject'> {
  readonly name: string;
  readonly maxes: readonly (readonly [seconds: number, max: number])[];
}

function asks(amount: fc.Arbitrary<number>): fc.Arbitrary<Ask> {
  const max = fc.oneof({ weight: 5, arbitrary: fc.nat(8) }, { weight: 1, arbitrary: fc.constant(4_294_967_295) });
  return fc
    .record({
      name: fc.constantFrom(...NAMES),
      maxes: windowsOf(max),
      amount,
      isRefund: fc.boolean(),
      charging: anyCharging,
      denies: anyDenies,
    })
    .map(({ amount: cost, isRefund, ...rest }) =>
      isRefund && cost > 0
        ? { ...rest, cost: -cost, need: -COST_MAX, charging: 'always' as const }
        : { ...rest, cost, need: Math.max(cost, 1) },
    );
}

/** Shortest first, as policies have them; few different shapes, so that a subject often meets one again. */
function windowsOf(max: fc.Arbitrary<number>): fc.Arbitrary<Ask['maxes']> {
  const shapes = [[60, 86_400], [60, 86_400], [60], [3_600, 1_000_000_000], [1, 60, 3_600], LENGTHS];
  return fc
    .tuple(fc.constantFrom(...shapes), fc.array(max, { minLength: LENGTHS.length, maxLength: LENGTHS.length }))
    .map(([shape, maxes]) => shape.map((seconds, index) => [seconds, maxes[index] as number] as const));
}

/** Runs the calls against both, Redis first, and compares every answer in full. */
async function compare(calls: readonly (readonly Ask[])[]): Promise<void> {
  const clock = new ManualClock(0);
  const memory = new MemoryStore({ clock, subjectsMax: 100 });
  const subjects = new Map(NAMES.map((name) => [name, someone()]));
  const subjectOf = (name: string): string => subjects.get(name) as string;
  const hitsOf = (call: readonly Ask[]): Hit[] =>
    call.map(({ name, maxes, ...rest }) => ({
      ...rest,
      subject: subjectOf(name),
      windows: maxes.map(([seconds, max]) => windowOfSeconds(seconds, max)),
    }));
  const everything = NAMES.map((name) =>
    look(
      subjectOf(name),
      LENGTHS.map((seconds) => windowOfSeconds(seconds, 0)),
    ),
  );
  for (const hits of [...calls.map(hitsOf), everything]) {
    const taken = await store.take(hits);
    clock.seconds = taken.nowSeconds;
    expect(taken).toEqual(await memory.take(hits));
  }
}

function calls(amount: fc.Arbitrary<number>): fc.Arbitrary<Ask[][]> {
  return fc.array(fc.array(asks(amount), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 25 });
}

test('random sequences of calls get the same answers from Redis as from memory', async () => {
  await fc.assert(fc.asyncProperty(calls(fc.nat(5)), compare), { numRuns: 150 });
});

test('so do costs of any size up to 2^53 - 1', async () => {
  const amount = fc.oneof(
    fc.nat(5),
    fc.integer({ min: 0, max: COST_MAX }),
    fc.nat(70).map((less) => COST_MAX - less),
  );
  await fc.assert(fc.asyncProperty(calls(amount), compare), { numRuns: 150 });
});
