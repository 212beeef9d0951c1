/** The page of Prometheus: the reference's metrics beside Headroom's own, read by a parser that is not ours. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import parseText from 'parse-prometheus-text-format';
import { createLogger } from '../../../src/observability/logger.ts';
import type { PrometheusConfig } from '../../../src/observability/stats/config.ts';
import { type Stats, startStats } from '../../../src/observability/stats/stats.ts';
import { freePort } from '../../support/ports.ts';
import { parsePrometheus, samplesOf, sampleValue } from '../prometheus-text.ts';
import { callOf, decisionOf } from './decisions.ts';
import { EXPECTED, POLICY, playScript } from './script.ts';
import { startReporting } from './service.ts';

const CONFIG: PrometheusConfig = {
  sink: 'prometheus',
  host: '127.0.0.1',
  port: 0,
  path: '/metrics',
  mapperYamlPath: undefined,
  responseTimeAsMilliseconds: false,
  extraTags: {},
};
const HITS = 'ratelimit_service_rate_limit_total_hits';

const ends: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const OWN_PAGE = async (): Promise<string> => '# TYPE own counter\nown 1\n';

async function started(config: Partial<PrometheusConfig> = {}, metricsText = OWN_PAGE): Promise<Stats> {
  const stats = await startStats({
    config: { ...CONFIG, ...config },
    nearLimitRatio: 0.8,
    log: createLogger({ level: 'error', format: 'json' }),
    metricsText,
  });
  ends.push(() => stats.shutdown());
  return stats;
}

async function page({ port }: Stats, path = '/metrics'): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  return response.text();
}

function count({ observer }: Stats, ...statsKeys: string[]): void {
  for (const statsKey of statsKeys) observer.decided(callOf('d'), decisionOf([statsKey]));
}

/** The parser cannot group histograms that have labels: their samples are read one by one. */
function parsedText(text: string) {
  return parseText(text.replaceAll(/^(# TYPE .*) histogram$/gm, '$1 untyped'));
}

/** Series by their labels, as the parser found them. */
function seriesOf(text: string, metric: string): Record<string, string> {
  const family = parsedText(text).find(({ name }) => name === metric);
  const rows = (family?.metrics ?? []).map(({ labels = {}, value = '' }) => [Object.values(labels).join(' '), value]);
  return Object.fromEntries(rows);
}

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

describe('PROMETHEUS_MAPPER_YAML', () => {
  function mapperFile(text: string): string {
    const folder = mkdtempSync(join(tmpdir(), 'headroom-mapper-'));
    ends.push(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'mapper.yaml'), text);
    return join(folder, 'mapper.yaml');
  }

  test('says what statistics are called, by globs and expressions, and which are left out', async () => {
    const mapperYamlPath = mapperFile(`
defaults:
  timer_type: histogram
  buckets: [0.5, 1]
mappings:
  - match: 'ratelimit\\.service\\.rate_limit\\.(.+)\\.(.+)\\.(over|near)_limit'
    match_type: regex
    name: limited
    labels: { domain: "$1", key: "\${2}", how: "$3" }
  - match: "ratelimit.service.rate_limit.*.*.total_hits"
    name: hits_of_$1
    help: "Hits\\\\ of a domain"
    labels: { key: "$2" }
  - match: "ratelimit.service.rate_limit.a.b.*.total_hits"
    name: of_domain_a_b
  - match: "ratelimit_server.*.response_time"
    match_metric_type: observer
    name: took
    labels: { method: "$1" }
  - match: "ratelimit_server.*.*"
    action: drop
`);
    const stats = await started({ mapperYamlPath });
    stats.observer.decided(callOf('d'), decisionOf(['d.k', 'd.l'], { hits: 3, used: 11 }));
    stats.observer.decided(callOf('a.b'), decisionOf(['a.b.k']));
    stats.onCall('ShouldRateLimit', 700);
    stats.policiesLoaded(true);
    const text = await page(stats);
    const metrics = Object.fromEntries(parsedText(text).map((family) => [family.name, family]));
    expect(metrics).toMatchObject({
      limited: {
        metrics: [
          { labels: { domain: 'd', key: 'k', how: 'over' }, value: '1' },
          { labels: { domain: 'd', key: 'k', how: 'near' }, value: '2' },
          { labels: { domain: 'd', key: 'l', how: 'over' }, value: '1' },
          { labels: { domain: 'd', key: 'l', how: 'near' }, value: '2' },
        ],
      },
      hits_of_d: { help: 'Hits\\ of a domain', metrics: [{ labels: { key: 'k' } }, { labels: { key: 'l' } }] },
      // A domain with dots is one part of a name, and so the first glob finds it.
      hits_of_a_b: { metrics: [{ labels: { key: 'k' } }] },
      took_bucket: {
        metrics: [{ value: '0' }, { labels: { le: '1' }, value: '1' }, { labels: { le: '+Inf' }, value: '1' }],
      },
      took_sum: { metrics: [{ labels: { method: 'ShouldRateLimit' }, value: '0.7' }] },
      ratelimit_service_config_load_success: { metrics: [{ value: '1' }] },
    });
    expect(Object.keys(metrics).filter((name) => name.includes('total_requests'))).toEqual([]);
  });

  test('takes no time to speak of for a name that is made to take it', async () => {
    const mapperYamlPath = mapperFile(`
mappings:
  - match: 'ratelimit\\.service\\.rate_limit\\.(.*)\\.(.*)\\.(.*)(\\..*)\\.near_limit'
    match_type: regex
    name: near
`);
    const stats = await started({ mapperYamlPath });
    const startedAt = performance.now();
    for (let index = 0; index < 20; index++) count(stats, `d.${'.'.repeat(900)}${index}`);
    await page(stats);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test.each<[what: string, text: string, message: string]>([
    ['is no YAML', 'mappings: [', 'mapper.yaml: '],
    ['has no mappings', '{}', 'mappings: '],
    ['asks for a summary', 'mappings: [{ match: a, name: b, timer_type: summary }]', 'summaries are not offered'],
    ['has a key that is not offered', 'mappings: [{ match: a, name: b, ttl: 1h }]', 'ttl'],
    ['has a mapping without a name', 'mappings: [{ match: a }]', 'mappings[0].name: is required'],
    ['has an expression that is none', 'mappings: [{ match: "(", match_type: regex, name: b }]', "'(' is no regular"],
    ['takes a name of our own', 'mappings: [{ match: a, name: headroom_policy_loads_total }]', "Headroom's own"],
    ['has the label of buckets', 'mappings: [{ match: a, name: b, labels: { le: c } }]', "a label's name, and not le"],
    ['has a label that is none', 'mappings: [{ match: a, name: b, labels: { a-b: c } }]', "a label's name"],
  ])('that %s is an error at start, which says where', async (_what, text, message) => {
    const error = await started({ mapperYamlPath: mapperFile(text) }).catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(message) });
    expect((error as Error).message).toMatch(/^PROMETHEUS_MAPPER_YAML: /);
  });

  test('cannot be used by a caller to make a metric of our own, or one without a name', async () => {
    const mapperYamlPath = mapperFile(`
mappings:
  - match: "ratelimit.service.rate_limit.*.domain_not_found"
    name: $1
`);
    const stats = await started({ mapperYamlPath });
    for (const requestedDomain of ['headroom_policy_loads_total', 'headroom.policy.loads', 'target_info', '', 'fine']) {
      stats.observer.decided(callOf(undefined, { requestedDomain }), decisionOf(['x']));
    }
    const metrics = [...parsePrometheus(await page(stats)).keys()];
    expect(metrics.filter((name) => !name.startsWith('ratelimit_service_config'))).toEqual([
      'ratelimit_service_rate_limit__domain_not_found',
      'fine',
      'own',
    ]);
  });

  test.each<[what: string, first: string]>([
    ['a counter beside a histogram', 'timer'],
    ['a histogram beside a counter', 'counter'],
  ])('cannot give one name to two metrics: %s is left out', async (_what, first) => {
    const mapperYamlPath = mapperFile(`
mappings:
  - { match: "ratelimit_server.*.response_time", name: x }
  - { match: "ratelimit.service.rate_limit.*.*.total_hits", name: x_count }
`);
    const stats = await started({ mapperYamlPath });
    const call = (): void => stats.onCall('ShouldRateLimit', 1);
    const hit = (): void => count(stats, 'd.k');
    for (const one of first === 'timer' ? [call, hit] : [hit, call]) {
      one();
      await page(stats);
    }
    const text = await page(stats);
    const lines = text.split('\n').filter((line) => line.startsWith('x_count'));
    expect(lines).toHaveLength(1);
    expect(text.includes('x_bucket')).toBe(first === 'timer');
  });

  test('leaves EXTRA_TAGS the labels that it does not give', async () => {
    const mapperYamlPath = mapperFile('mappings: [{ match: a, name: b, labels: { env: "$1" } }]');
    await expect(started({ mapperYamlPath, extraTags: { env: 'x' } })).rejects.toThrow('EXTRA_TAGS: env');
    await started({ mapperYamlPath, extraTags: { domain: 'x' } });
  });

  test('that is not there is an error at start', async () => {
    await expect(started({ mapperYamlPath: '/nowhere/mapper.yaml' })).rejects.toThrow(
      'PROMETHEUS_MAPPER_YAML: /nowhere',
    );
  });
});
