/** What limits hold while a primary that sentinels watch dies, or is replaced. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RedisConnection } from '../../src/adapters/redis/connect.ts';
import { RedisStore } from '../../src/adapters/redis/redis-store.ts';
import { connectWith, keyOf, PREFIX, unpack } from '../contract/redis-under-test.ts';
import { until } from '../support/children.ts';
import { type SentinelNode, TestSentinel } from '../support/redis-sentinel.ts';
import { SubjectLoad } from '../support/subject-load.ts';

const SUBJECTS = 200;
const LIMIT = 50;
const TIMEOUT_MILLIS = 100;

let sentinel: TestSentinel;
let connection: RedisConnection;
let load: SubjectLoad;
beforeAll(async () => {
  sentinel = await TestSentinel.start();
  // One that nobody answers at comes first.
  const sentinels = [{ host: '127.0.0.1', port: 1 }, ...sentinel.endpoints.slice(0, 1)];
  connection = await connectWith({ topology: { type: 'sentinel', master: sentinel.master, sentinels } });
  const store = new RedisStore({ redis: connection, keyPrefix: PREFIX, expirationJitterMaxSeconds: 0 });
  load = new SubjectLoad({ store, subjects: SUBJECTS, limit: LIMIT, timeoutMillis: TIMEOUT_MILLIS });
}, 60_000);
afterAll(async () => {
  await load.guard.close();
  await sentinel.stop();
});

async function usedAt({ client }: SentinelNode): Promise<number[]> {
  return Promise.all(
    load.admitted.map(async (_, index) => {
      const value = await client.getBuffer(keyOf(load.subject(index)));
      return value === null ? 0 : (unpack(value)[0]?.used ?? 0);
    }),
  );
}

test('a primary that is killed costs limits no more than the charges that its replica had not heard of', async () => {
  const [victim, heir] = sentinel.servers as [SentinelNode, SentinelNode];
  let isOver = false;
  const asking = load.askUntil(() => isOver, 20);
  await until('a quarter is used', () => load.decided > (SUBJECTS * LIMIT) / 4);
  await sentinel.kill(victim);
  const held = await usedAt(heir);
  const allowed = load.admitted.map((count, index) => LIMIT + Math.max(0, count - (held[index] as number)));
  await until('its replica has taken over', async () => (await sentinel.primary()) === heir, 30_000);
  const { decided } = load;
  await until('everything is decided again', () => load.decided > decided + 1_000, 30_000);
  isOver = true;
  await asking;
  await load.ask(SUBJECTS * LIMIT, 20);
  // The deadline at its longest, and what a busy machine may add.
  expect(load.slowestMillis).toBeLessThan(3 * TIMEOUT_MILLIS + 2_000);
  expect(load.admitted.filter((count, index) => count > (allowed[index] as number))).toEqual([]);
  expect(new Set(await usedAt(heir))).toEqual(new Set([LIMIT]));
}, 90_000);
