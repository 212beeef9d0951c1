/** A Cluster of three primaries promises what one server does, except that calls over several slots are not one step. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Cluster } from 'ioredis';
import type { RedisConnection } from '../../src/adapters/redis/connect.ts';
import { slotOf } from '../../src/adapters/redis/slot.ts';
import { connectWith, underTest } from '../contract/redis-under-test.ts';
import { describeStore } from '../contract/store-contract.ts';
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
