/** The page of Prometheus: the reference's metrics beside Headroom's own, read by a parser that is not ours. */
import { afterEach, describe, expect, test } from '@jest/globals';
import parseText from 'parse-prometheus-text-format';
import { freePort } from '../../support/ports.ts';
import { parsePrometheus, samplesOf, sampleValue } from '../prometheus-text.ts';
import { callOf, decisionOf } from './decisions.ts';
import { CONFIG, count, endAll, ends, HITS, page, parsedText, seriesOf, started } from './page.ts';
import { EXPECTED, POLICY, playScript } from './script.ts';
import { startReporting } from './service.ts';

afterEach(endAll);

describe('a fixed script of requests', () => {
  test('has the metrics and the labels of envoyproxy/ratelimit, beside those of Headroom', async () => {
    const service = await startReporting(POLICY, CONFIG);
    ends.push(() => service.stop());
    await playScript(service.grpc);
    const text = await page(service.stats);
    expect(seriesOf(text, HITS)).toEqual({
      'd k': '25',
      // What is behind the second key is not told: two limits are one series.
      'd one_two three': '4',
      'd address_10_0_0_1_80_x': '1',
      'd rehearsed': '3',
      'd several': '4',
    });
    expect(seriesOf(text, 'ratelimit_service_rate_limit_over_limit')).toEqual({
      'd k': '5',
      'd one_two three': '1',
      'd rehearsed': '1',
      'd several': '2',
    });
    expect(seriesOf(text, 'ratelimit_service_rate_limit_near_limit')).toEqual({
      'd k': '4',
      'd one_two three': '1',
      'd rehearsed': '1',
      'd several': '1',
    });
    expect(seriesOf(text, 'ratelimit_service_rate_limit_within_limit')['d one_two three']).toBe('3');
    expect(seriesOf(text, 'ratelimit_service_rate_limit_shadow_mode')).toEqual({ 'd rehearsed': '1' });
    expect(seriesOf(text, 'ratelimit_service_should_rate_limit_error')).toEqual({ service_error: '2' });
    expect(seriesOf(text, 'ratelimit_service_total_requests')).toEqual({ ShouldRateLimit: '15', Check: '1' });
    expect(seriesOf(text, 'ratelimit_service_config_load_success')).toEqual({ '': '1' });
    expect(seriesOf(text, 'ratelimit_service_rate_limit_unknown_a_domain_not_found')).toEqual({ '': '3' });
    expect(parsedText(text).map(({ name }) => name)).toContain('headroom_rate_limiting_decisions_total');
    expect(samplesOf(text, HITS, { domain: 'd', key1: 'one_two', key2: 'three' })).toHaveLength(1);
    const shown = samplesOf(text, HITS).reduce((sum, { value }) => sum + value, 0);
    const counted = Object.entries(EXPECTED).filter(([name]) => name.endsWith('total_hits'));
    expect(shown).toBe(counted.reduce((sum, [, value]) => sum + value, 0));
  });

  test('has a histogram of seconds that tells microseconds apart', async () => {
    const stats = await started();
    for (const millis of [0.02, 0.137, 3, 7_000]) stats.onCall('ShouldRateLimit', millis);
    const text = await page(stats);
    expect(seriesOf(text, 'ratelimit_service_response_time_seconds_count')).toEqual({ ShouldRateLimit: '4' });
    expect(parsePrometheus(text).get('ratelimit_service_response_time_seconds')).toMatchObject({ type: 'histogram' });
    const at = (le: string): number =>
      sampleValue(text, 'ratelimit_service_response_time_seconds_bucket', { le, grpc_method: 'ShouldRateLimit' });
    expect(['0.00001', '0.000025', '0.0001', '0.00025', '0.005', '5', '10', '+Inf'].map(at)).toEqual([
      0, 1, 1, 2, 3, 3, 4, 4,
    ]);
    expect(sampleValue(text, 'ratelimit_service_response_time_seconds_sum')).toBeCloseTo(7.003_157, 9);
  });

  test('has milliseconds in it where PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS asks for them', async () => {
    const stats = await started({ responseTimeAsMilliseconds: true });
    stats.onCall('ShouldRateLimit', 0.137);
    const text = await page(stats);
    expect(sampleValue(text, 'ratelimit_service_response_time_seconds_sum')).toBe(0.137);
    expect(sampleValue(text, 'ratelimit_service_response_time_seconds_bucket', { le: '0.25' })).toBe(1);
    expect(sampleValue(text, 'ratelimit_service_response_time_seconds_bucket', { le: '0.1' })).toBe(0);
  });
});

describe('what the reference has no labels for', () => {
  test('has its whole name for a metric', async () => {
    const stats = await started();
    stats.observer.decided(callOf('d'), decisionOf(['d.k-1.x'], { cached: true }));
    stats.pool('redis_pool').opened();
    const text = await page(stats);
    expect(sampleValue(text, 'ratelimit_service_rate_limit_d_k_1_x_over_limit_with_local_cache')).toBe(1);
    expect(sampleValue(text, 'ratelimit_redis_pool_cx_total')).toBe(1);
    const types = Object.fromEntries(parseText(text).map(({ name, type }) => [name, type]));
    expect(types).toMatchObject({ ratelimit_redis_pool_cx_active: 'GAUGE', ratelimit_redis_pool_cx_total: 'COUNTER' });
  });
});

describe('where the reference loses its labels', () => {
  test('a domain with dots is one label', async () => {
    const stats = await started();
    stats.observer.decided(callOf('api.example.com'), decisionOf(['api.example.com.k.l']));
    expect(samplesOf(await page(stats), HITS)).toMatchObject([
      { labels: { domain: 'api.example.com', key1: 'k', key2: 'l' } },
    ]);
  });

  test('domains whose names come to the same with their keys are counted apart', async () => {
    const stats = await started();
    for (const domain of ['a.b', 'a', 'a.b', 'a']) stats.observer.decided(callOf(domain), decisionOf(['a.b.c']));
    stats.observer.decided(callOf('a'), decisionOf(['a.b.c']));
    const text = await page(stats);
    expect(seriesOf(text, HITS)).toEqual({ 'a.b c': '2', 'a b c': '3' });
  });

  test('extra tags are labels', async () => {
    const stats = await started({ extraTags: { env: 'test', 'a.b': 'c"d' } });
    count(stats, 'd.k');
    const text = await page(stats);
    expect(samplesOf(text, HITS)).toMatchObject([{ labels: { env: 'test', a_b: 'c"d', domain: 'd', key1: 'k' } }]);
    stats.policiesLoaded(false);
    expect(samplesOf(await page(stats), 'ratelimit_service_config_load_error')).toMatchObject([
      { labels: { env: 'test', a_b: 'c"d' } },
    ]);
  });
});

describe('EXTRA_TAGS that would make a page that cannot be read are an error at start:', () => {
  test.each<[what: string, extraTags: Record<string, string>, reason: string]>([
    ['two of one name, once it is a label', { 'a.b': '1', 'a-b': '2' }, 'a-b: there are two tags for the label a_b'],
    ['le', { le: '1' }, 'le: the label le is reserved'],
    ['a name of Prometheus', { __name__: 'x' }, '__name__: the label __name__ is reserved'],
    ['a label of limits', { domain: 'x' }, 'domain: the label domain is used already'],
    ['a label of methods', { 'grpc.method': 'x' }, 'grpc.method: the label grpc_method is used already'],
    ['no name', { '': 'x' }, 'expected a name'],
  ])('%s', async (_what, extraTags, reason) => {
    const error = await started({ extraTags }).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(`EXTRA_TAGS: `) });
    expect((error as Error).message).toContain(reason);
  });
});

test('help says of each metric whose it is', async () => {
  const stats = await started();
  for (let index = 0; index <= 10_000; index++) count(stats, `d.k_${index}`);
  stats.onCall('ShouldRateLimit', 1);
  const text = await page(stats);
  expect(text).toContain('# HELP headroom_stats_limits_dropped_total Limits whose statistics were dropped');
  expect(text).toContain('# HELP ratelimit_service_response_time_seconds How long calls took');
});

describe('values that callers choose', () => {
  test('of any kind make a page that can be read', async () => {
    const stats = await started();
    const hostile = ['a"b', 'back\\slash', 'new\nline', '{brace}', 'comma,=', '漢字 😀', '\udcff', '|:', '\0'];
    count(stats, ...hostile.map((value) => `d.k_${value}`));
    for (const requestedDomain of hostile) {
      stats.observer.decided(callOf(undefined, { requestedDomain }), decisionOf(['x']));
    }
    const text = await page(stats);
    expect(new Set(parsedText(text).map(({ name }) => name))).toEqual(new Set(parsePrometheus(text).keys()));
    const keys = samplesOf(text, HITS).map(({ labels }) => labels.key1);
    expect(keys).toEqual([
      'k_a"b',
      'k_back\\slash',
      'k_new_line',
      'k_{brace}',
      'k_comma,=',
      'k_漢字 😀',
      'k_\ufffd',
      'k___',
      'k__',
    ]);
  });

  test('beyond 10,000 are forgotten, the least recent first, and what no page has shown is counted as other', async () => {
    const stats = await started();
    count(stats, 'd.first');
    expect(sampleValue(await page(stats), HITS, { key1: 'first' })).toBe(1);
    for (let index = 0; index < 20_000; index++) count(stats, `d.k_${index}`);
    const text = await page(stats);
    const series = samplesOf(text, HITS);
    expect(series).toHaveLength(10_001);
    expect(sampleValue(text, HITS, { key1: 'first' })).toBe(0);
    // 'first' was shown before it was forgotten.
    expect(sampleValue(text, HITS, { domain: 'other', key1: 'other' })).toBe(10_000);
    expect(series.reduce((sum, { value }) => sum + value, 0)).toBe(20_000);
    expect(sampleValue(text, 'headroom_stats_limits_dropped_total')).toBe(10_001);
  });

  test('that come while a page is written make no series twice', async () => {
    const stats = await started();
    for (let index = 0; index < 10_000; index++) count(stats, `d.k_${index}`);
    let made = 0;
    const busy = setInterval(() => {
      for (let name = 0; name < 50; name++) {
        made += 1;
        count(stats, `d.k_${made}`, `d.new_${made}`);
      }
    }, 0);
    // The strict reader throws where one comes twice.
    for (let scrape = 0; scrape < 3; scrape++) expect(samplesOf(await page(stats), HITS).length).toBeGreaterThan(0);
    clearInterval(busy);
    expect(made).toBeGreaterThan(0);
  });

  test('do not let a series that others share go back', async () => {
    const stats = await started();
    let shown = 0;
    for (let index = 0; index < 15_000; index++) {
      count(stats, `d.k.l.user_${index}`);
      if (index % 5_000 !== 0) continue;
      const value = sampleValue(await page(stats), HITS, { key1: 'k', key2: 'l' });
      expect(value).toBe(index + 1);
      expect(value).toBeGreaterThan(shown);
      shown = value;
    }
    expect(samplesOf(await page(stats), HITS)).toHaveLength(1);
  });
});

describe('the port', () => {
  test('has one page, at the path that is asked for', async () => {
    const stats = await started({ path: '/stats/prometheus' });
    expect(await page(stats, '/stats/prometheus?x=1')).toContain('own 1');
    const base = `http://127.0.0.1:${stats.port}`;
    expect((await fetch(`${base}/metrics`)).status).toBe(404);
    expect((await fetch(`${base}/stats/prometheus`, { method: 'POST' })).status).toBe(405);
  });

  test('answers HEAD without making a page', async () => {
    let pages = 0;
    const stats = await started({}, async () => {
      pages += 1;
      return '';
    });
    const { status, headers } = await fetch(`http://127.0.0.1:${stats.port}/metrics`, { method: 'HEAD' });
    expect([status, headers.get('content-type'), pages]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8', 0]);
  });

  test('that is in use is an error of the operator, and closed once it is stopped', async () => {
    const port = await freePort();
    const stats = await started({ port });
    const error = await started({ port }).catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: 'LISTEN_FAILED', message: expect.stringContaining('PROMETHEUS_ADDR') });
    await stats.shutdown();
    await expect(fetch(`http://127.0.0.1:${port}/metrics`)).rejects.toThrow();
  });
});
