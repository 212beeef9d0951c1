/** Collectors that are away, come back, or never read: statistics wait within bounds, and nobody waits for them. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { createLogger } from '../../../src/observability/logger.ts';
import { type Stats, startStats } from '../../../src/observability/stats/stats.ts';
import { FLUSHES_WAITED_MAX, TcpTransport } from '../../../src/observability/stats/tcp.ts';
import { WAITING_BYTES_MAX } from '../../../src/observability/stats/transport.ts';
import { UdpTransport } from '../../../src/observability/stats/udp.ts';
import { until } from '../../support/children.ts';
import { freePort } from '../../support/ports.ts';
import { TcpCollector, UdpCollector } from './collector.ts';
import { callOf, decisionOf } from './decisions.ts';
import { FLUSH_NEVER } from './service.ts';

const HOST = '127.0.0.1';
const HITS = 'ratelimit.service.rate_limit.d.k.total_hits';
const AWAY = 'the collector of statistics cannot be reached, trying again';
const LOST = 'the collector of statistics does not take them: some are lost';
const BACK = 'the collector of statistics is back';
const QUIET = { host: HOST, onFailure: () => undefined, onAway: () => undefined, onBack: () => undefined };
const LINE = `${'x'.repeat(90)}:1|c`;

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function opened<T extends { close(): Promise<void> }>(collector: Promise<T>): Promise<T> {
  const open = await collector;
  ends.push(() => open.close());
  return open;
}

interface Started {
  readonly stats: Stats;
  readonly log: readonly string[];
}

async function started(port: number, protocol: 'tcp' | 'udp', host = HOST): Promise<Started> {
  const log: string[] = [];
  const stats = await startStats({
    config: { sink: 'statsd', host, port, protocol, flushMillis: FLUSH_NEVER, extraTags: {} },
    nearLimitRatio: 0.8,
    log: createLogger({ level: 'info', format: 'json' }, { write: (line) => log.push(line) }),
    metricsText: async () => '',
  });
  ends.push(() => stats.shutdown());
  return { stats, log };
}

function count({ observer }: Stats, requests: number): void {
  for (let request = 0; request < requests; request++) observer.decided(callOf('d'), decisionOf(['d.k']));
}

function messageOf(line: string): string {
  return JSON.parse(line)['@message'];
}

describe('over TCP', () => {
  test('a collector that is not there is told in the log, once, and what it missed for long is dropped', async () => {
    const port = await freePort();
    const { stats, log } = await started(port, 'tcp');
    count(stats, 100);
    for (let flush = 0; flush < FLUSHES_WAITED_MAX; flush++) stats.flush();
    expect(log.map(messageOf)).toEqual([AWAY]);
    count(stats, 3);
    stats.flush();
    const collector = await opened(new TcpCollector().listen(port));
    await until('the counts arrived', () => collector.sum(HITS) > 0);
    stats.flush();
    await until('what was dropped is counted', () => collector.sum('headroom.stats.lines_dropped') >= 2);
    expect(log.map(messageOf)).toEqual([AWAY, LOST, BACK]);
    expect(collector.sum(HITS)).toBe(3);
  });

  test('what was counted before the collector was there arrives once it is', async () => {
    const port = await freePort();
    const { stats } = await started(port, 'tcp');
    count(stats, 3);
    stats.flush();
    const collector = await opened(new TcpCollector().listen(port));
    await until('the counts arrived', () => collector.sum(HITS) === 3);
  });

  test('a collector that dies and comes back gets what was counted meanwhile', async () => {
    const first = await new TcpCollector().listen();
    const { stats, log } = await started(first.port, 'tcp');
    count(stats, 3);
    stats.flush();
    await until('the counts arrived', () => first.sum(HITS) === 3);
    await first.close();
    // Its end of the connection is noticed in the next turns: nothing more is written to a collector that is gone.
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    for (let flush = 0; flush < 5; flush++) {
      count(stats, 1);
      stats.flush();
    }
    const second = await opened(new TcpCollector().listen(first.port));
    await until('the counts arrived', () => second.sum(HITS) === 5);
    expect(second.connections).toBe(1);
    expect(log.map(messageOf)).toEqual([AWAY, BACK]);
  });

  test('a collector that never reads costs a bounded amount of memory, and what is lost is counted', async () => {
    const collector = await opened(new TcpCollector(false).listen());
    let dropped = 0;
    const transport = new TcpTransport({ ...QUIET, port: collector.port, onDropped: (lines) => (dropped += lines) });
    ends.push(() => transport.close());
    await until('it is connected', () => collector.connections === 1);
    // 50 MB, of which 8 MiB may wait here and a few in the system.
    for (let turn = 0; turn < 50; turn++) {
      for (let line = 0; line < 10_000; line++) transport.send(LINE);
      transport.flush();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const bytesTaken = (500_000 - dropped) * (LINE.length + 1);
    expect(bytesTaken).toBeGreaterThanOrEqual(WAITING_BYTES_MAX - 100_000);
    expect(bytesTaken).toBeLessThan(WAITING_BYTES_MAX + 12_000_000);
  });

  test('lines that are lost are told in the log once, and counted in a statistic once it can be sent', async () => {
    const port = await freePort();
    const { stats, log } = await started(port, 'tcp');
    // 20 MB, since a name may have nearly 1,000 characters.
    const long = 'x'.repeat(900);
    for (let index = 0; index < 10_000; index++)
      stats.observer.decided(callOf('d'), decisionOf([`d.k_${long}${index}`]));
    stats.flush();
    stats.flush();
    expect(log.map(messageOf).filter((message) => message !== AWAY)).toEqual([LOST]);
    const collector = await opened(new TcpCollector().listen(port));
    await until('the collector gets lines', () => collector.lines.length > 0);
    stats.flush();
    await until('the statistic arrived', () => collector.sum('headroom.stats.lines_dropped') > 5_000);
    // What arrived and what was dropped is all there was: two lines for every limit, and the registry's own few.
    const told = collector.lines.filter((line) => line.includes('.d.k_')).length;
    const all = told + collector.sum('headroom.stats.lines_dropped');
    expect(all).toBeGreaterThanOrEqual(20_000);
    expect(all).toBeLessThan(20_010);
  });

  test.each(['total_hits', 'within_limit'])('what is held at the end is sent: %s', async (stat) => {
    const collector = await opened(new TcpCollector().listen());
    const { stats } = await started(collector.port, 'tcp');
    for (let index = 0; index < 9_000; index++) stats.observer.decided(callOf('d'), decisionOf([`d.k_${index}`]));
    await stats.shutdown();
    await until('all arrived', () => collector.lines.filter((line) => line.includes(stat)).length === 9_000);
  });
});

describe('over UDP', () => {
  test('a collector that is away is no error, and gets what is sent from then on', async () => {
    const port = await freePort();
    const { stats } = await started(port, 'udp');
    count(stats, 3);
    stats.flush();
    const collector = await opened(new UdpCollector().listen(port));
    count(stats, 4);
    stats.flush();
    await until('the counts arrived', () => collector.sum(HITS) >= 4);
  });

  test('a name is looked up', async () => {
    const collector = await opened(new UdpCollector().listen());
    const { stats } = await started(collector.port, 'udp', 'localhost');
    count(stats, 4);
    stats.flush();
    await until('the counts arrived', () => collector.sum(HITS) === 4);
  });

  test('a name that nobody knows loses what is sent, and says so', async () => {
    let dropped = 0;
    const transport = new UdpTransport({
      ...QUIET,
      host: 'collector.invalid',
      port: 1,
      onDropped: (lines) => (dropped += lines),
    });
    for (let line = 0; line < 100; line++) transport.send(LINE);
    await transport.close();
    expect(dropped).toBe(100);
  });

  test('what waits to be sent is bounded', async () => {
    const collector = await opened(new UdpCollector().listen());
    let dropped = 0;
    const transport = new UdpTransport({ ...QUIET, port: collector.port, onDropped: (lines) => (dropped += lines) });
    for (let line = 0; line < 200_000; line++) transport.send(LINE);
    expect(dropped).toBeGreaterThan(50_000);
    await transport.close();
  });
});

describe('the end', () => {
  test.each<[what: string, reads: boolean]>([
    ['reads', true],
    ['never reads', false],
  ])('comes within two seconds though the collector %s', async (_what, reads) => {
    const collector = await opened(new TcpCollector(reads).listen());
    const { stats } = await started(collector.port, 'tcp');
    for (let index = 0; index < 50_000; index++) stats.observer.decided(callOf('d'), decisionOf([`d.k_${index}`]));
    const startedAt = performance.now();
    await stats.shutdown();
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test.each(['tcp', 'udp'] as const)('comes at once over %s though there is no collector', async (protocol) => {
    const { stats } = await started(await freePort(), protocol);
    count(stats, 1);
    const startedAt = performance.now();
    await stats.shutdown();
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});
