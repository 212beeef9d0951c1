/** Statistics that fail on the way out: the process lives, the others are sent, and the log says so once. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { COMPLAINTS_MAX, Complaints } from '../../../src/observability/stats/complaints.ts';
import { GuardedSink } from '../../../src/observability/stats/guarded-sink.ts';
import { StatsRegistry } from '../../../src/observability/stats/registry.ts';
import { type Stats, startStats } from '../../../src/observability/stats/stats.ts';
import { statsObserver } from '../../../src/observability/stats/stats-observer.ts';
import { statsdForms } from '../../../src/observability/stats/statsd-lines.ts';
import { StatsdSink } from '../../../src/observability/stats/statsd-sink.ts';
import type { Log } from '../../../src/ports/log.ts';
import { until } from '../../support/children.ts';
import { UdpCollector } from './collector.ts';
import { callOf, decisionOf } from './decisions.ts';

const FLUSH_MILLIS = 5;

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function logTo(errors: unknown[]): Log {
  const ignore = (): void => undefined;
  return { debug: ignore, info: ignore, warn: ignore, error: (fields) => errors.push(fields) };
}

describe('a gauge that throws at every flush', () => {
  let errors: unknown[];
  let collector: UdpCollector;

  async function started(): Promise<Stats> {
    errors = [];
    collector = await new UdpCollector().listen();
    const stats = await startStats({
      config: {
        sink: 'statsd',
        host: '127.0.0.1',
        port: collector.port,
        protocol: 'udp',
        flushMillis: FLUSH_MILLIS,
        extraTags: {},
      },
      nearLimitRatio: 0.8,
      log: logTo(errors),
      metricsText: async () => '',
    });
    ends.push(
      () => collector.close(),
      () => stats.shutdown(),
    );
    return stats;
  }

  // Jest fails a test file with an unhandled rejection, as the process would end.
  test('ends nothing, keeps nothing else from being sent, and is told once', async () => {
    const stats = await started();
    let asked = 0;
    stats.localCache(() => {
      asked += 1;
      throw new TypeError('no such cache');
    });
    await until('it was asked by several flushes', () => asked > 50);
    stats.observer.decided(callOf('d'), decisionOf(['d.k']));
    await until('the counter arrived', () => collector.sum('ratelimit.service.rate_limit.d.k.total_hits') === 1);
    expect(errors).toEqual([{ what: 'a gauge', err: expect.objectContaining({ message: 'no such cache' }) }]);
  });
});

test('a name that cannot be sent costs no decision, and no other name', () => {
  const errors: unknown[] = [];
  const lines: string[] = [];
  const forms = statsdForms({});
  const sink = new StatsdSink(
    (name) => {
      if (name.full.includes('bad')) throw new RangeError('bad');
      return forms(name);
    },
    { send: (line) => lines.push(line) },
  );
  const registry = new StatsRegistry({
    sink: new GuardedSink(sink, new Complaints(logTo(errors)).failed),
    nearLimitRatio: 0.8,
  });
  const observer = statsObserver(registry);
  registry.called('bad', 1);
  // So many that some are dropped, and sent, in the turn of a decision.
  for (let index = 0; index < 10_100; index++) observer.decided(callOf('d'), decisionOf([`d.bad_${index}`]));
  observer.decided(callOf('d'), decisionOf(['d.good']));
  registry.flush();
  expect(lines).toContain('ratelimit.service.rate_limit.d.good.total_hits:1|c');
  expect(errors).toMatchObject([{ what: 'a timer' }, { what: 'a counter' }]);
});

test('kinds of failures that are told have a bound', () => {
  const errors: unknown[] = [];
  const { failed } = new Complaints(logTo(errors));
  for (let kind = 0; kind < 100; kind++) {
    for (let time = 0; time < 3; time++) failed('a flush', Object.assign(new Error(), { code: `E${kind}` }));
  }
  expect(errors).toHaveLength(COMPLAINTS_MAX);
});
