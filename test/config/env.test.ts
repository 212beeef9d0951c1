/** readEnv: text becomes typed values; an empty variable is an unset one; a malformed or refused one is named. */
import { describe, expect, test } from '@jest/globals';
import { EnvError, readEnv } from '../../src/config/env.ts';
import { NOT_OFFERED } from '../../src/config/not-offered.ts';
import { VARIABLES, type VariableName } from '../../src/config/variables.ts';

const PORT = 'expected a port from 0 to 65535';
const DURATION = 'expected a duration such as 100ms, 5s, 1h30m';
const DRAIN = 'expected a duration from 0 to 24h';

describe('a good variable', () => {
  test.each<[variable: VariableName, text: string, value: unknown]>([
    ['HOST', '::1', '::1'],
    ['PORT', '0', 0],
    ['PORT', '65535', 65_535],
    ['LOG_LEVEL', 'WARN', 'warn'],
    ['LOG_LEVEL', 'panic', 'panic'],
    ['LOG_FORMAT', 'Json', 'json'],
    ['POLICY_PATH', '/a folder/b.yaml', '/a folder/b.yaml'],
    ['REDIS_TYPE', 'cluster', 'CLUSTER'],
    ['MEMORY_SUBJECTS_MAX', '4294967295', 4_294_967_295],
    ['LOCAL_CACHE_SIZE_IN_BYTES', '1099511627776', 1_099_511_627_776],
    ['EXPIRATION_JITTER_MAX_SECONDS', '-1', -1],
    ['EXPIRATION_JITTER_MAX_SECONDS', '-0', 0],
    ['REDIS_URL', 'redis://u:p@h:1/2', 'redis://u:p@h:1/2'],
    ['REDIS_AUTH', 'user:pass:word', 'user:pass:word'],
    ['CACHE_KEY_PREFIX', 'prod:', 'prod:'],
    ['NEAR_LIMIT_RATIO', '0.75', 0.75],
    ['NEAR_LIMIT_RATIO', '.5', 0.5],
    ['NEAR_LIMIT_RATIO', '1', 1],
    ['NEAR_LIMIT_RATIO', '8e-1', 0.8],
    ['USE_DOG_STATSD_MOGRIFIERS', 'FOO, BAR', ['FOO', 'BAR']],
    ['EXTRA_TAGS', 'env:prod', { env: 'prod' }],
    ['EXTRA_TAGS', 'env:prod, url:http://a:1,empty:', { env: 'prod', url: 'http://a:1', empty: '' }],
  ])('%s=%s is read', (variable, text, value) => {
    expect(readEnv({ [variable]: text })[variable]).toEqual(value);
    expect(readEnv({ [variable]: text }).given).toEqual(new Set([variable]));
  });

  test('may have space around it', () => {
    expect(readEnv({ PORT: ' 8080\n', HOST: '\t127.0.0.1 ' })).toMatchObject({ PORT: 8_080, HOST: '127.0.0.1' });
  });
});

describe('a duration is as in Go:', () => {
  test.each([
    ['0', 0],
    ['0s', 0],
    ['+5s', 5_000],
    ['250ms', 250],
    ['1.5s', 1_500],
    ['.5s', 500],
    ['1.s', 1_000],
    ['1h30m', 5_400_000],
    ['1h0m0.5s', 3_600_500],
    ['2m3s4ms', 123_004],
    ['0.1s', 100],
    ['1us', 1],
    ['1µs', 1],
    ['1ns', 1],
    ['1500us', 2],
    ['720h', 2_592_000_000],
  ])('%s is %d ms', (text, millis) => {
    expect(readEnv({ GRPC_MAX_CONNECTION_AGE: text }).GRPC_MAX_CONNECTION_AGE).toBe(millis);
  });
});

describe('a bool is as in Go:', () => {
  test.each(['1', 't', 'T', 'TRUE', 'true', 'True'])('%s is true', (text) => {
    expect(readEnv({ SHADOW_MODE: text }).SHADOW_MODE).toBe(true);
  });

  test.each(['0', 'f', 'F', 'FALSE', 'false', 'False'])('%s is false', (text) => {
    expect(readEnv({ RUNTIME_WATCH_ROOT: text }).RUNTIME_WATCH_ROOT).toBe(false);
  });
});

describe('an unset variable', () => {
  const unset = readEnv({});

  test('has its default, and counts as not given', () => {
    expect(unset).toMatchObject({ PORT: 8_080, LOG_LEVEL: 'warn', REDIS_URL: undefined, EXTRA_TAGS: {} });
    expect(unset.given.size).toBe(0);
  });

  test.each([...Object.keys(VARIABLES), ...Object.keys(NOT_OFFERED)])('is what an empty or blank %s is', (variable) => {
    expect(readEnv({ [variable]: '' })).toEqual(unset);
    expect(readEnv({ [variable]: ' \t' })).toEqual(unset);
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
    ['STATSD_PORT', '0', 'expected a port from 1 to 65535'],
    ['DEBUG_PORT', ':6070', PORT],
    ['MEMORY_SUBJECTS_MAX', '4294967296', 'expected an integer from 1 to 4294967295'],
    ['MEMORY_SUBJECTS_MAX', '0', 'expected an integer from 1 to 4294967295'],
    ['MEMORY_SUBJECTS_MAX', '1_000', 'expected an integer from 1 to 4294967295'],
    ['EXPIRATION_JITTER_MAX_SECONDS', '5s', 'expected an integer from -4294967295 to 4294967295'],
    ['LOCAL_CACHE_SIZE_IN_BYTES', '-1', 'expected an integer from 0 to 1099511627776'],
    ['GRPC_MAX_CONNECTION_AGE', '10', DURATION],
    ['GRPC_MAX_CONNECTION_AGE', '100 ms', DURATION],
    ['GRPC_MAX_CONNECTION_AGE', '-1s', DURATION],
    ['GRPC_MAX_CONNECTION_AGE', 'soon', DURATION],
    ['GRPC_MAX_CONNECTION_AGE', '1d', DURATION],
    ['GRPC_MAX_CONNECTION_AGE', '1h30', DURATION],
    ['GRPC_MAX_CONNECTION_AGE', '.s', DURATION],
    ['GRPC_MAX_CONNECTION_AGE', '+', DURATION],
    ['REDIS_OP_TIMEOUT', '0', 'expected a duration from 1ms to 60s'],
    ['REDIS_OP_TIMEOUT', '61s', 'expected a duration from 1ms to 60s'],
    // A timer of Node holds 31 bits: beyond, it fires at once, and the drain would be over before it began.
    ['DRAIN_DELAY', '597h', DRAIN],
    ['DRAIN_TIMEOUT', '24h1ms', DRAIN],
    ['DRAIN_TIMEOUT', '12345678901234567890s', DRAIN],
    ['SHADOW_MODE', 'yes', 'expected true or false'],
    ['SHADOW_MODE', 'tRUE', 'expected true or false'],
    ['SHADOW_MODE', 'constructor', 'expected true or false'],
    ['NEAR_LIMIT_RATIO', 'NaN', 'expected a number from 0 to 1'],
    ['NEAR_LIMIT_RATIO', 'Inf', 'expected a number from 0 to 1'],
    ['NEAR_LIMIT_RATIO', '-0.1', 'expected a number from 0 to 1'],
    ['NEAR_LIMIT_RATIO', '1.01', 'expected a number from 0 to 1'],
    ['NEAR_LIMIT_RATIO', '80%', 'expected a number from 0 to 1'],
    ['TRACING_SAMPLING_RATE', '1e999', 'expected a number'],
    ['EXTRA_TAGS', 'env', 'expected pairs such as name:value,name2:value2'],
    ['EXTRA_TAGS', ':prod', 'expected pairs such as name:value,name2:value2'],
    ['LOG_LEVEL', 'loud', 'expected one of trace, debug, info, warn, warning, error, fatal, panic'],
    ['LOG_FORMAT', 'xml', 'expected one of text, json'],
    ['BACKEND_TYPE', 'disk', 'expected one of redis, memory'],
    ['CONFIG_TYPE', 'ETCD', 'expected FILE'],
  ])('%s=%s', (variable, text, expected) => {
    const read = (): unknown => readEnv({ [variable]: text });
    expect(read).toThrow(EnvError);
    expect(read).toThrow(`${variable}: ${expected}, got '${text}'`);
  });
});

describe('a value that Kubernetes sets for a service of that name is refused with a word about it:', () => {
  test.each([
    ['PORT', PORT],
    ['GRPC_PORT', PORT],
    ['DEBUG_PORT', PORT],
    ['STATSD_PORT', 'expected a port from 1 to 65535'],
  ])('%s', (variable, expected) => {
    for (const link of ['tcp://10.0.0.1:8125', 'udp://10.0.0.1:8125', 'sctp://10.0.0.1:8125']) {
      const hint = 'Set by Kubernetes for a service of that name? enableServiceLinks: false';
      const message = `${expected}, got '${link}'. ${hint}`;
      expect(() => readEnv({ [variable]: link })).toThrow(new EnvError(variable, message));
    }
  });
});

test('of a long value a part is repeated', () => {
  const message = `expected a port from 0 to 65535, got '${'1'.repeat(100)}…'`;
  expect(() => readEnv({ PORT: '1'.repeat(100_000) })).toThrow(new EnvError('PORT', message));
});

describe('what the reference offers and Headroom does not is refused with the reason:', () => {
  test.each([
    ['BACKEND_TYPE', 'memcache', 'memcache is refused: memcached is not offered'],
    ['CONFIG_TYPE', 'GRPC_XDS_SOTW', 'GRPC_XDS_SOTW is refused: policies over xDS are not offered yet'],
    ['REDIS_POOL_ON_EMPTY_BEHAVIOR', 'CREATE', 'CREATE is not offered, nor by envoyproxy/ratelimit: use WAIT'],
    ['REDIS_PERSECOND_POOL_ON_EMPTY_BEHAVIOR', 'error', 'ERROR is not offered, nor by envoyproxy/ratelimit: use WAIT'],
  ])('%s=%s', (variable, text, message) => {
    expect(() => readEnv({ [variable]: text })).toThrow(new EnvError(variable, message));
  });

  test.each(Object.keys(NOT_OFFERED))('but %s, whatever its value, is not', (variable) => {
    expect(readEnv({ [variable]: 'x' })).toEqual(readEnv({}));
  });
});
