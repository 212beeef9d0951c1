/** A Cluster of three primaries promises what one server does, except that calls over several slots are not one step. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Cluster } from 'ioredis';
import { MemoryStore } from '../../src/adapters/memory/memory-store.ts';
import type { RedisConnection } from '../../src/adapters/redis/connect.ts';
import { RedisStore } from '../../src/adapters/redis/redis-store.ts';
import { slotOf } from '../../src/adapters/redis/slot.ts';
import type { Hit } from '../../src/core/hit.ts';
import { anyCharging, anyDenies } from '../contract/any-charge.ts';
import { ManualClock } from '../contract/manual-clock.ts';
import { connectWith, PREFIX, underTest } from '../contract/redis-under-test.ts';
import { describeStore } from '../contract/store-contract.ts';
import { hit, look, someone, windows } from '../contract/store-under-test.ts';
import { TestCluster } from '../support/redis-cluster.ts';

let cluster: TestCluster;
let connection: RedisConnection;
beforeAll(async () => {
  cluster = await TestCluster.start(0);
  connection = await connectWith({ topology: { type: 'cluster', nodes: cluster.endpoints.slice(0, 1) } });
}, 60_000);
afterAll(async () => {
  connection.close();
  await cluster.stop();
});

describeStore('a Redis Cluster', async () =>
  underTest(await connectWith({ topology: { type: 'cluster', nodes: cluster.endpoints.slice(0, 1) } })),
);

describe('the slot of a key', () => {
  test.each(['a', 'hr:key:{key_0123456789ab}', '{}a', 'a{b', 'a}b{c}{d}', '{{a}}', 'été{ü}', '', 'x'.repeat(300)])(
    'is what Redis says: %j',
    async (key) => {
      expect(slotOf(key)).toBe(Number(await cluster.nodes[0]!.client.cluster('KEYSLOT', key)));
    },
  );

  test('is known to the client from the start for every one of them, so that nothing is redirected', () => {
    const { slots } = connection.client as Cluster;
    const owners = Array.from({ length: 16_384 }, (_, slot) => slots[slot]?.[0]);
    expect(new Set(owners).size).toBe(3);
    expect(owners).not.toContain(undefined);
  });
});

test('random calls over several slots get the answers of one step, and leave the same counts', async () => {
  const store = new RedisStore({ redis: connection, keyPrefix: PREFIX, expirationJitterMaxSeconds: 0 });
  const asked = fc.record({
    name: fc.nat(4),
    cost: fc.nat(4),
    charging: anyCharging,
    denies: anyDenies,
    a: fc.nat(9),
    b: fc.nat(9),
  });
  // A subject twice in one call meets its own charges: what of them stands then is the contract's matter.
  const call = fc.uniqueArray(asked, { selector: ({ name }) => name, minLength: 1, maxLength: 5 });
  const property = fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 20 }), async (calls) => {
    const clock = new ManualClock(0);
    const memory = new MemoryStore({ clock, subjectsMax: 100 });
    const subjects = Array.from({ length: 5 }, someone);
    const hitsOf = (one: (typeof calls)[number]): Hit[] =>
      one.map(({ name, a, b, ...rest }) => {
        return { ...hit(subjects[name] as string, windows({ a, b }), rest), need: Math.max(rest.cost, 1) };
      });
    for (const hits of [...calls.map(hitsOf), subjects.map((subject) => look(subject))]) {
      const taken = await store.take(hits);
      clock.seconds = taken.nowSeconds;
      expect(taken.found).toEqual((await memory.take(hits)).found);
    }
  });
  await fc.assert(property, { numRuns: 100 });
}, 30_000);

test('a user and a password are those of every node', async () => {
  const rules = ['SETUSER', 'headroom', 'reset', 'on', '>secret', '~*', '+@all'] as const;
  for (const { client } of cluster.nodes) await client.call('ACL', ...rules);
  const auth = { username: 'headroom', password: 'secret' };
  const redis = await connectWith({ topology: { type: 'cluster', nodes: cluster.endpoints }, auth });
  const store = new RedisStore({ redis, keyPrefix: '', expirationJitterMaxSeconds: 0 });
  await store.probe();
  await store.close();
});
