/** grpc.health.v1: what gateways and Kubernetes ask before they send calls. */
import { createClient } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-node';
import * as grpc from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from '../../src/gen/grpc/health/v1/health_pb.ts';
import { HealthClient } from '../support/clients-health.ts';
import { postJson } from '../support/clients-http.ts';
import { GrpcPort } from '../support/grpc-port.ts';
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

describe('a server whose health goes and comes back', () => {
  let port: GrpcPort;
  let client: HealthClient;

  beforeEach(async () => {
    port = await GrpcPort.start();
    client = new HealthClient(`http://127.0.0.1:${port.port}`);
  });

  afterEach(async () => {
    client.close();
    await port.stop();
  });

  test('tells every watch each change, and keeps it open', async () => {
    const watches = SERVICES.map((service) => client.watch(service));
    for (let count = 1; count <= 5; count += 1) {
      await Promise.all(watches.map((watch) => watch.count(count)));
      port.health.setReason('redis', count % 2 === 1);
    }
    await Promise.all(watches.map((watch) => watch.count(6)));
    await port.stop();
    expect(await Promise.all(watches.map((watch) => watch.ended))).toEqual(SERVICES.map(() => 'OK'));
    const states = ['SERVING', 'NOT_SERVING', 'SERVING', 'NOT_SERVING', 'SERVING', 'NOT_SERVING'];
    expect(watches.map((watch) => watch.states)).toEqual(SERVICES.map(() => states));
  });

  test.each(SERVICES)('Check of "%s" is SERVING again only when no reason is left', async (service) => {
    const states: string[] = [];
    for (const [reason, present] of [
      ['no_configuration', true],
      ['redis', true],
      ['no_configuration', false],
      ['redis', false],
    ] as const) {
      port.health.setReason(reason, present);
      states.push(await client.check(service));
    }
    expect(states).toEqual(['NOT_SERVING', 'NOT_SERVING', 'NOT_SERVING', 'SERVING']);
  });

  test('a second reason is no second state, and an end in bad health is an end', async () => {
    port.health.setReason('redis', true);
    const watch = client.watch('ratelimit');
    await watch.count(1);
    port.health.setReason('no_configuration', true);
    await port.stop();
    expect(await watch.ended).toBe('OK');
    expect(watch.states).toEqual(['NOT_SERVING']);
  });
});
