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

describe('the defaults', () => {
  test('are those of the reference, with memory counters and a debug port that only this machine sees', () => {
    expect(configOf({})).toEqual({
      http: { host: '0.0.0.0', port: 8080 },
      grpc: { host: '0.0.0.0', port: 8081 },
      debug: { host: '127.0.0.1', port: 6070 },
      logLevel: 'info',
      policyPath: 'p.yaml',
      store: { type: 'memory', subjectsMax: 1_000_000 },
      storeTimeoutMillis: 100,
      apiKeyHash: { secret: undefined, previousSecret: undefined },
      adminTokens: [],
      drainDelayMillis: 0,
      drainTimeoutMillis: 10_000,
    });
  });

  test('of a Redis are its own port, no prefix and a jitter of five minutes', () => {
    expect(configOf({ REDIS_URL: 'redis.example' }).store).toEqual({
      type: 'redis',
      redis: { host: 'redis.example', port: 6_379, tls: false },
      keyPrefix: '',
      expirationJitterMaxSeconds: 300,
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
    [{ GRPC_HOST: 'a', GRPC_PORT: '0' }, { grpc: { host: 'a', port: 0 } }],
    [{ DEBUG_HOST: '0.0.0.0', DEBUG_PORT: '2' }, { debug: { host: '0.0.0.0', port: 2 } }],
    [{ LOG_LEVEL: 'debug' }, { logLevel: 'debug' }],
    [{ LOG_LEVEL: 'WARN' }, { logLevel: 'warn' }],
    [{ POLICY_PATH: '/etc/policies' }, { policyPath: '/etc/policies' }],
    [{ BACKEND_TYPE: 'Memory', MEMORY_SUBJECTS_MAX: '1' }, { store: { type: 'memory', subjectsMax: 1 } }],
    [{ BACKEND_TYPE: 'REDIS', REDIS_URL: 'r:1' }, { store: { type: 'redis', redis: { host: 'r', port: 1 } } }],
    [{ REDIS_URL: 'r:1', CACHE_KEY_PREFIX: 'x:' }, { store: { keyPrefix: 'x:' } }],
    [{ REDIS_URL: 'r:1', EXPIRATION_JITTER_MAX_SECONDS: '0' }, { store: { expirationJitterMaxSeconds: 0 } }],
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

describe('a Redis is named', () => {
  test.each<[environment: Environment, redis: object]>([
    [{ REDIS_URL: 'r' }, { host: 'r', port: 6_379, tls: false }],
    [{ REDIS_URL: 'r:7000' }, { host: 'r', port: 7_000, tls: false }],
    [{ REDIS_URL: '127.0.0.1:7000' }, { host: '127.0.0.1', port: 7_000, tls: false }],
    [{ REDIS_URL: '[::1]:7000' }, { host: '::1', port: 7_000, tls: false }],
    [{ REDIS_URL: '/run/redis.sock' }, { path: '/run/redis.sock' }],
    [{ REDIS_URL: 'redis://r' }, { host: 'r', port: 6_379, tls: false }],
    [{ REDIS_URL: 'redis://r:7000/' }, { host: 'r', port: 7_000, tls: false }],
    [{ REDIS_URL: 'redis://r:7000/3' }, { host: 'r', port: 7_000, db: 3, tls: false }],
    [{ REDIS_URL: 'rediss://r:7000' }, { host: 'r', port: 7_000, tls: true }],
    [{ REDIS_URL: 'redis://u:p@r' }, { host: 'r', port: 6_379, username: 'u', password: 'p', tls: false }],
    [{ REDIS_URL: 'redis://:p@r' }, { host: 'r', port: 6_379, password: 'p', tls: false }],
    [
      { REDIS_URL: 'redis://u%40x:p%2f%25@r' },
      { host: 'r', port: 6_379, username: 'u@x', password: 'p/%', tls: false },
    ],
    [
      { REDIS_URL: 'r', REDIS_AUTH: 'p' },
      { host: 'r', port: 6_379, password: 'p', tls: false },
    ],
    [
      { REDIS_URL: 'r', REDIS_AUTH: 'u:p:q' },
      { host: 'r', port: 6_379, username: 'u', password: 'p:q', tls: false },
    ],
    [
      { REDIS_URL: '/run/redis.sock', REDIS_AUTH: 'p' },
      { path: '/run/redis.sock', password: 'p' },
    ],
    [
      { REDIS_URL: 'redis://u:p@r', REDIS_AUTH: 'v:q' },
      { host: 'r', port: 6_379, username: 'v', password: 'q', tls: false },
    ],
  ])('by %j', (environment, redis) => {
    expect(configOf(environment).store).toMatchObject({ type: 'redis' });
    expect((configOf(environment).store as { redis: object }).redis).toEqual(redis);
  });
});

const REDIS_URL = 'REDIS_URL: expected host:port, a socket path, or redis://user:password@host:port/db';

describe('a contradiction is refused:', () => {
  test.each<[environment: Environment, message: string]>([
    [{ POLICY_PATH: '' }, 'POLICY_PATH: is required: a policy file or a directory of them'],
    [{ LOG_LEVEL: 'loud' }, "LOG_LEVEL: expected one of debug, info, warn, error, got 'loud'"],
    [{ BACKEND_TYPE: 'memcache' }, "BACKEND_TYPE: expected redis or memory, got 'memcache'"],
    [{ BACKEND_TYPE: 'redis' }, 'REDIS_URL: is required when BACKEND_TYPE is redis'],
    [{ BACKEND_TYPE: 'memory', REDIS_URL: 'r:1' }, 'BACKEND_TYPE: memory contradicts REDIS_URL: unset one of them'],
    [{ MEMORY_SUBJECTS_MAX: '0' }, 'MEMORY_SUBJECTS_MAX: must be at least 1'],
    [{ REDIS_OP_TIMEOUT: '0' }, 'REDIS_OP_TIMEOUT: expected 1ms to 60s, got 0ms'],
    [
      { API_KEY_HASH_SECRET_PREVIOUS: 'salt' },
      'API_KEY_HASH_SECRET_PREVIOUS: stands beside API_KEY_HASH_SECRET, which is not set',
    ],
    [
      { ADMIN_TOKEN: 'one,,two' },
      'ADMIN_TOKEN: expected tokens of printable ASCII without spaces, separated by commas',
    ],
    [{ REDIS_OP_TIMEOUT: '61s' }, 'REDIS_OP_TIMEOUT: expected 1ms to 60s, got 61000ms'],
    [{ REDIS_URL: 'r:99999' }, REDIS_URL],
    [{ REDIS_URL: 'r:port' }, REDIS_URL],
    [{ REDIS_URL: ':6379' }, REDIS_URL],
    [{ REDIS_URL: 'redis://' }, REDIS_URL],
    [{ REDIS_URL: 'redis://r/db' }, REDIS_URL],
    [{ REDIS_URL: 'redis://r/123456' }, REDIS_URL],
    [{ REDIS_URL: 'http://r:1' }, REDIS_URL],
    [{ REDIS_URL: 'unix:///run/redis.sock' }, REDIS_URL],
    [{ REDIS_URL: 'a:1,b:2' }, REDIS_URL],
    [{ REDIS_URL: 'redis://:50%zz@r' }, REDIS_URL],
  ])('%j', (environment, message) => {
    expect(messageOf(environment)).toBe(message);
  });

  // A timer of Node holds 31 bits: beyond, it fires at once, and the drain would be over before it began.
  test.each(['DRAIN_DELAY', 'DRAIN_TIMEOUT'])('%s beyond what a timer can hold', (variable) => {
    expect(messageOf({ [variable]: '597h' })).toMatch(new RegExp(`^${variable}: `));
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
    [{ API_KEY_HASH_SECRET: 'hush', LOG_LEVEL: 'loud' }],
  ])('%j', (environment) => {
    const message = messageOf(environment);
    expect(message).not.toContain('hush');
  });
});
