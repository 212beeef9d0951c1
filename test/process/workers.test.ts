/** Several processes behind one address: they decide, are measured, and are told of as one service. */
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { Authority } from '../support/certificates.ts';
import { endChild, startChild, until } from '../support/children.ts';
import { http1 } from '../support/clients-http.ts';
import { EnvoyCalls } from '../support/envoy-calls.ts';
import { OtlpCollector } from '../support/otlp-collector.ts';
import { freePort } from '../support/ports.ts';
import { TestService } from '../support/service.ts';
import { LIMIT, sumOf, WorkersService } from '../support/workers.ts';

const DECISIONS = 'headroom_rate_limiting_decisions_total';

// Each test starts several processes, beside other tests.
jest.setTimeout(60_000);

let workers: WorkersService | undefined;

afterEach(async () => {
  await workers?.stop();
  workers = undefined;
});

async function start(env: Record<string, string> = {}): Promise<WorkersService> {
  workers = await WorkersService.start(env);
  return workers;
}

/** That there is no Redis is a warning, and no reason not to start. */
const QUIET = { LOG_LEVEL: 'error' };

/** Everything written, and the exit code. */
async function failed(env: Record<string, string>): Promise<{ output: string; code: number | null }> {
  const service = TestService.run(['serve'], { WORKERS: '2', REDIS_URL: '/nowhere/redis.sock', ...QUIET, ...env });
  const code = await new Promise<number | null>((resolve) => service.child.once('close', resolve));
  return { output: service.output, code };
}

test('one line says that all serve, and lines of workers alone name them', async () => {
  const service = await start();
  expect(service.logged('serving')).toEqual([
    expect.objectContaining({ workers: 2, httpPort: service.service.httpPort, grpcPort: service.service.grpcPort }),
  ]);
  expect(service.logged('serving')[0]).not.toHaveProperty('worker');
  await service.redis.kill();
  await until('both say that Redis is gone', () => service.logged(LOST).length === 2);
  expect(
    service
      .logged(LOST)
      .map(({ worker }) => worker)
      .sort(),
  ).toEqual([1, 2]);
  expect(service.childPids()).toHaveLength(2);
});

const LOST = 'the connection to Redis is lost, trying again';

test('one process forks nothing, and names no worker', async () => {
  const service = await start({ WORKERS: '1' });
  expect(service.childPids()).toEqual([]);
  expect(service.logged('serving')[0]).not.toHaveProperty('workers');
  expect(await service.metric('headroom_workers_reporting')).toBe(0);
});

describe('the debug port', () => {
  test('tells the metrics of all, and of one that is named what it says of itself', async () => {
    const service = await start();
    const { debug } = service.service;
    const stats = [1, 2].map(async (n) => JSON.parse((await http1(`${debug}/stats?worker=${n}`)).text));
    expect(await Promise.all(stats)).toMatchObject([{ worker: 1 }, { worker: 2 }]);
    expect(await service.metric('headroom_policy_loads_total')).toBe(2);
    expect(await service.metric('headroom_policy_loads_total', 2)).toBe(1);
    expect(await service.metric('headroom_workers_reporting')).toBe(2);
    const { text } = await http1(`${debug}/metrics`);
    expect(text.match(/^target_info\{/gm)).toHaveLength(1);
    expect((await http1(`${debug}/rlconfig`)).text).toContain(`closient.api_key: unit=YEAR requests_per_unit=${LIMIT}`);
    expect((await http1(`${debug}//`)).text).toContain('/rlconfig');
    expect((await http1(`${debug}/stats?worker=3`)).status).toBe(503);
    expect((await http1(`${debug}/metrics`, { method: 'POST', body: '{}' })).status).toBe(405);
    expect((await http1(`${debug}/metrics`, { headers: { host: 'elsewhere' } })).status).toBe(403);
  });

  test('profiles the worker that is named', async () => {
    const service = await start({ DEBUG_PROFILING: 'true' });
    const profile = `${service.service.debug}/debug/pprof/profile?seconds=1&worker=2`;
    const { status, text } = await http1(profile);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toHaveProperty('nodes');
  });
});

test("the reference's statistics for Prometheus are those of all workers", async () => {
  const port = await freePort();
  const service = await start({ USE_PROMETHEUS: 'true', PROMETHEUS_ADDR: `127.0.0.1:${port}` });
  const connections = await service.connect(4);
  await Promise.all(connections.map((connection) => connection.decide('csk_k')));
  const { text } = await http1(`http://127.0.0.1:${port}/metrics`);
  expect(sumOf(text, 'ratelimit_service_rate_limit_total_hits')).toBe(4);
  expect(sumOf(text, 'ratelimit_redis_pool_cx_active')).toBe(2);
  expect(sumOf(text, DECISIONS)).toBe(4);
  expect(sumOf(text, 'headroom_workers_reporting')).toBe(2);
});

test('what is pushed comes from instances of one, told apart by their numbers', async () => {
  const collector = await OtlpCollector.start();
  const service = await start({ ...collector.env, OTEL_RESOURCE_ATTRIBUTES: 'service.instance.id=pod-7' });
  const { text } = await http1(`${service.service.debug}/metrics`);
  expect(text).toContain('service_instance_id="pod-7"');
  const ids = new Set<unknown>();
  await until('both have sent something', () => {
    for (const { resource } of collector.metrics) ids.add(resource['service.instance.id']);
    return ids.size === 2;
  });
  await collector.stop();
  expect([...ids].toSorted()).toEqual(['pod-7-1', 'pod-7-2']);
});

describe('workers share', () => {
  test('a unix socket, also one that a dead process has left, by TLS', async () => {
    const authority = new Authority();
    const { certPath, keyPath } = authority.issue({ names: ['localhost'] });
    const path = join(authority.folder, 'grpc.sock');
    const script = `require('node:net').createServer().listen(${JSON.stringify(path)})`;
    const child = startChild(process.execPath, ['-e', script]);
    await until('the socket is there', () => existsSync(path));
    await endChild(child);
    const tls = { GRPC_SERVER_USE_TLS: 'true', GRPC_SERVER_TLS_CERT: certPath, GRPC_SERVER_TLS_KEY: keyPath };
    const service = await start({ ...tls, GRPC_UDS: path });
    for (let connection = 0; connection < 4; connection++) {
      const calls = await EnvoyCalls.open('https://localhost', { ca: authority.ca, path, servername: 'localhost' });
      expect(await calls.decide('csk_k')).toMatchObject({ grpcStatus: 0 });
      calls.close();
    }
    expect(Math.min(await service.metric(DECISIONS, 1), await service.metric(DECISIONS, 2))).toBe(2);
    await service.service.stop('SIGTERM');
    expect(existsSync(path)).toBe(false);
    authority.remove();
  });
});

describe('what keeps them from serving is said once, with exit code 1:', () => {
  let taken: Server | undefined;

  afterEach(() => {
    taken?.close();
  });

  test('counters in memory', async () => {
    expect(await failed({ REDIS_URL: '' })).toEqual({
      code: 1,
      output: 'headroom: WORKERS: 2 contradicts BACKEND_TYPE memory: each process would count for itself\n',
    });
  });

  test('a number of them that cannot be', async () => {
    expect(await failed({ WORKERS: '65' })).toEqual({
      code: 1,
      output: "headroom: WORKERS: expected an integer from 1 to 64, got '65'\n",
    });
  });

  test('no policy', async () => {
    const { code, output } = await failed({ POLICY_PATH: '/nowhere/policy.yaml' });
    expect(code).toBe(1);
    expect(output).toMatch(/^headroom: \/nowhere\/policy\.yaml: cannot read: .+\n$/);
  });

  test.each(['PORT', 'GRPC_PORT', 'DEBUG_PORT'])('%s in use', async (variable) => {
    const server = createServer();
    taken = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    expect(await failed({ [variable]: String(port) })).toEqual({
      code: 1,
      output: `headroom: cannot listen on 127.0.0.1:${port}: the port is in use\n`,
    });
  });

  test('a Redis that is not reached in the time that it was given', async () => {
    const { code, output } = await failed({ REDIS_STARTUP_MAX_ELAPSED_TIME: '1s' });
    expect(code).toBe(1);
    expect(output).toMatch(/^headroom: REDIS_STARTUP_MAX_ELAPSED_TIME: no connection to Redis within 1000 ms: .+\n$/);
  });
});
