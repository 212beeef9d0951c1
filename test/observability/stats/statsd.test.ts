/** Statistics on the wire: every name and number of a fixed script, over real sockets. */
import { afterEach, describe, expect, test } from '@jest/globals';
import type { StatsConfig } from '../../../src/observability/stats/config.ts';
import { until } from '../../support/children.ts';
import { parsed, type Received, TcpCollector, UdpCollector } from './collector.ts';
import { EXPECTED, POLICY, playScript } from './script.ts';
import { FLUSH_NEVER, type Reporting, startReporting } from './service.ts';

const TAGS = { region: 'eu.west:1', env: 'test' };
const HOST = '127.0.0.1';

let open: { close(): Promise<void> }[] = [];
let service: Reporting | undefined;

afterEach(async () => {
  await service?.stop();
  service = undefined;
  for (const collector of open) await collector.close();
  open = [];
});

async function opened<T extends { close(): Promise<void>; listen(): Promise<T> }>(collector: T): Promise<T> {
  open.push(collector);
  return collector.listen();
}

/** Plays the script, and stops the service: what it still held is sent then. */
async function report(config: StatsConfig): Promise<void> {
  service = await startReporting(POLICY, config);
  await playScript(service.grpc);
  service.stats.flush();
  await service.stop();
  service = undefined;
}

function tagged(tags: (name: string) => string): Record<string, number> {
  return Object.fromEntries(Object.entries(EXPECTED).map(([name, value]) => [tags(name), value]));
}

async function sumsOf(received: Received): Promise<Record<string, number>> {
  await until('all lines arrived', () => Object.keys(received.sums()).length >= Object.keys(EXPECTED).length);
  return received.sums();
}

describe('a fixed script of requests has the statistics of envoyproxy/ratelimit', () => {
  test('over statsd and TCP', async () => {
    const collector = await opened(new TcpCollector());
    const { port } = collector;
    await report({ sink: 'statsd', host: HOST, port, protocol: 'tcp', flushMillis: FLUSH_NEVER, extraTags: {} });
    expect(await sumsOf(collector)).toEqual(EXPECTED);
  });

  test('over statsd and UDP, in datagrams that no network cuts', async () => {
    const collector = await opened(new UdpCollector());
    const { port } = collector;
    await report({ sink: 'statsd', host: HOST, port, protocol: 'udp', flushMillis: FLUSH_NEVER, extraTags: {} });
    expect(await sumsOf(collector)).toEqual(EXPECTED);
    expect(Math.max(...collector.datagramBytes)).toBeLessThanOrEqual(1_432);
    expect(Math.max(...collector.datagramBytes)).toBeGreaterThan(1_000);
  });

  test('with extra tags behind each name, in order, their separators replaced', async () => {
    const collector = await opened(new TcpCollector());
    const { port } = collector;
    await report({ sink: 'statsd', host: HOST, port, protocol: 'tcp', flushMillis: FLUSH_NEVER, extraTags: TAGS });
    expect(await sumsOf(collector)).toEqual(tagged((name) => `${name}.__env=test.__region=eu_west_1`));
  });

  test('over DogStatsD, with real tags', async () => {
    const collector = await opened(new UdpCollector());
    const { port } = collector;
    await report({ sink: 'dogstatsd', host: HOST, port, flushMillis: FLUSH_NEVER, extraTags: TAGS, mogrifiers: [] });
    expect(await sumsOf(collector)).toEqual(tagged((name) => `${name}|#env:test,region:eu_west_1`));
  });

  test('over DogStatsD with a name turned into tags', async () => {
    const collector = await opened(new UdpCollector());
    const pattern = '^ratelimit\\.service\\.rate_limit\\.(.*)\\.(.*)\\.(.*)$';
    const mogrifier = { variable: 'TAG', pattern, name: 'rl.$3', tags: { domain: '$1', descriptor: '$2' } };
    const config = { host: HOST, port: collector.port, flushMillis: FLUSH_NEVER, extraTags: { env: 'test' } };
    await report({ ...config, sink: 'dogstatsd', mogrifiers: [mogrifier] });
    const sums = await sumsOf(collector);
    expect(sums['rl.total_hits|#env:test,domain:d,descriptor:k']).toBe(25);
    expect(sums['rl.total_hits|#env:test,domain:d.one_two.three,descriptor:five']).toBe(2);
    expect(sums['ratelimit.service.config_load_success|#env:test']).toBe(1);
  });
});

describe('the time of a call', () => {
  test('is one line for each call, in milliseconds with a fraction', async () => {
    const collector = await opened(new TcpCollector());
    const { port } = collector;
    await report({ sink: 'statsd', host: HOST, port, protocol: 'tcp', flushMillis: FLUSH_NEVER, extraTags: {} });
    await sumsOf(collector);
    const times = collector.timers('ratelimit_server.ShouldRateLimit.response_time');
    expect(times).toHaveLength(15);
    expect(times.some((millis) => !Number.isInteger(millis))).toBe(true);
    for (const millis of times) expect(millis).toBeGreaterThan(0);
  });
});

describe('counters', () => {
  test('are sent when they have changed, and not again', async () => {
    const collector = await opened(new TcpCollector());
    const { port } = collector;
    const config = { sink: 'statsd', host: HOST, port, protocol: 'tcp', extraTags: {} } as const;
    service = await startReporting(POLICY, { ...config, flushMillis: FLUSH_NEVER });
    await playScript(service.grpc);
    service.stats.flush();
    await sumsOf(collector);
    const before = collector.lines.length;
    service.stats.pool('redis_pool').opened();
    service.stats.flush();
    await until('the flush arrived', () => collector.lines.length >= before + 2);
    expect(collector.lines.slice(before)).toEqual([
      'ratelimit.redis_pool.cx_total:1|c',
      'ratelimit.redis_pool.cx_active:1|g',
    ]);
  });

  test('are sent by themselves, again and again', async () => {
    const collector = await opened(new TcpCollector());
    const { port } = collector;
    const config = { sink: 'statsd', host: HOST, port, protocol: 'tcp', extraTags: {} } as const;
    service = await startReporting(POLICY, { ...config, flushMillis: 20 });
    await playScript(service.grpc);
    expect(await sumsOf(collector)).toEqual(EXPECTED);
    await playScript(service.grpc);
    await until('they arrived, too', () => collector.sum('ratelimit.service.rate_limit.d.k.total_hits') === 50);
  });
});

describe('pools and the local cache', () => {
  test('have the names of envoyproxy/ratelimit', async () => {
    const collector = await opened(new TcpCollector());
    const { port } = collector;
    const config = { sink: 'statsd', host: HOST, port, protocol: 'tcp', extraTags: {} } as const;
    service = await startReporting(POLICY, { ...config, flushMillis: FLUSH_NEVER });
    const pool = service.stats.pool('redis_per_second_pool');
    for (let connection = 0; connection < 3; connection++) pool.opened();
    pool.closed();
    const cache = { evacuateCount: 1, expiredCount: 2, entryCount: 3, averageAccessTime: 4, hitCount: 5 };
    service.stats.localCache(() => ({ ...cache, missCount: 6, lookupCount: 7, overwriteCount: 8 }));
    service.stats.flush();
    await until('all arrived', () => collector.lines.length >= 12);
    expect(
      collector.lines
        .map(parsed)
        .map(({ name, value, type }) => `${name} ${value} ${type}`)
        .sort(),
    ).toEqual([
      'ratelimit.localcache.averageAccessTime 4 g',
      'ratelimit.localcache.entryCount 3 g',
      'ratelimit.localcache.evacuateCount 1 g',
      'ratelimit.localcache.expiredCount 2 g',
      'ratelimit.localcache.hitCount 5 g',
      'ratelimit.localcache.lookupCount 7 g',
      'ratelimit.localcache.missCount 6 g',
      'ratelimit.localcache.overwriteCount 8 g',
      'ratelimit.redis_per_second_pool.cx_active 2 g',
      'ratelimit.redis_per_second_pool.cx_local_close 1 c',
      'ratelimit.redis_per_second_pool.cx_total 3 c',
      'ratelimit.service.config_load_success 1 c',
    ]);
  });
});
