/** How Envoy learns which Headroom processes it may ask. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { until } from '../support/children.ts';
import { statusCounts } from '../support/envoy-client.ts';
import { startGateway, type TestGateway } from '../support/envoy-gateway.ts';
import { isDecided, SteadyLoad } from '../support/envoy-load.ts';
import { ROOT } from '../support/service.ts';

interface Compose {
  readonly services: { readonly headroom: { readonly environment: { readonly DRAIN_DELAY: string } } };
}

let gateway: TestGateway;

beforeAll(async () => {
  const compose = parse(readFileSync(`${ROOT}deploy/compose.yaml`, 'utf8')) as Compose;
  const { DRAIN_DELAY } = compose.services.headroom.environment;
  // Nothing here is about Redis, and so its delays are not to be seen.
  gateway = await startGateway({ services: 2, env: { DRAIN_DELAY, REDIS_OP_TIMEOUT: '5s' } });
}, 60_000);

afterAll(() => gateway?.stop());

test("every process passes Envoy's gRPC health check", async () => {
  const succeeded = async () => (await gateway.envoy.stats('cluster.headroom.health_check.')).get('success') ?? 0;
  await until('each was checked twice', async () => (await succeeded()) >= 4);
  expect((await gateway.envoy.headroomHosts()).map(({ healthy }) => healthy)).toEqual([true, true]);
});

test('a process that is told to stop is no longer asked before it goes: no request is left undecided', async () => {
  const [leaving, staying] = gateway.services;
  const load = await SteadyLoad.start(gateway);
  await leaving.stop('SIGTERM');
  const gone = load.replies.length;
  await until('requests were sent to the other one alone', () => load.replies.length >= gone + 200);
  await load.stop();
  expect(await leaving.exited).toEqual({ code: 0, signal: null });
  expect(load.unanswered).toBe(0);
  expect(load.replies.filter((reply) => !isDecided(reply)).map(({ status }) => status)).toEqual([]);
  expect(statusCounts(load.replies)).toEqual({ 200: load.replies.length });
  const hosts = await gateway.envoy.headroomHosts();
  expect(hosts.find(({ port }) => port === leaving.grpcPort)?.healthy).toBe(false);
  expect(hosts.find(({ port }) => port === staying?.grpcPort)?.healthy).toBe(true);
}, 60_000);
