/** The tables of variables: every one of envoyproxy/ratelimit stands in exactly one of them, with its default. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { readEnv } from '../../src/config/env.ts';
import { NOT_OFFERED } from '../../src/config/not-offered.ts';
import type { Variable } from '../../src/config/variable.ts';
import { AREAS, VARIABLES, type VariableName } from '../../src/config/variables.ts';

/** Names and defaults as its settings.go has them; unset ones are undefined. */
const REFERENCE: Readonly<Record<string, string | undefined>> = {
  HOST: '0.0.0.0',
  PORT: '8080',
  DEBUG_HOST: '0.0.0.0',
  DEBUG_PORT: '6070',
  GRPC_HOST: '0.0.0.0',
  GRPC_PORT: '8081',
  GRPC_UDS: undefined,
  GRPC_MAX_CONNECTION_AGE: '24h',
  GRPC_MAX_CONNECTION_AGE_GRACE: '1h',
  GRPC_SERVER_USE_TLS: 'false',
  GRPC_SERVER_TLS_CERT: undefined,
  GRPC_SERVER_TLS_KEY: undefined,
  GRPC_CLIENT_TLS_CACERT: undefined,
  GRPC_CLIENT_TLS_SAN: undefined,
  LOG_LEVEL: 'WARN',
  LOG_FORMAT: 'text',
  CONFIG_TYPE: 'FILE',
  FORCE_START_WITHOUT_INITIAL_CONFIG: 'false',
  RUNTIME_ROOT: '/srv/runtime_data/current',
  RUNTIME_SUBDIRECTORY: '',
  RUNTIME_APPDIRECTORY: 'config',
  RUNTIME_WATCH_ROOT: 'true',
  RUNTIME_IGNOREDOTFILES: 'false',
  MERGE_DOMAIN_CONFIG: 'false',
  HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED: 'false',
  CONFIG_GRPC_XDS_NODE_ID: 'default',
  CONFIG_GRPC_XDS_NODE_METADATA: undefined,
  CONFIG_GRPC_XDS_SERVER_URL: 'localhost:18000',
  CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL: '3s',
  CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS: undefined,
  CONFIG_GRPC_XDS_SERVER_USE_TLS: 'false',
  CONFIG_GRPC_XDS_CLIENT_TLS_CERT: undefined,
  CONFIG_GRPC_XDS_CLIENT_TLS_KEY: undefined,
  CONFIG_GRPC_XDS_SERVER_TLS_CACERT: undefined,
  CONFIG_GRPC_XDS_SERVER_TLS_SAN: undefined,
  XDS_CLIENT_BACKOFF_INITIAL_INTERVAL: '10s',
  XDS_CLIENT_BACKOFF_MAX_INTERVAL: '60s',
  XDS_CLIENT_BACKOFF_RANDOM_FACTOR: '0.5',
  XDS_CLIENT_BACKOFF_JITTER: 'true',
  XDS_CLIENT_MAX_MSG_SIZE_IN_BYTES: '0',
  USE_STATSD: 'true',
  STATSD_HOST: 'localhost',
  STATSD_PORT: '8125',
  USE_DOG_STATSD: 'false',
  USE_DOG_STATSD_MOGRIFIERS: '',
  USE_PROMETHEUS: 'false',
  PROMETHEUS_ADDR: ':9090',
  PROMETHEUS_PATH: '/metrics',
  PROMETHEUS_MAPPER_YAML: undefined,
  PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS: 'false',
  DISABLE_STATS: 'false',
  STATS_FLUSH_INTERVAL: '10s',
  EXTRA_TAGS: '',
  BACKEND_TYPE: 'redis',
  CACHE_KEY_PREFIX: '',
  EXPIRATION_JITTER_MAX_SECONDS: '300',
  LOCAL_CACHE_SIZE_IN_BYTES: '0',
  NEAR_LIMIT_RATIO: '0.8',
  STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT: 'false',
  LIMIT_RESPONSE_HEADERS_ENABLED: 'false',
  LIMIT_LIMIT_HEADER: 'RateLimit-Limit',
  LIMIT_REMAINING_HEADER: 'RateLimit-Remaining',
  LIMIT_RESET_HEADER: 'RateLimit-Reset',
  SHADOW_MODE: 'false',
  QUOTA_MODE: 'false',
  RESPONSE_DYNAMIC_METADATA: 'false',
  REDIS_SOCKET_TYPE: 'unix',
  REDIS_TYPE: 'SINGLE',
  REDIS_URL: '/var/run/nutcracker/ratelimit.sock',
  REDIS_POOL_SIZE: '10',
  REDIS_AUTH: undefined,
  REDIS_SENTINEL_AUTH: undefined,
  REDIS_TLS: 'false',
  REDIS_TLS_CLIENT_CERT: undefined,
  REDIS_TLS_CLIENT_KEY: undefined,
  REDIS_TLS_CACERT: undefined,
  REDIS_TLS_SKIP_HOSTNAME_VERIFICATION: 'false',
  REDIS_TIMEOUT: '10s',
  REDIS_PIPELINE_WINDOW: '0',
  REDIS_PIPELINE_LIMIT: '0',
  REDIS_CLUSTER_PIPELINE_PARALLELISM: '1',
  REDIS_POOL_ON_EMPTY_BEHAVIOR: 'WAIT',
  REDIS_HEALTH_CHECK_ACTIVE_CONNECTION: 'false',
  REDIS_STARTUP_INITIAL_INTERVAL: '100ms',
  REDIS_STARTUP_MAX_INTERVAL: '500ms',
  REDIS_STARTUP_MAX_ELAPSED_TIME: '0',
  REDIS_PERSECOND: 'false',
  REDIS_PERSECOND_SOCKET_TYPE: 'unix',
  REDIS_PERSECOND_TYPE: 'SINGLE',
  REDIS_PERSECOND_URL: '/var/run/nutcracker/ratelimitpersecond.sock',
  REDIS_PERSECOND_POOL_SIZE: '10',
  REDIS_PERSECOND_AUTH: undefined,
  REDIS_PERSECOND_TLS: 'false',
  REDIS_PERSECOND_SENTINEL_AUTH: undefined,
  REDIS_PERSECOND_PIPELINE_WINDOW: '0',
  REDIS_PERSECOND_PIPELINE_LIMIT: '0',
  REDIS_PERSECOND_CLUSTER_PIPELINE_PARALLELISM: '1',
  REDIS_PERSECOND_TIMEOUT: '10s',
  REDIS_PERSECOND_POOL_ON_EMPTY_BEHAVIOR: 'WAIT',
  MEMCACHE_HOST_PORT: undefined,
  MEMCACHE_SRV: undefined,
  MEMCACHE_SRV_REFRESH: '0',
  MEMCACHE_MAX_IDLE_CONNS: '2',
  MEMCACHE_TLS: 'false',
  MEMCACHE_TLS_CLIENT_CERT: undefined,
  MEMCACHE_TLS_CLIENT_KEY: undefined,
  MEMCACHE_TLS_CACERT: undefined,
  MEMCACHE_TLS_SKIP_HOSTNAME_VERIFICATION: 'false',
  TRACING_ENABLED: 'false',
  TRACING_EXPORTER_PROTOCOL: 'http',
  TRACING_SERVICE_NAME: 'RateLimit',
  TRACING_SERVICE_NAMESPACE: undefined,
  TRACING_SERVICE_INSTANCE_ID: undefined,
  TRACING_SAMPLING_RATE: '1',
};

/** What reads the form of REDIS_URL instead, or is off unless asked for. */
const OTHER_DEFAULTS: Readonly<Record<string, string | undefined>> = {
  BACKEND_TYPE: undefined,
  DEBUG_HOST: '127.0.0.1',
  REDIS_PERSECOND_SOCKET_TYPE: undefined,
  REDIS_SOCKET_TYPE: undefined,
  REDIS_URL: undefined,
  USE_STATSD: 'false',
};

/** Those that envoyproxy/ratelimit does not have; STATSD_PROTOCOL is its statistics library's. */
const OWN = [
  'ADMIN_TOKEN',
  'API_KEY_HASH_SECRET',
  'API_KEY_HASH_SECRET_PREVIOUS',
  'DEBUG_PROFILING',
  'DRAIN_DELAY',
  'DRAIN_TIMEOUT',
  'GRPC_TRANSPORT',
  'MEMORY_SUBJECTS_MAX',
  'POLICY_PATH',
  'REDIS_OP_TIMEOUT',
  'STATSD_PROTOCOL',
  'WORKERS',
];

const READ: Readonly<Record<string, Variable>> = VARIABLES;

test('all 114 variables of envoyproxy/ratelimit are read, refused or ignored, and no others but our own', () => {
  expect(Object.keys(REFERENCE)).toHaveLength(114);
  const known = [...Object.keys(VARIABLES), ...Object.keys(NOT_OFFERED)];
  expect(known.sort()).toEqual([...Object.keys(REFERENCE), ...OWN].sort());
});

test('no variable stands in two areas', () => {
  const names = Object.values(AREAS).flatMap((area) => Object.keys(area));
  expect(new Set(names).size).toBe(names.length);
  expect(names.sort()).toEqual(Object.keys(VARIABLES).sort());
});

describe('its default is that of envoyproxy/ratelimit, where another is not documented:', () => {
  test.each(Object.keys(REFERENCE).filter((name) => Object.hasOwn(READ, name)))('%s', (name) => {
    const table = Object.hasOwn(OTHER_DEFAULTS, name) ? OTHER_DEFAULTS : REFERENCE;
    expect(READ[name]?.default).toBe(table[name]);
  });
});

test('every default is a value of its kind', () => {
  const env = readEnv({});
  const lacking = (Object.keys(VARIABLES) as VariableName[]).filter(
    (name) => (READ[name]?.default === undefined) !== (env[name] === undefined),
  );
  expect(lacking).toEqual([]);
});

test('every variable stands in the documentation once', () => {
  const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  const names = [...Object.keys(VARIABLES), ...Object.keys(NOT_OFFERED)];
  expect(names.filter((name) => page.split(`\n| \`${name}\` `).length !== 2)).toEqual([]);
});
