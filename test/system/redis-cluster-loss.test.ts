/** What is told of a Redis Cluster that loses a node for good. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openRedis } from '../../src/adapters/redis/connect.ts';
import { until } from '../support/children.ts';
import { type ClusterNode, TestCluster } from '../support/redis-cluster.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start(0);
}, 60_000);
afterAll(() => cluster.stop());

test('a node that is lost is missed as long as it has slots, and no longer', async () => {
  const told: string[] = [];
  const redis = openRedis(
    {
      topology: { type: 'cluster', nodes: cluster.endpoints },
      dialTimeoutMillis: 1_000,
      startup: { initialMillis: 20, maxMillis: 50, maxElapsedMillis: 0 },
    },
    {
      onLost: () => told.push('lost'),
      onBack: () => told.push('back'),
      pool: {
        opened: () => undefined,
        closed: () => undefined,
        ready: () => told.push('ready'),
        unready: () => told.push('unready'),
      },
    },
  );
  await until('all are there', () => told.length === 3);
  const [lost, heir, other] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
  for (const { client } of [heir, other]) await client.config('SET', 'cluster-require-full-coverage', 'no');
  await cluster.kill(lost);
  await until('another map has come', () => told.filter((each) => each === 'lost').length > 0);
  expect(told.slice(3)).toEqual(['unready', 'lost']);
  await other.client.cluster('DELSLOTSRANGE', 0, 5_461);
  await heir.client.cluster('DELSLOTSRANGE', 0, 5_461);
  await heir.client.cluster('ADDSLOTSRANGE', 0, 5_461);
  await heir.client.cluster('BUMPEPOCH');
  for (const { client } of [heir, other]) await client.cluster('FORGET', lost.id);
  await until('nobody is missed', () => told.includes('back'), 15_000);
  expect(told.slice(3)).toEqual(['unready', 'lost', 'back']);
  redis.close();
}, 30_000);
