/** Mappings that operators write, in PROMETHEUS_MAPPER_YAML: what they make of names, and what they cannot do to the page. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { parsePrometheus } from '../prometheus-text.ts';
import { callOf, decisionOf } from './decisions.ts';
import { count, endAll, ends, page, parsedText, started } from './page.ts';

afterEach(endAll);

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

  test('as the documentation shows it drops the metrics of unknown domains, and leaves the others as they are', async () => {
    const document = readFileSync('docs/observability.md', 'utf8');
    const [, example = ''] = /```yaml\n(mappings:[\s\S]*?)```/.exec(document) ?? [];
    const mapped = await started({ mapperYamlPath: mapperFile(example) });
    const plain = await started();
    for (const stats of [mapped, plain]) {
      count(stats, 'd.k', 'd.k.l', 'd.k.l.m');
      stats.observer.refused(callOf('d'));
      stats.onCall('ShouldRateLimit', 1);
    }
    mapped.observer.decided(callOf(undefined, { requestedDomain: 'nobody.knows' }), decisionOf(['x']));
    expect((await page(mapped)).replaceAll(',key2=""', '')).toBe(await page(plain));
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
