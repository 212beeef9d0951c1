/** Stopping by signal: gateways are told first, calls in flight are answered, and the end is clean and in time. */
import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { until } from '../support/children.ts';
import { HealthClient } from '../support/clients-health.ts';
import { http1 } from '../support/clients-http.ts';
import { grpcJsClient } from '../support/clients-rls.ts';
import { TestRedis } from '../support/redis.ts';
import { TestService } from '../support/service.ts';

const CALL = { domain: 'closient', descriptors: [{ entries: [{ key: 'api_key', value: 'csk_k' }] }] };

const services: TestService[] = [];

afterEach(async () => {
  // Frees what a failed test has left; a service that has ended stays as it is.
  await Promise.all(services.splice(0).map((service) => service.stop('SIGKILL')));
});

async function start(env: Record<string, string> = {}): Promise<TestService> {
  const service = await TestService.start(env);
  services.push(service);
  return service;
}

/** The names of what was logged, in order. */
function events(service: TestService): string[] {
  const lines = service.output.trim().split('\n');
  return lines.map((line) => (JSON.parse(line) as { '@message': string })['@message']);
}

describe('the process', () => {
  // A shell between would die of the signal itself: the status tells that Node got it.
  test.each<NodeJS.Signals>(['SIGTERM', 'SIGINT', 'SIGHUP'])(
    'gets %s, says so, and ends with status 0',
    async (signal) => {
      const service = await start();
      service.child.kill(signal);
      expect(await service.exited).toEqual({ code: 0, signal: null });
      await until('its last line is there', () => service.output.includes('"stopped"'));
      expect(events(service)).toEqual(['serving', 'stopping', 'stopped']);
      expect(service.output).toContain(`"signal":"${signal}"`);
    },
  );

  test('gets a signal in the very moment in which it says that it serves', async () => {
    const service = TestService.run(['serve']);
    services.push(service);
    service.child.stdout?.once('data', () => service.child.kill('SIGTERM'));
    expect(await service.exited).toEqual({ code: 0, signal: null });
  });

  test('ends in time with open watches and idle connections of every kind', async () => {
    const service = await start({ DRAIN_TIMEOUT: '60s' });
    const health = new HealthClient(service.grpc);
    const watches = ['', 'ratelimit', 'nobody'].map((name) => health.watch(name));
    await Promise.all(watches.map((watch) => watch.count(1)));
    const agent = new Agent({ keepAlive: true });
    await http1(`${service.http}/healthz`, { agent });
    const session = connectHttp2(service.grpc);
    session.on('error', () => undefined);
    await once(session, 'remoteSettings');
    service.child.kill('SIGTERM');
    const exit = await service.exited;
    const ends = await Promise.all(watches.map((watch) => watch.ended));
    agent.destroy();
    session.destroy();
    health.close();
    expect(exit).toEqual({ code: 0, signal: null });
    expect(ends).toEqual(['OK', 'OK', 'OK']);
    expect(watches.map((watch) => watch.states)).toEqual([
      ['SERVING', 'NOT_SERVING'],
      ['SERVING', 'NOT_SERVING'],
      ['SERVICE_UNKNOWN'],
    ]);
  });

  test('ends with status 0 after its drain time, though a request never ends', async () => {
    const service = await start({ DRAIN_TIMEOUT: '200ms' });
    const sockets = [service.httpPort, service.grpcPort].map((port) => connect(port, '127.0.0.1'));
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      await new Promise((resolve) =>
        socket.write('POST /json HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{', resolve),
      );
    }
    service.child.kill('SIGTERM');
    const exit = await service.exited;
    for (const socket of sockets) socket.destroy();
    expect(exit).toEqual({ code: 0, signal: null });
  });

  test('goes on taking calls for DRAIN_DELAY after it has told gateways to stop', async () => {
    const service = await start({ DRAIN_DELAY: '2s' });
    const health = new HealthClient(service.grpc);
    const watch = health.watch('');
    await watch.count(1);
    service.child.kill('SIGTERM');
    await watch.count(2);
    const client = grpcJsClient(service.grpc);
    const answer = await client.ask(CALL);
    client.close();
    health.close();
    expect(watch.states).toEqual(['SERVING', 'NOT_SERVING']);
    expect(answer.code).toBe('OK');
    expect(await service.exited).toEqual({ code: 0, signal: null });
  });
});

describe('a call in flight', () => {
  test('is answered after the signal: health goes down, the call ends, then the process', async () => {
    const redis = await TestRedis.start();
    const service = await start({ REDIS_URL: redis.socket, REDIS_OP_TIMEOUT: '10s', DRAIN_TIMEOUT: '20s' });
    const client = grpcJsClient(service.grpc);
    const health = new HealthClient(service.grpc);
    await until('Redis decides', () =>
      client.ask(CALL).then(
        () => true,
        () => false,
      ),
    );
    const watch = health.watch('');
    await watch.count(1);
    redis.freeze();
    const call = client.ask(CALL);
    // On the same connection: when this is answered, the call before it has arrived.
    expect(await health.check('')).toBe('SERVING');
    service.child.kill('SIGTERM');
    expect(await watch.ended).toBe('OK');
    expect(watch.states).toEqual(['SERVING', 'NOT_SERVING']);
    expect(service.child.exitCode).toBeNull();
    redis.thaw();
    const answer = await call;
    const exit = await service.exited;
    client.close();
    health.close();
    await redis.stop();
    expect(answer).toMatchObject({ code: 'OK', statuses: [{ code: 'OK' }] });
    expect(exit).toEqual({ code: 0, signal: null });
  });
});
