/** The whole service by its variables: with a Cluster, with Sentinels, and with a second Redis for seconds. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/children.ts';
import { type InProcess, startInProcess } from '../support/in-process.ts';
import { TestRedis } from '../support/redis.ts';
import { TestCluster } from '../support/redis-cluster.ts';
import { TestSentinel } from '../support/redis-sentinel.ts';

const POLICY = `
domain: d
descriptors:
  - key: many
    limits: [{ requests: 1000, per: year }]
  - key: one
    limits: [{ requests: 1, per: year }]
  - key: rate
    rate_limit: { unit: second, requests_per_unit: 1000000 }
`;

let cluster: TestCluster;
let sentinel: TestSentinel;
let second: TestRedis;
beforeAll(async () => {
  cluster = await TestCluster.start(0);
  sentinel = await TestSentinel.start();
  second = await TestRedis.start();
}, 60_000);
afterAll(async () => {
  await cluster.stop();
  await sentinel.stop();
  await second.stop();
});

const listed = (endpoints: readonly { host: string; port: number }[]): string =>
  endpoints.map(({ host, port }) => `${host}:${port}`).join(',');

async function start(env: Readonly<Record<string, string>>): Promise<InProcess> {
  const service = await startInProcess([POLICY], { REDIS_OP_TIMEOUT: '2s', ...env });
  await until('it is ready', async () => (await fetch(`${service.http}/readyz`)).ok);
  return service;
}

async function check(service: InProcess, entries: readonly (readonly [string, string])[]): Promise<boolean> {
  const descriptors = entries.map(([key, value]) => ({ entries: [{ key, value }] }));
  const response = await fetch(`${service.http}/v1/check`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ domain: 'd', descriptors }),
  });
  return ((await response.json()) as { allowed: boolean }).allowed;
}

describe.each([
  { title: 'a Cluster', env: () => ({ REDIS_TYPE: 'cluster', REDIS_URL: listed(cluster.endpoints.slice(0, 2)) }) },
  {
    title: 'Sentinels',
    env: () => ({ REDIS_TYPE: 'sentinel', REDIS_URL: `${sentinel.master},${listed(sentinel.endpoints)}` }),
  },
  {
    title: 'a Cluster, and a second Redis',
    env: () => ({
      REDIS_TYPE: 'CLUSTER',
      REDIS_URL: listed(cluster.endpoints),
      REDIS_PERSECOND: 'true',
      REDIS_PERSECOND_URL: second.socket,
      CACHE_KEY_PREFIX: 'both:',
    }),
  },
])('with $title', ({ env }) => {
  test('a call over several subjects is charged all or none', async () => {
    const service = await start(env());
    const call: [string, string][] = [
      ['many', 'a'],
      ['many', 'b'],
      ['rate', 'c'],
      ['one', 'd'],
    ];
    expect([await check(service, call), await check(service, call)]).toEqual([true, false]);
    const usage = await Promise.all(
      ['a', 'b'].map(async (value) => {
        const body = JSON.stringify({
          domain: 'd',
          descriptors: [{ entries: [{ key: 'many', value }], hits_addend: 0 }],
        });
        const headers = { 'content-type': 'application/json' };
        const response = await fetch(`${service.http}/v1/check`, { method: 'POST', headers, body });
        return JSON.stringify(await response.json());
      }),
    );
    for (const text of usage) expect(text).toContain('"remaining":999');
    await service.stop();
  });
});

test('what is counted by the second is in the second Redis', async () => {
  // Keys may have ended since.
  expect(await second.client.info('commandstats')).toContain('cmdstat_eval');
});
