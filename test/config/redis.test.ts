/** Which Redis the REDIS_* variables name, and which texts name none. */
import { describe, expect, test } from '@jest/globals';
import type { RedisOptions } from '../../src/adapters/redis/connect.ts';
import { type RedisStoreConfig, toConfig } from '../../src/config/config.ts';
import { EnvError, type Environment, readEnv } from '../../src/config/env.ts';

function storeOf(environment: Environment): RedisStoreConfig {
  const { store } = toConfig(readEnv({ POLICY_PATH: 'p.yaml', ...environment }));
  expect(store.type).toBe('redis');
  return store as RedisStoreConfig;
}

/** What is not the same for all. */
function told({ topology, auth, db, tls }: RedisOptions): object {
  return { ...(topology.type === 'single' ? topology.endpoint : topology), auth, db, tls };
}

const TLS = { skipHostnameVerification: false };

describe('a single Redis is named', () => {
  test.each<[environment: Environment, redis: object]>([
    [{ REDIS_URL: 'r' }, { host: 'r', port: 6_379 }],
    [{ REDIS_URL: 'r:7000' }, { host: 'r', port: 7_000 }],
    [
      { REDIS_URL: 'r:7000', REDIS_SOCKET_TYPE: 'tcp' },
      { host: 'r', port: 7_000 },
    ],
    [{ REDIS_URL: '127.0.0.1:7000' }, { host: '127.0.0.1', port: 7_000 }],
    [{ REDIS_URL: '[::1]:7000' }, { host: '::1', port: 7_000 }],
    [{ REDIS_URL: '/run/redis.sock' }, { path: '/run/redis.sock' }],
    [{ REDIS_URL: './redis.sock', REDIS_SOCKET_TYPE: 'UNIX' }, { path: './redis.sock' }],
    [{ REDIS_URL: 'redis://r' }, { host: 'r', port: 6_379 }],
    [{ REDIS_URL: 'redis://r:7000/' }, { host: 'r', port: 7_000 }],
    [{ REDIS_URL: 'redis://r:7000/3' }, { host: 'r', port: 7_000, db: 3 }],
    [{ REDIS_URL: 'rediss://r:7000' }, { host: 'r', port: 7_000, tls: TLS }],
    [
      { REDIS_URL: 'r', REDIS_TLS: 'true' },
      { host: 'r', port: 6_379, tls: TLS },
    ],
    [
      {
        REDIS_URL: 'r',
        REDIS_TLS: 'true',
        REDIS_TLS_CLIENT_CERT: 'c',
        REDIS_TLS_CLIENT_KEY: 'k',
        REDIS_TLS_CACERT: 'a',
        REDIS_TLS_SKIP_HOSTNAME_VERIFICATION: 'true',
      },
      { host: 'r', port: 6_379, tls: { certPath: 'c', keyPath: 'k', caPath: 'a', skipHostnameVerification: true } },
    ],
    [{ REDIS_URL: 'redis://u:p@r' }, { host: 'r', port: 6_379, auth: { username: 'u', password: 'p' } }],
    [{ REDIS_URL: 'redis://:p@r' }, { host: 'r', port: 6_379, auth: { password: 'p' } }],
    [{ REDIS_URL: 'redis://u%40x:p%2f%25@r' }, { host: 'r', port: 6_379, auth: { username: 'u@x', password: 'p/%' } }],
    [
      { REDIS_URL: 'r', REDIS_AUTH: 'p' },
      { host: 'r', port: 6_379, auth: { password: 'p' } },
    ],
    [
      { REDIS_URL: 'r', REDIS_AUTH: ':p' },
      { host: 'r', port: 6_379, auth: { password: 'p' } },
    ],
    [
      { REDIS_URL: 'r', REDIS_AUTH: 'u:p:q' },
      { host: 'r', port: 6_379, auth: { username: 'u', password: 'p:q' } },
    ],
    [
      { REDIS_URL: '/run/redis.sock', REDIS_AUTH: 'p' },
      { path: '/run/redis.sock', auth: { password: 'p' } },
    ],
    [
      { REDIS_URL: 'redis://u:p@r', REDIS_AUTH: 'v:q' },
      { host: 'r', port: 6_379, auth: { username: 'v', password: 'q' } },
    ],
  ])('by %j', (environment, redis) => {
    expect(told(storeOf(environment).redis)).toEqual(redis);
  });
});

describe('several servers are named', () => {
  test.each<[environment: Environment, redis: object]>([
    [
      { REDIS_TYPE: 'cluster', REDIS_URL: 'a:1, b:2,c', REDIS_AUTH: 'p' },
      {
        type: 'cluster',
        nodes: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
          { host: 'c', port: 6_379 },
        ],
        auth: { password: 'p' },
      },
    ],
    [
      { REDIS_TYPE: 'CLUSTER', REDIS_URL: 'rediss://u:p@a:1' },
      { type: 'cluster', nodes: [{ host: 'a', port: 1 }], auth: { username: 'u', password: 'p' }, tls: TLS },
    ],
    [
      { REDIS_TYPE: 'Sentinel', REDIS_URL: 'mymaster,s:1,t:2', REDIS_AUTH: 'p' },
      {
        type: 'sentinel',
        master: 'mymaster',
        sentinels: [
          { host: 's', port: 1 },
          { host: 't', port: 2 },
        ],
        auth: { password: 'p' },
      },
    ],
    [
      { REDIS_TYPE: 'SENTINEL', REDIS_URL: 'mymaster,rediss://s:1,t:2' },
      {
        type: 'sentinel',
        master: 'mymaster',
        sentinels: [
          { host: 's', port: 1 },
          { host: 't', port: 2 },
        ],
        tls: TLS,
      },
    ],
    [
      { REDIS_TYPE: 'SENTINEL', REDIS_URL: 'mymaster,s' },
      { type: 'sentinel', master: 'mymaster', sentinels: [{ host: 's', port: 26_379 }] },
    ],
    [
      { REDIS_TYPE: 'CLUSTER', REDIS_URL: 'redis://u:p@a:1,b:2,redis://u:p@c:3' },
      {
        type: 'cluster',
        nodes: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
          { host: 'c', port: 3 },
        ],
        auth: { username: 'u', password: 'p' },
      },
    ],
  ])('by %j', (environment, redis) => {
    expect(told(storeOf(environment).redis)).toEqual(redis);
  });

  test('and Sentinels have an auth of their own', () => {
    const { redis } = storeOf({ REDIS_TYPE: 'SENTINEL', REDIS_URL: 'm,s:1', REDIS_SENTINEL_AUTH: 'u:q' });
    expect(redis.auth).toBeUndefined();
    expect(redis.topology).toMatchObject({ type: 'sentinel', auth: { username: 'u', password: 'q' } });
  });
});

test('a second Redis has its own variables, and shares certificates and the start with the first', () => {
  const { redis, perSecond } = storeOf({
    REDIS_URL: 'r',
    REDIS_TLS_CACERT: 'a',
    REDIS_STARTUP_MAX_INTERVAL: '5s',
    REDIS_PERSECOND: 'true',
    REDIS_PERSECOND_URL: 's:1',
    REDIS_PERSECOND_AUTH: 'p',
    REDIS_PERSECOND_TLS: 'true',
    REDIS_PERSECOND_TIMEOUT: '2s',
  });
  expect(redis).toMatchObject({ dialTimeoutMillis: 10_000 });
  expect(redis.tls).toBeUndefined();
  expect(perSecond).toEqual({
    topology: { type: 'single', endpoint: { host: 's', port: 1 } },
    auth: { password: 'p' },
    tls: { caPath: 'a', skipHostnameVerification: false },
    dialTimeoutMillis: 2_000,
    startup: { initialMillis: 100, maxMillis: 5_000, maxElapsedMillis: 0 },
  });
});

test('a second Redis is where envoyproxy/ratelimit looks for it, unless told otherwise', () => {
  expect(storeOf({ REDIS_URL: 'r', REDIS_PERSECOND: '1' }).perSecond?.topology).toEqual({
    type: 'single',
    endpoint: { path: '/var/run/nutcracker/ratelimitpersecond.sock' },
  });
});

const SINGLE = 'REDIS_URL: expected host:port, a socket path, or redis://user:password@host:port/db';
const CLUSTER = 'REDIS_URL: expected host:port,host:port,… of some nodes of the cluster';
const SENTINEL = 'REDIS_URL: expected the name of the primary and some Sentinels: name,host:port,host:port,…';
const DIFFERENT = 'REDIS_URL: expected the same scheme, user and password wherever an address has them';

describe('no Redis is named', () => {
  test.each<[environment: Environment, message: string]>([
    [{ REDIS_URL: 'r:99999' }, SINGLE],
    [{ REDIS_URL: 'r:port' }, SINGLE],
    [{ REDIS_URL: ':6379' }, SINGLE],
    [{ REDIS_URL: 'redis://' }, SINGLE],
    [{ REDIS_URL: 'redis://r/db' }, SINGLE],
    [{ REDIS_URL: 'redis://r/123456' }, SINGLE],
    [{ REDIS_URL: 'http://r:1' }, SINGLE],
    [{ REDIS_URL: 'unix:///run/redis.sock' }, SINGLE],
    [{ REDIS_URL: 'a:1,b:2' }, SINGLE],
    [{ REDIS_URL: 'redis://:50%zz@r' }, SINGLE],
    [{ REDIS_URL: 'r:0' }, SINGLE],
    [{ REDIS_URL: 'r:1?db=3' }, SINGLE],
    [{ REDIS_URL: 'redis://r/3?' }, SINGLE],
    [{ REDIS_URL: 'redis://r/3#x' }, SINGLE],
    [{ REDIS_URL: 'r', REDIS_AUTH: 'user:' }, 'REDIS_AUTH: expected password or user:password'],
    [{ REDIS_URL: 'r', REDIS_AUTH: ':' }, 'REDIS_AUTH: expected password or user:password'],
    [
      { REDIS_TYPE: 'SENTINEL', REDIS_URL: 'm,s', REDIS_SENTINEL_AUTH: 'user:' },
      'REDIS_SENTINEL_AUTH: expected password or user:password',
    ],
    [{ REDIS_TYPE: 'CLUSTER', REDIS_URL: 'rediss://a:1,redis://b:2' }, DIFFERENT],
    [{ REDIS_TYPE: 'CLUSTER', REDIS_URL: 'redis://u:p@a:1,redis://v:p@b:2' }, DIFFERENT],
    [{ REDIS_TYPE: 'SENTINEL', REDIS_URL: 'm,rediss://a:1,redis://b:2' }, DIFFERENT],
    [
      { REDIS_URL: 'r', REDIS_STARTUP_MAX_ELAPSED_TIME: '720h' },
      "REDIS_STARTUP_MAX_ELAPSED_TIME: expected a duration from 0 to 24h, got '720h'",
    ],
    ...['{', 'a{b', '{}', 'a{}b{c}'].map((prefix): [Environment, string] => [
      { REDIS_TYPE: 'CLUSTER', REDIS_URL: 'r', CACHE_KEY_PREFIX: prefix },
      "CACHE_KEY_PREFIX: expected no braces, or a pair such as '{tag}', with REDIS_TYPE CLUSTER",
    ]),
    [
      { REDIS_URL: 'r:1', REDIS_SOCKET_TYPE: 'unix' },
      'REDIS_URL: expected the path of a socket, since REDIS_SOCKET_TYPE is unix',
    ],
    [
      { REDIS_URL: '/run/redis.sock', REDIS_SOCKET_TYPE: 'tcp' },
      'REDIS_URL: expected host:port, since REDIS_SOCKET_TYPE is tcp',
    ],
    [{ REDIS_TYPE: 'CLUSTER', REDIS_URL: 'a:1,,b:2' }, CLUSTER],
    [{ REDIS_TYPE: 'CLUSTER', REDIS_URL: 'a:1,/run/redis.sock' }, CLUSTER],
    [{ REDIS_TYPE: 'CLUSTER', REDIS_URL: 'redis://a:1/2' }, CLUSTER],
    [
      { REDIS_TYPE: 'CLUSTER', REDIS_URL: 'a:1', REDIS_SOCKET_TYPE: 'unix' },
      'REDIS_SOCKET_TYPE: only one Redis server can be at a socket',
    ],
    [{ REDIS_TYPE: 'SENTINEL', REDIS_URL: 'mymaster' }, SENTINEL],
    [{ REDIS_TYPE: 'SENTINEL', REDIS_URL: 's:1,t:2' }, SENTINEL],
    [{ REDIS_TYPE: 'SENTINEL', REDIS_URL: 'mymaster,' }, SENTINEL],
    [
      { REDIS_TYPE: 'SENTINEL', REDIS_URL: 'm,redis://u:p@s' },
      'REDIS_URL: who logs in at Sentinels is told by REDIS_SENTINEL_AUTH',
    ],
    [
      { REDIS_URL: 'r', REDIS_TLS: '1', REDIS_TLS_CLIENT_CERT: 'c' },
      'REDIS_TLS_CLIENT_CERT: stands beside REDIS_TLS_CLIENT_KEY, which is not set',
    ],
    [
      { REDIS_URL: 'r', REDIS_TLS: '1', REDIS_TLS_CLIENT_KEY: 'k' },
      'REDIS_TLS_CLIENT_KEY: stands beside REDIS_TLS_CLIENT_CERT, which is not set',
    ],
    [
      { REDIS_URL: 'r', REDIS_PERSECOND: '1', REDIS_PERSECOND_URL: 'r:port' },
      'REDIS_PERSECOND_URL: expected host:port, a socket path, or redis://user:password@host:port/db',
    ],
  ])('by %j', (environment, message) => {
    const read = (): unknown => storeOf(environment);
    expect(read).toThrow(EnvError);
    expect(read).toThrow(message);
  });
});

test.each<[environment: Environment, prefix: string]>([
  [{}, 'a:'],
  [{}, '{tag}'],
  [{}, 'a{tag}:{'],
  [{ REDIS_TYPE: 'SINGLE' }, '{'],
])('%j takes a prefix with which records and their counters stay on one slot: %s', (environment, prefix) => {
  const given = { REDIS_TYPE: 'CLUSTER', REDIS_URL: 'r', CACHE_KEY_PREFIX: prefix, ...environment };
  expect(storeOf(given).keyPrefix).toBe(prefix);
});
