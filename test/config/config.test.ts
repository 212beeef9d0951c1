/** toConfig: defaults are filled in, contradictions refused by the name of their variable, and secrets never repeated. */
import { describe, expect, test } from '@jest/globals';
import { type Config, toConfig } from '../../src/config/config.ts';
import { EnvError, type Environment, readEnv } from '../../src/config/env.ts';

function configOf(environment: Environment): Config {
  return toConfig(readEnv({ POLICY_PATH: 'p.yaml', ...environment }));
}

function messageOf(environment: Environment): string {
  try {
    configOf(environment);
  } catch (error) {
    expect(error).toBeInstanceOf(EnvError);
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

test('workers count in Redis', () => {
  expect(configOf({ WORKERS: '64', REDIS_URL: 'redis.example' }).workers).toBe(64);
  const refusal = 'WORKERS: 2 contradicts BACKEND_TYPE memory: each process would count for itself';
  expect(messageOf({ WORKERS: '2' })).toBe(refusal);
  expect(messageOf({ WORKERS: '2', BACKEND_TYPE: 'memory' })).toBe(refusal);
  for (const none of ['0', '65', '1.5'])
    expect(messageOf({ WORKERS: none })).toBe(`WORKERS: expected an integer from 1 to 64, got '${none}'`);
});

describe('the defaults', () => {
  test('are those of the reference, with memory counters and a debug port that only this machine sees', () => {
    expect(configOf({})).toEqual({
      http: { host: '0.0.0.0', port: 8080 },
      grpc: {
        transport: 'lean',
        listen: { host: '0.0.0.0', port: 8081 },
        maxConnectionAgeMillis: 86_400_000,
        maxConnectionAgeGraceMillis: 3_600_000,
      },
      debug: { host: '127.0.0.1', port: 6070, profiling: false },
      workers: 1,
      log: { level: 'warn', format: 'text' },
      policies: {
        source: { type: 'path', path: 'p.yaml' },
        mergeDomains: false,
        startWithoutPolicies: false,
        healthNeedsPolicies: false,
      },
      store: { type: 'memory', subjectsMax: 1_000_000 },
      storeTimeoutMillis: 100,
      deciding: {
        nearLimitRatio: 0.8,
        localCacheBytes: 0,
        stopWhenOver: false,
        shadowMode: false,
        quotaMode: false,
        dynamicMetadata: false,
        responseHeaders: undefined,
      },
      apiKeyHash: { secret: undefined, previousSecret: undefined },
      adminTokens: [],
      stats: undefined,
      drainDelayMillis: 0,
      drainTimeoutMillis: 10_000,
    });
  });

  test('of a Redis are its own port, no prefix and a jitter of five minutes', () => {
    expect(configOf({ REDIS_URL: 'redis.example' }).store).toEqual({
      type: 'redis',
      redis: {
        topology: { type: 'single', endpoint: { host: 'redis.example', port: 6_379 } },
        dialTimeoutMillis: 10_000,
        startup: { initialMillis: 100, maxMillis: 500, maxElapsedMillis: 0 },
      },
      perSecond: undefined,
      keyPrefix: '',
      expirationJitterMaxSeconds: 300,
      healthNeedsConnection: false,
    });
  });

  test('stand in for every variable that is empty', () => {
    const empty = ['HOST', 'PORT', 'LOG_LEVEL', 'BACKEND_TYPE', 'REDIS_URL', 'REDIS_OP_TIMEOUT', 'DRAIN_TIMEOUT'];
    expect(configOf(Object.fromEntries(empty.map((variable) => [variable, ''])))).toEqual(configOf({}));
  });

  test('cannot be changed afterwards', () => {
    expect(Object.isFrozen(configOf({}))).toBe(true);
  });
});

describe('a variable takes effect:', () => {
  test.each<[environment: Environment, config: object]>([
    [{ HOST: '::', PORT: '1' }, { http: { host: '::', port: 1 } }],
    [{ GRPC_HOST: 'a', GRPC_PORT: '0' }, { grpc: { listen: { host: 'a', port: 0 } } }],
    [{ GRPC_TRANSPORT: 'node' }, { grpc: { transport: 'node' } }],
    [{ GRPC_UDS: '/run/grpc.sock', GRPC_PORT: '1' }, { grpc: { listen: { path: '/run/grpc.sock' } } }],
    [
      { GRPC_SERVER_USE_TLS: '1', GRPC_SERVER_TLS_CERT: 'c', GRPC_SERVER_TLS_KEY: 'k' },
      { grpc: { tls: { certPath: 'c', keyPath: 'k' } } },
    ],
    [
      {
        GRPC_SERVER_USE_TLS: '1',
        GRPC_SERVER_TLS_CERT: 'c',
        GRPC_SERVER_TLS_KEY: 'k',
        GRPC_CLIENT_TLS_CACERT: 'a',
        GRPC_CLIENT_TLS_SAN: 'n',
      },
      { grpc: { tls: { certPath: 'c', keyPath: 'k', clientCaPath: 'a', clientSan: 'n' } } },
    ],
    [
      { GRPC_MAX_CONNECTION_AGE: '5m', GRPC_MAX_CONNECTION_AGE_GRACE: '0' },
      { grpc: { maxConnectionAgeMillis: 300_000, maxConnectionAgeGraceMillis: 0 } },
    ],
    // A timer of Node holds 24.8 days: beyond, it fires at once.
    [
      { GRPC_MAX_CONNECTION_AGE: '8760h', GRPC_MAX_CONNECTION_AGE_GRACE: '8760h' },
      { grpc: { maxConnectionAgeMillis: 1_728_000_000, maxConnectionAgeGraceMillis: 1_728_000_000 } },
    ],
    [{ DEBUG_HOST: '0.0.0.0', DEBUG_PORT: '2' }, { debug: { host: '0.0.0.0', port: 2 } }],
    [{ DEBUG_PROFILING: 'true' }, { debug: { host: '127.0.0.1', profiling: true } }],
    [{ DEBUG_PROFILING: 'true', DEBUG_HOST: '::1' }, { debug: { host: '::1', profiling: true } }],
    [{ LOG_LEVEL: 'Debug' }, { log: { level: 'debug', format: 'text' } }],
    [{ LOG_LEVEL: 'warning' }, { log: { level: 'warn' } }],
    [{ LOG_LEVEL: 'panic', LOG_FORMAT: 'json' }, { log: { level: 'fatal', format: 'json' } }],
    [{ POLICY_PATH: '/etc/policies' }, { policies: { source: { type: 'path', path: '/etc/policies' } } }],
    [
      {
        MERGE_DOMAIN_CONFIG: 'true',
        FORCE_START_WITHOUT_INITIAL_CONFIG: 't',
        HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED: '1',
      },
      { policies: { mergeDomains: true, startWithoutPolicies: true, healthNeedsPolicies: true } },
    ],
    [{ BACKEND_TYPE: 'Memory', MEMORY_SUBJECTS_MAX: '1' }, { store: { type: 'memory', subjectsMax: 1 } }],
    [{ BACKEND_TYPE: 'memory', REDIS_AUTH: 'x', REDIS_TYPE: 'CLUSTER' }, { store: { type: 'memory' } }],
    [{ BACKEND_TYPE: 'REDIS', REDIS_URL: 'r:1' }, { store: { type: 'redis' } }],
    [{ REDIS_URL: 'r:1', CACHE_KEY_PREFIX: 'x:' }, { store: { keyPrefix: 'x:' } }],
    [{ REDIS_URL: 'r:1', EXPIRATION_JITTER_MAX_SECONDS: '0' }, { store: { expirationJitterMaxSeconds: 0 } }],
    [{ REDIS_URL: 'r:1', EXPIRATION_JITTER_MAX_SECONDS: '-5' }, { store: { expirationJitterMaxSeconds: 0 } }],
    [{ REDIS_URL: 'r:1', REDIS_HEALTH_CHECK_ACTIVE_CONNECTION: '1' }, { store: { healthNeedsConnection: true } }],
    [{ NEAR_LIMIT_RATIO: '0.5' }, { deciding: { nearLimitRatio: 0.5 } }],
    [{ LOCAL_CACHE_SIZE_IN_BYTES: '1000' }, { deciding: { localCacheBytes: 1_000 } }],
    [{ STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT: '1' }, { deciding: { stopWhenOver: true } }],
    [{ SHADOW_MODE: '1' }, { deciding: { shadowMode: true } }],
    [{ QUOTA_MODE: '1' }, { deciding: { quotaMode: true } }],
    [{ RESPONSE_DYNAMIC_METADATA: '1' }, { deciding: { dynamicMetadata: true } }],
    [
      { LIMIT_RESPONSE_HEADERS_ENABLED: '1', LIMIT_RESET_HEADER: 'X-Reset' },
      {
        deciding: { responseHeaders: { limit: 'RateLimit-Limit', remaining: 'RateLimit-Remaining', reset: 'X-Reset' } },
      },
    ],
    [{ REDIS_OP_TIMEOUT: '1ms' }, { storeTimeoutMillis: 1 }],
    [{ REDIS_OP_TIMEOUT: '1m' }, { storeTimeoutMillis: 60_000 }],
    [{ API_KEY_HASH_SECRET: 'pepper' }, { apiKeyHash: { secret: 'pepper', previousSecret: undefined } }],
    [
      { API_KEY_HASH_SECRET: 'pepper', API_KEY_HASH_SECRET_PREVIOUS: 'salt' },
      { apiKeyHash: { secret: 'pepper', previousSecret: 'salt' } },
    ],
    [{ ADMIN_TOKEN: 'one' }, { adminTokens: ['one'] }],
    [{ ADMIN_TOKEN: 'one, two' }, { adminTokens: ['one', 'two'] }],
    [
      { DRAIN_DELAY: '5s', DRAIN_TIMEOUT: '0' },
      { drainDelayMillis: 5_000, drainTimeoutMillis: 0 },
    ],
  ])('%j', (environment, config) => {
    expect(configOf(environment)).toMatchObject(config);
  });
});

describe('a contradiction is refused:', () => {
  test.each<[environment: Environment, message: string]>([
    [{ POLICY_PATH: '' }, 'POLICY_PATH: is required, or RUNTIME_ROOT: a policy file or a directory of them'],
    [{ RUNTIME_ROOT: '/srv' }, 'POLICY_PATH: contradicts RUNTIME_ROOT: unset one of them'],
    [{ RUNTIME_WATCH_ROOT: 'false' }, 'POLICY_PATH: contradicts RUNTIME_WATCH_ROOT: unset one of them'],
    [
      { POLICY_PATH: '', RUNTIME_ROOT: '/srv' },
      'RUNTIME_SUBDIRECTORY: is required with RUNTIME_WATCH_ROOT=true, which is the default',
    ],
    [
      { DEBUG_PROFILING: '1', DEBUG_HOST: '0.0.0.0' },
      'DEBUG_PROFILING: contradicts DEBUG_HOST: 0.0.0.0 is not this machine alone',
    ],
    [{ GRPC_SERVER_USE_TLS: '1' }, 'GRPC_SERVER_TLS_CERT: is required with GRPC_SERVER_USE_TLS'],
    [
      { GRPC_SERVER_USE_TLS: '1', GRPC_SERVER_TLS_CERT: 'c' },
      'GRPC_SERVER_TLS_KEY: is required with GRPC_SERVER_USE_TLS',
    ],
    [
      {
        GRPC_SERVER_USE_TLS: '1',
        GRPC_SERVER_TLS_CERT: 'c',
        GRPC_SERVER_TLS_KEY: 'k',
        GRPC_CLIENT_TLS_SAN: 'n',
      },
      'GRPC_CLIENT_TLS_SAN: stands beside GRPC_CLIENT_TLS_CACERT, which is not set',
    ],
    ...[
      ['REDIS_AUTH', 'hush'],
      ['REDIS_SENTINEL_AUTH', 'hush'],
      ['REDIS_TLS', 'true'],
      ['REDIS_TLS_CLIENT_CERT', 'c'],
      ['REDIS_TLS_CLIENT_KEY', 'k'],
      ['REDIS_TLS_CACERT', 'a'],
      ['REDIS_TLS_SKIP_HOSTNAME_VERIFICATION', 'true'],
      ['REDIS_TYPE', 'CLUSTER'],
      ['REDIS_SOCKET_TYPE', 'tcp'],
    ].map(([name = '', value]): [Environment, string] => [
      { [name]: value },
      `${name}: stands beside REDIS_URL, which is not set`,
    ]),
    [{ REDIS_PERSECOND: '1' }, 'REDIS_PERSECOND: stands beside REDIS_URL, which is not set'],
    [
      { LIMIT_RESPONSE_HEADERS_ENABLED: '1', LIMIT_LIMIT_HEADER: 'Rate Limit' },
      "LIMIT_LIMIT_HEADER: expected the name of a header, got 'Rate Limit'",
    ],
    [{ BACKEND_TYPE: 'redis' }, 'REDIS_URL: is required when BACKEND_TYPE is redis'],
    [{ BACKEND_TYPE: 'memory', REDIS_URL: 'r:1' }, 'BACKEND_TYPE: memory contradicts REDIS_URL: unset one of them'],
    [
      { API_KEY_HASH_SECRET_PREVIOUS: 'salt' },
      'API_KEY_HASH_SECRET_PREVIOUS: stands beside API_KEY_HASH_SECRET, which is not set',
    ],
    [
      { ADMIN_TOKEN: 'one,,two' },
      'ADMIN_TOKEN: expected tokens of printable ASCII without spaces, separated by commas',
    ],
  ])('%j', (environment, message) => {
    expect(messageOf(environment)).toBe(message);
  });
});

describe('the runtime directory of envoyproxy/ratelimit is taken', () => {
  test.each<[environment: Environment, source: object]>([
    [{ RUNTIME_SUBDIRECTORY: 's' }, { root: '/srv/runtime_data/current', subdirectory: 's', watchRoot: true }],
    [{ RUNTIME_WATCH_ROOT: 'false' }, { subdirectory: '', watchRoot: false }],
    [
      {
        RUNTIME_ROOT: '/r',
        RUNTIME_SUBDIRECTORY: 's',
        RUNTIME_APPDIRECTORY: 'a',
        RUNTIME_IGNOREDOTFILES: 'true',
        RUNTIME_WATCH_ROOT: 'false',
      },
      { root: '/r', subdirectory: 's', appDirectory: 'a', watchRoot: false, ignoreDotFiles: true },
    ],
  ])('with %j', (environment, source) => {
    const { policies } = configOf({ POLICY_PATH: '', ...environment });
    expect(policies.source).toMatchObject({
      type: 'runtime',
      appDirectory: 'config',
      ignoreDotFiles: false,
      ...source,
    });
  });
});

describe('no message repeats a secret:', () => {
  test.each<[environment: Environment]>([
    [{ REDIS_URL: 'redis://user:hush@r:99999' }],
    [{ REDIS_URL: 'redis://user:hush@r/db' }],
    [{ REDIS_URL: 'redis://user:hush%zz@r' }],
    [{ REDIS_URL: 'hush://r' }],
    [{ REDIS_AUTH: 'hush', BACKEND_TYPE: 'redis' }],
    [{ REDIS_URL: 'redis://user:hush@r', BACKEND_TYPE: 'memory' }],
    [{ REDIS_URL: 'hush:1', REDIS_SOCKET_TYPE: 'unix' }],
    [{ REDIS_URL: 'hush', REDIS_TYPE: 'SENTINEL' }],
    [{ REDIS_URL: 'redis://u:hush@r/1', REDIS_TYPE: 'CLUSTER' }],
    [{ REDIS_URL: 'm,redis://u:hush@r', REDIS_TYPE: 'SENTINEL' }],
    [{ REDIS_URL: 'r', REDIS_PERSECOND: '1', REDIS_PERSECOND_URL: 'redis://u:hush@r/db' }],
    [{ ADMIN_TOKEN: 'hush,,hush' }],
    [{ API_KEY_HASH_SECRET: 'hush', LOG_LEVEL: 'loud' }],
  ])('%j', (environment) => {
    const message = messageOf(environment);
    expect(message).not.toContain('hush');
  });
});
