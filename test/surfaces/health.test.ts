/** grpc.health.v1: what gateways and Kubernetes ask before they send calls. */
import { createClient } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-node';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from '../../src/gen/grpc/health/v1/health_pb.ts';
import { HealthClient } from '../support/clients-health.ts';
import { postJson } from '../support/clients-http.ts';
import { type InProcess, startInProcess } from '../support/in-process.ts';

const POLICY = 'domain: doors\n';
const SERVICES = ['', 'ratelimit', 'envoy.service.ratelimit.v3.RateLimitService'];

describe('a server that wants calls', () => {
  let server: InProcess;
  let client: HealthClient;

  beforeAll(async () => {
    server = await startInProcess([POLICY]);
    client = new HealthClient(server.grpc);
  });

  afterAll(async () => {
    client.close();
    await server.stop();
  });

  test.each(SERVICES)('Check of "%s" is SERVING', async (service) => {
    expect(await client.check(service)).toBe('SERVING');
  });

  test.each(['nobody', 'RateLimit', 'envoy.service.ratelimit.v2.RateLimitService'])(
    'Check of "%s" is NOT_FOUND',
    async (service) => {
      await expect(client.check(service)).rejects.toMatchObject({
        code: grpc.status.NOT_FOUND,
        details: `unknown service ${service}`,
      });
    },
  );

  test.each(SERVICES)('Watch of "%s" tells SERVING at once', async (service) => {
    const watch = client.watch(service);
    await watch.count(1);
    watch.cancel();
    expect(watch.states).toEqual(['SERVING']);
    expect(await watch.ended).toBe('CANCELLED');
  });

  test('Watch of an unknown service tells SERVICE_UNKNOWN, and stays', async () => {
    const unknown = client.watch('nobody');
    await unknown.count(1);
    // Whoever was asked later has answered by now: the first stream would have ended, too.
    expect(await client.check('')).toBe('SERVING');
    unknown.cancel();
    expect(unknown.states).toEqual(['SERVICE_UNKNOWN']);
    expect(await unknown.ended).toBe('CANCELLED');
  });

  test('Check is answered to a bare POST, too', async () => {
    const { status, text } = await postJson(`${server.grpc}/grpc.health.v1.Health/Check`, { service: 'ratelimit' });
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({ status: 'SERVING' });
  });

  test('Check of an unknown service by a bare POST is 404 and says so', async () => {
    const { status, text } = await postJson(`${server.grpc}/grpc.health.v1.Health/Check`, { service: 'nobody' });
    expect(status).toBe(404);
    expect(JSON.parse(text)).toEqual({ code: 'not_found', message: 'unknown service nobody' });
  });
});

describe('a server that is asked to stop', () => {
  test('tells every watch NOT_SERVING, ends it, and stops', async () => {
    const server = await startInProcess([POLICY], { DRAIN_TIMEOUT: '60s' });
    const client = new HealthClient(server.grpc);
    const watches = SERVICES.map((service) => client.watch(service));
    await Promise.all(watches.map((watch) => watch.count(1)));
    const stopped = server.stop();
    const ends = await Promise.all(watches.map((watch) => watch.ended));
    await stopped;
    client.close();
    expect(ends).toEqual(['OK', 'OK', 'OK']);
    expect(watches.map((watch) => watch.states)).toEqual(SERVICES.map(() => ['SERVING', 'NOT_SERVING']));
  });

  test('ends the watch of an unknown service without another state', async () => {
    const server = await startInProcess([POLICY], { DRAIN_TIMEOUT: '60s' });
    const client = new HealthClient(server.grpc);
    const watch = client.watch('nobody');
    await watch.count(1);
    await server.stop();
    client.close();
    expect(await watch.ended).toBe('OK');
    expect(watch.states).toEqual(['SERVICE_UNKNOWN']);
  });

  test('tells a watch by gRPC-Web over HTTP/1.1, and ends it', async () => {
    const server = await startInProcess([POLICY]);
    const client = createClient(Health, createGrpcWebTransport({ baseUrl: server.grpc, httpVersion: '1.1' }));
    const states: number[] = [];
    let stopped: Promise<void> | undefined;
    for await (const { status } of client.watch({ service: '' })) {
      states.push(status);
      stopped ??= server.stop();
    }
    await stopped;
    expect(states).toEqual([ServingStatus.SERVING, ServingStatus.NOT_SERVING]);
  });

  test('answers Check with NOT_SERVING, and a new watch with its end, while it still takes calls', async () => {
    const server = await startInProcess([POLICY], { DRAIN_DELAY: '2s' });
    const client = new HealthClient(server.grpc);
    expect(await client.check('ratelimit')).toBe('SERVING');
    const stopped = server.stop();
    const watch = client.watch('ratelimit');
    const [state, end] = await Promise.all([client.check('ratelimit'), watch.ended]);
    await stopped;
    client.close();
    expect(state).toBe('NOT_SERVING');
    expect(end).toBe('OK');
    expect(watch.states).toEqual(['NOT_SERVING']);
  });
});
