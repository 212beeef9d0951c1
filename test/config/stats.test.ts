/** Where statistics go: nowhere by default, and to one place at most. */
import { describe, expect, test } from '@jest/globals';
import { EnvError, type Environment, readEnv } from '../../src/config/env.ts';
import { statsOf } from '../../src/config/stats.ts';

function sink(environment: Environment): unknown {
  return statsOf(readEnv(environment));
}

describe('a sink is named', () => {
  test.each<[environment: Environment, stats: object | undefined]>([
    [{}, undefined],
    [{ USE_STATSD: 'false' }, undefined],
    [{ USE_STATSD: 'true', DISABLE_STATS: 'true' }, undefined],
    [{ USE_STATSD: 'true', USE_PROMETHEUS: 'true', DISABLE_STATS: 'true' }, undefined],
    [
      { USE_STATSD: 'true' },
      { sink: 'statsd', host: 'localhost', port: 8_125, protocol: 'tcp', flushMillis: 10_000, extraTags: {} },
    ],
    [
      {
        USE_STATSD: 'true',
        STATSD_HOST: 'h',
        STATSD_PORT: '1',
        STATSD_PROTOCOL: 'UDP',
        STATS_FLUSH_INTERVAL: '1s',
        EXTRA_TAGS: 'a:b',
      },
      { sink: 'statsd', host: 'h', port: 1, protocol: 'udp', flushMillis: 1_000, extraTags: { a: 'b' } },
    ],
    [
      { USE_DOG_STATSD: 'true', STATSD_HOST: 'h' },
      { sink: 'dogstatsd', host: 'h', port: 8_125, flushMillis: 10_000, extraTags: {}, mogrifiers: [] },
    ],
    [
      { USE_PROMETHEUS: 'true' },
      {
        sink: 'prometheus',
        host: '',
        port: 9_090,
        path: '/metrics',
        responseTimeAsMilliseconds: false,
        extraTags: {},
      },
    ],
    [
      {
        USE_PROMETHEUS: 'true',
        PROMETHEUS_ADDR: '[::1]:9091',
        PROMETHEUS_PATH: '/m',
        PROMETHEUS_MAPPER_YAML: 'map.yaml',
        PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS: 'true',
      },
      {
        sink: 'prometheus',
        host: '::1',
        port: 9_091,
        path: '/m',
        mapperYamlPath: 'map.yaml',
        responseTimeAsMilliseconds: true,
        extraTags: {},
      },
    ],
  ])('by %j', (environment, stats) => {
    expect(sink(environment)).toEqual(stats);
  });
});

test('mogrifiers are read by the names that the list gives, in its order, as they are written', () => {
  const stats = sink({
    USE_DOG_STATSD: 'true',
    USE_DOG_STATSD_MOGRIFIERS: 'pool,HITS',
    DOG_STATSD_MOGRIFIER_HITS_PATTERN: '^ratelimit\\.(?P<domain>[^.]+)\\.hits$',
    DOG_STATSD_MOGRIFIER_HITS_NAME: 'ratelimit.hits',
    DOG_STATSD_MOGRIFIER_HITS_TAGS: 'domain:$1,kind:hits',
    DOG_STATSD_MOGRIFIER_POOL_PATTERN: '^pool$',
    DOG_STATSD_MOGRIFIER_POOL_NAME: 'p',
    DOG_STATSD_MOGRIFIER_OTHER_PATTERN: '(',
  });
  expect(stats).toMatchObject({
    mogrifiers: [
      { pattern: '^pool$', name: 'p', tags: {} },
      {
        pattern: '^ratelimit\\.(?P<domain>[^.]+)\\.hits$',
        name: 'ratelimit.hits',
        tags: { domain: '$1', kind: 'hits' },
      },
    ],
  });
});

describe('a mistake is refused by the name of its variable:', () => {
  test.each<[environment: Environment, message: string]>([
    [
      { USE_STATSD: '1', USE_PROMETHEUS: '1' },
      'USE_STATSD, USE_PROMETHEUS: Error: unable to use more than one stats sink at the same time',
    ],
    [
      { USE_STATSD: '1', USE_DOG_STATSD: '1' },
      'USE_STATSD, USE_DOG_STATSD: Error: unable to use more than one stats sink at the same time',
    ],
    [{ USE_PROMETHEUS: '1', PROMETHEUS_ADDR: '9090' }, "PROMETHEUS_ADDR: expected host:port or :port, got '9090'"],
    [{ USE_PROMETHEUS: '1', PROMETHEUS_ADDR: ':99999' }, "PROMETHEUS_ADDR: expected host:port or :port, got ':99999'"],
    [
      { USE_PROMETHEUS: '1', PROMETHEUS_PATH: 'metrics' },
      "PROMETHEUS_PATH: expected a path such as /metrics, got 'metrics'",
    ],
    [
      { USE_DOG_STATSD: '1', USE_DOG_STATSD_MOGRIFIERS: 'A' },
      'DOG_STATSD_MOGRIFIER_A_PATTERN: is required, since USE_DOG_STATSD_MOGRIFIERS names it',
    ],
    [
      { USE_DOG_STATSD: '1', USE_DOG_STATSD_MOGRIFIERS: 'A', DOG_STATSD_MOGRIFIER_A_PATTERN: 'x' },
      'DOG_STATSD_MOGRIFIER_A_NAME: is required, since USE_DOG_STATSD_MOGRIFIERS names it',
    ],
    [
      { USE_DOG_STATSD: '1', USE_DOG_STATSD_MOGRIFIERS: 'A', DOG_STATSD_MOGRIFIER_A_TAGS: 'x' },
      'DOG_STATSD_MOGRIFIER_A_TAGS: expected pairs such as name:value,name2:value2',
    ],
  ])('%j', (environment, message) => {
    expect(() => sink(environment)).toThrow(EnvError);
    expect(() => sink(environment)).toThrow(message);
  });
});
