/** readEnv: text becomes typed values; an empty variable is an unset one; a malformed one is named. */
import { describe, expect, test } from '@jest/globals';
import { type Env, EnvError, readEnv } from '../../src/config/env.ts';

const INTEGER = 'expected an integer from 0 to 4294967295';
const PORT = 'expected a port from 0 to 65535';
const DURATION = 'expected a duration such as 100ms, 5s, 1m';

describe('a good variable', () => {
  test.each<[variable: string, text: string, field: keyof Env, value: string | number]>([
    ['HOST', '::1', 'host', '::1'],
    ['PORT', '0', 'port', 0],
    ['PORT', '65535', 'port', 65_535],
    ['GRPC_HOST', '127.0.0.1', 'grpcHost', '127.0.0.1'],
    ['GRPC_PORT', '8081', 'grpcPort', 8_081],
    ['DEBUG_HOST', 'localhost', 'debugHost', 'localhost'],
    ['DEBUG_PORT', '6070', 'debugPort', 6_070],
    ['LOG_LEVEL', 'WARN', 'logLevel', 'WARN'],
    ['POLICY_PATH', '/etc/headroom/policy.yaml', 'policyPath', '/etc/headroom/policy.yaml'],
    ['POLICY_PATH', '/a folder/b.yaml', 'policyPath', '/a folder/b.yaml'],
    ['BACKEND_TYPE', 'redis', 'backendType', 'redis'],
    ['MEMORY_SUBJECTS_MAX', '4294967295', 'memorySubjectsMax', 4_294_967_295],
    ['REDIS_URL', 'redis://u:p@h:1/2', 'redisUrl', 'redis://u:p@h:1/2'],
    ['REDIS_AUTH', 'user:pass:word', 'redisAuth', 'user:pass:word'],
    ['REDIS_OP_TIMEOUT', '250ms', 'redisOpTimeoutMillis', 250],
    ['REDIS_OP_TIMEOUT', '2s', 'redisOpTimeoutMillis', 2_000],
    ['CACHE_KEY_PREFIX', 'prod:', 'cacheKeyPrefix', 'prod:'],
    ['EXPIRATION_JITTER_MAX_SECONDS', '0', 'expirationJitterMaxSeconds', 0],
    ['API_KEY_HASH_SECRET', 'pepper', 'apiKeyHashSecret', 'pepper'],
    ['API_KEY_HASH_SECRET_PREVIOUS', 'salt', 'apiKeyHashSecretPrevious', 'salt'],
    ['ADMIN_TOKEN', 'one,two', 'adminToken', 'one,two'],
    ['DRAIN_DELAY', '5s', 'drainDelayMillis', 5_000],
    ['DRAIN_DELAY', '0', 'drainDelayMillis', 0],
    ['DRAIN_TIMEOUT', '1m', 'drainTimeoutMillis', 60_000],
    ['DRAIN_TIMEOUT', '1h', 'drainTimeoutMillis', 3_600_000],
  ])('%s=%s is read', (variable, text, field, value) => {
    expect(readEnv({ [variable]: text })).toMatchObject({ [field]: value });
  });

  test('may have space around it', () => {
    expect(readEnv({ PORT: ' 8080\n', HOST: '\t127.0.0.1 ' })).toMatchObject({ port: 8_080, host: '127.0.0.1' });
  });
});

describe('an unset variable', () => {
  const unset = readEnv({});

  test('has no value', () => {
    expect(Object.values(unset).filter((value) => value !== undefined)).toEqual([]);
    expect(Object.keys(unset).length).toBeGreaterThan(15);
  });

  test.each([
    'HOST',
    'PORT',
    'GRPC_HOST',
    'GRPC_PORT',
    'DEBUG_HOST',
    'DEBUG_PORT',
    'LOG_LEVEL',
    'POLICY_PATH',
    'BACKEND_TYPE',
    'MEMORY_SUBJECTS_MAX',
    'REDIS_URL',
    'REDIS_AUTH',
    'REDIS_OP_TIMEOUT',
    'CACHE_KEY_PREFIX',
    'EXPIRATION_JITTER_MAX_SECONDS',
    'API_KEY_HASH_SECRET',
    'DRAIN_DELAY',
    'DRAIN_TIMEOUT',
  ])('is what an empty or blank %s is, too', (variable) => {
    expect(readEnv({ [variable]: '' })).toEqual(unset);
    expect(readEnv({ [variable]: '  ' })).toEqual(unset);
  });

  test('is not made up for by another of a similar name', () => {
    expect(readEnv({ port: '1', HEADROOM_PORT: '2', REDIS_PORT: '3' })).toEqual(unset);
  });
});

describe('a malformed variable is refused by its name:', () => {
  test.each<[variable: string, text: string, expected: string]>([
    ['PORT', 'http', PORT],
    ['PORT', '65536', PORT],
    ['PORT', '-1', PORT],
    ['PORT', '80.5', PORT],
    ['PORT', '0x50', PORT],
    ['PORT', '8080 8081', PORT],
    ['GRPC_PORT', '1e3', PORT],
    ['DEBUG_PORT', ':6070', PORT],
    ['MEMORY_SUBJECTS_MAX', '4294967296', INTEGER],
    ['MEMORY_SUBJECTS_MAX', '1_000', INTEGER],
    ['MEMORY_SUBJECTS_MAX', '1e6', INTEGER],
    ['EXPIRATION_JITTER_MAX_SECONDS', '-1', INTEGER],
    ['EXPIRATION_JITTER_MAX_SECONDS', '5s', INTEGER],
    ['REDIS_OP_TIMEOUT', '100', DURATION],
    ['REDIS_OP_TIMEOUT', '100 ms', DURATION],
    ['REDIS_OP_TIMEOUT', '-1s', DURATION],
    ['REDIS_OP_TIMEOUT', 'soon', DURATION],
    ['REDIS_OP_TIMEOUT', '1d', DURATION],
    ['DRAIN_DELAY', '5', DURATION],
    ['DRAIN_DELAY', '1.5s', DURATION],
    ['DRAIN_TIMEOUT', '10 s', DURATION],
    ['DRAIN_TIMEOUT', '1234567890s', DURATION],
  ])('%s=%s', (variable, text, expected) => {
    const read = (): unknown => readEnv({ [variable]: text });
    expect(read).toThrow(EnvError);
    expect(read).toThrow(`${variable}: ${expected}, got '${text}'`);
  });
});
