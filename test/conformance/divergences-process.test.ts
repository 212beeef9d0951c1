/** Where a process of Headroom starts, listens, reports and ends otherwise than one of the reference, row by row. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/children.ts';
import { HealthClient } from '../support/clients-health.ts';
import { http1 } from '../support/clients-http.ts';
import { freePort } from '../support/ports.ts';
import { TestRedis } from '../support/redis.ts';
import { TestService } from '../support/service.ts';
import { type Files, ServiceUnderTest } from './service-under-test.ts';
import { FLUSH_MILLIS, StatsdServer } from './statsd-server.ts';

const TEST_MILLIS = 30_000;
// The built-in bound of names with statistics of their own.
const NAMES_MAX = 10_000;
const DETAILED: Files = {
  'config.yaml': [
    'domain: d',
    'descriptors:',
    '  - key: k',
    '    detailed_metric: true',
    '    rate_limit: { unit: hour, requests_per_unit: 3 }',
  ],
};

let redis: TestRedis;
beforeAll(async () => {
  redis = await TestRedis.start();
});
afterAll(async () => {
  await redis.stop();
});

const endings: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function start(env: Readonly<Record<string, string>> = {}): Promise<ServiceUnderTest> {
  const service = await ServiceUnderTest.start({ REDIS_URL: `127.0.0.1:${redis.port}`, ...env }, DETAILED);
  endings.push(() => service.stop());
  return service;
}

/** A process that is expected to end by itself. */
async function run(env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const service = TestService.run(['serve'], env);
  endings.push(() => service.stop('SIGKILL'));
  const { code } = await service.exited;
  // What is written last may arrive after the process is gone.
  await until('its output is there', () => service.output.trim() !== '');
  return { code, output: service.output };
}

const ask = ({ client }: ServiceUnderTest, value: string) =>
  client.call({ domain: 'd', descriptors: [{ entries: [['k', value]] }] });

describe('stopping', () => {
  test(
    'an open Watch ends, and the process with it, long before the grace time',
    async () => {
      const service = await start({ DRAIN_TIMEOUT: '60s' });
      const health = new HealthClient(service.process.grpc);
      endings.push(() => health.close());
      const watch = health.watch('ratelimit');
      await watch.count(1);
      service.process.child.kill('SIGTERM');
      expect(await service.process.exited).toEqual({ code: 0, signal: null });
      expect(await watch.ended).toBe('OK');
      expect(watch.states).toEqual(['SERVING', 'NOT_SERVING']);
    },
    TEST_MILLIS,
  );
});

describe('starting', () => {
  test.each(['PORT', 'GRPC_PORT', 'DEBUG_PORT'])(
    'a second instance on the same %s ends with an error that names it',
    async (variable) => {
      const { process } = await start();
      const ports = { PORT: process.httpPort, GRPC_PORT: process.grpcPort, DEBUG_PORT: process.debugPort };
      const port = String(ports[variable as keyof typeof ports]);
      const { code, output } = await run({ [variable]: port });
      expect(code).not.toBe(0);
      expect(output).toContain(port);
      expect(output).toMatch(/in use|EADDRINUSE/);
    },
    TEST_MILLIS,
  );

  test(
    'RUNTIME_WATCH_ROOT without RUNTIME_SUBDIRECTORY is an error, not a service without limits',
    async () => {
      const { code, output } = await run({
        POLICY_PATH: '',
        RUNTIME_ROOT: '/tmp',
        RUNTIME_WATCH_ROOT: 'true',
        RUNTIME_SUBDIRECTORY: '',
      });
      expect(code).toBe(1);
      expect(output).toContain('RUNTIME_SUBDIRECTORY');
    },
    TEST_MILLIS,
  );

  test(
    'memcached is refused by name',
    async () => {
      const { code, output } = await run({ BACKEND_TYPE: 'memcache' });
      expect(code).toBe(1);
      expect(output).toContain('BACKEND_TYPE');
      expect(output.trim().split('\n')).toHaveLength(1);
    },
    TEST_MILLIS,
  );
});

describe('the debug port', () => {
  test(
    'listens on 127.0.0.1 alone unless told otherwise, and has no profiler',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'headroom-debug-'));
      endings.push(() => rmSync(folder, { recursive: true }));
      writeFileSync(join(folder, 'config.yaml'), 'domain: d\n');
      const service = await TestService.start({ HOST: '0.0.0.0', DEBUG_HOST: '', POLICY_PATH: folder });
      endings.push(() => service.stop());
      // Every address of 127.0.0.0/8 reaches what listens on all interfaces.
      expect((await http1(`http://127.0.0.2:${service.httpPort}/healthcheck`)).status).toBe(200);
      await expect(http1(`http://127.0.0.2:${service.debugPort}/`)).rejects.toThrow(/ECONNREFUSED/);
      for (const profile of ['profile?seconds=1', 'heap', 'trace?seconds=1']) {
        const { headers } = await http1(`${service.debug}/debug/pprof/${profile}`);
        expect(headers['content-type']).not.toContain('octet-stream');
      }
    },
    TEST_MILLIS,
  );
});

describe('statistics', () => {
  test(
    'go nowhere unless a sink is named',
    async () => {
      let connections = 0;
      const collector = createServer((socket) => {
        connections += 1;
        socket.destroy();
      });
      const port = await freePort();
      await new Promise<void>((resolve) => collector.listen(port, '127.0.0.1', resolve));
      endings.push(() => void collector.close());
      const unnamed = { DISABLE_STATS: '', USE_STATSD: '', STATSD_HOST: '127.0.0.1', STATSD_PORT: String(port) };
      const service = await start({ ...unnamed, STATS_FLUSH_INTERVAL: `${FLUSH_MILLIS}ms` });
      await ask(service, 'v');
      await sleep(5 * FLUSH_MILLIS);
      expect(connections).toBe(0);
    },
    TEST_MILLIS,
  );

  test(
    'of detailed_metric are bounded, and what is dropped is counted',
    async () => {
      const statsd = await StatsdServer.start();
      endings.push(() => statsd.stop());
      const service = await start(statsd.environment);
      const beyond = 100;
      const perCall = 100;
      for (let from = 0; from < NAMES_MAX + beyond; from += perCall) {
        const descriptors = Array.from({ length: perCall }, (_, index) => ({
          entries: [['k', String(from + index)] as [string, string]],
        }));
        expect(await service.client.call({ domain: 'd', descriptors })).toMatchObject({ overall_code: 'OK' });
      }
      const total = (suffix: string) =>
        Object.entries(statsd.counters)
          .filter(([name]) => name.endsWith(suffix))
          .reduce((sum, [, value]) => sum + value, 0);
      await until('all hits have arrived', () => total('.total_hits') === NAMES_MAX + beyond);
      expect(total('limits_dropped')).toBe(beyond);
    },
    TEST_MILLIS,
  );

  test(
    'of latency are a histogram in seconds that tells calls of less than a millisecond apart',
    async () => {
      const port = await freePort();
      const service = await start({
        DISABLE_STATS: '',
        USE_STATSD: '',
        USE_PROMETHEUS: 'true',
        PROMETHEUS_ADDR: `127.0.0.1:${port}`,
      });
      for (let call = 0; call < 20; call += 1) await ask(service, String(call));
      const { text } = await http1(`http://127.0.0.1:${port}/metrics`);
      const series = text
        .split('\n')
        .filter(
          (line) => line.startsWith('ratelimit_service_response_time_seconds') && line.includes('ShouldRateLimit'),
        );
      const bounds = series.flatMap((line) => /_bucket\{.*le="([\d.e-]+)"/.exec(line)?.slice(1).map(Number) ?? []);
      expect(bounds.filter((bound) => bound < 0.001).length).toBeGreaterThan(2);
      const sum = Number(
        series
          .find((line) => line.includes('_sum'))
          ?.split(' ')
          .at(-1),
      );
      expect(sum).toBeGreaterThan(0);
      expect(sum).toBeLessThan(20);
    },
    TEST_MILLIS,
  );
});
