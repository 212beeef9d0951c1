/** What is logged: lines of the level and format asked for, without secrets. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { diag } from '@opentelemetry/api';
import { createLogger, type LogOptions } from '../../src/observability/logger.ts';
import { startTelemetry } from '../../src/observability/telemetry.ts';
import type { Log } from '../../src/ports/log.ts';
import { until } from '../support/children.ts';
import { TestRedis } from '../support/redis.ts';
import { TestService } from '../support/service.ts';

const SECRET = 'S3cr3t-never-written';

describe('the level', () => {
  const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

  test.each(LEVELS.map((level, index) => [level, LEVELS.slice(index)] as const))(
    '%s lets pass %j',
    (level, passing) => {
      const { log, lines } = logTo(level);
      for (const each of LEVELS) log[each]({}, 'event');
      const names = passing.map((each) => (each === 'warn' ? 'warning' : each));
      expect(lines().map((line) => line.level)).toEqual(names);
    },
  );

  test('fatal lets none of them pass, trace all', () => {
    const [silent, loud] = [logTo('fatal'), logTo('trace')];
    for (const { log } of [silent, loud]) for (const each of LEVELS) log[each]({}, 'event');
    expect(silent.text()).toBe('');
    expect(loud.lines()).toHaveLength(LEVELS.length);
  });
});

test('a line of the format json is one object with level, time, message and the fields', () => {
  const { log, text } = logTo('info');
  log.info({ path: '/a\nb', count: 3, list: ['x', { y: null }] }, 'loaded');
  expect(text()).toMatch(/^[^\n]+\n$/);
  const { '@timestamp': time, ...rest } = JSON.parse(text());
  expect(rest).toEqual({ level: 'info', path: '/a\nb', count: 3, list: ['x', { y: null }], '@message': 'loaded' });
  expect(new Date(time).toISOString()).toBe(time);
});

describe('a line of the format text', () => {
  test('is one line of logfmt with time, level, message and the fields, quoted where they need it', () => {
    const { log, text } = logTo('info', 'text');
    log.warn({ path: '/a/b.yaml', reason: 'a "b"\nc', count: 3, on: true, list: ['x'], empty: '' }, 'not loaded');
    expect(text()).toMatch(/^time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z" level=warning msg="not loaded" /);
    expect(text().slice(text().indexOf('path='))).toBe(
      'path=/a/b.yaml reason="a \\"b\\"\\nc" count=3 on=true list="[\\"x\\"]" empty=""\n',
    );
  });

  test('holds no secret and one line of an error, its stack included', () => {
    const { log, text } = logTo('info', 'text');
    log.error({ password: SECRET, err: Object.assign(new Error('lost'), { command: SECRET }) }, 'event');
    expect(text()).toMatch(/^[^\n]+ msg=event password="\[redacted\]" err=".*lost.*"\n$/);
    expect(text()).not.toContain(SECRET);
  });
});

describe('a field named like a secret is not written', () => {
  test.each([
    'password',
    'passwd',
    'passphrase',
    'redisPassword',
    'secret',
    'apiKeyHashSecret',
    'API_KEY_HASH_SECRET',
    'token',
    'adminToken',
    'authorization',
    'Authorization',
    'auth',
    'REDIS_AUTH',
    'api_key',
    'apiKey',
    'api-keys',
    'x-api-key',
    'cookie',
    'set-cookie',
    'credentials',
    'redisUrl',
    'REDIS_URL',
  ])('%s', (name) => {
    const { log, text } = logTo('debug');
    log.info({ [name]: SECRET, store: { redis: { [name]: SECRET } }, list: [{ [name]: { deep: SECRET } }] }, 'event');
    expect(text()).toContain('[redacted]');
    expect(text()).not.toContain(SECRET);
  });

  test.each(['path', 'reason', 'domains', 'policy', 'author', 'compass', 'bypass', 'key_count'])(
    'but %s is',
    (name) => {
      const { log, lines } = logTo('debug');
      log.info({ [name]: 'plain' }, 'event');
      expect(lines()[0]).toMatchObject({ [name]: 'plain' });
    },
  );

  test('nor what lies too deep to be looked at', () => {
    const { log, text } = logTo('debug');
    log.info({ a: { b: { c: { d: { e: { f: SECRET } } } } } }, 'event');
    expect(text()).not.toContain(SECRET);
  });
});

describe('an error', () => {
  const error = Object.assign(new TypeError('WRONGPASS invalid'), {
    code: 'EAUTH',
    command: { name: 'auth', args: ['default', SECRET] },
    cause: Object.assign(new Error('no such user', { cause: new Error('at all') }), { code: 'E1', command: SECRET }),
  });

  test.each<[string, (log: Log) => void]>([
    ['as the field err', (log) => log.warn({ err: error }, 'failed')],
    ['as another field', (log) => log.warn({ failure: error }, 'failed')],
    ['in a list', (log) => log.warn({ failures: [error] }, 'failed')],
    ['alone', (log) => log.warn(error, 'failed')],
  ])('%s is written with name, message, code, stack and causes, and nothing else', (_name, write) => {
    const { log, text } = logTo('debug');
    write(log);
    expect(text()).not.toContain(SECRET);
    expect(text()).toContain('"name":"TypeError","message":"WRONGPASS invalid","code":"EAUTH","stack":"TypeError');
    expect(text()).toContain(
      '"cause":{"name":"Error","message":"no such user","code":"E1","cause":{"name":"Error","message":"at all"}}}',
    );
  });
});

test('an error that is its own cause is written all the same', () => {
  const { log, lines } = logTo('debug');
  const circle = new Error('a');
  circle.cause = circle;
  log.warn({ err: circle }, 'failed');
  expect(lines()).toHaveLength(1);
});

describe('whatever the fields are called and hold', () => {
  const hostile = { level: 'info', time: '1970', msg: 'fine', '@message': 'fine', '@timestamp': '1970' };

  test('level, time and message of an object are its own', () => {
    const { log, lines, text } = logTo('debug');
    log.error(hostile, 'failed');
    expect(lines()[0]).toMatchObject({ level: 'error', '@message': 'failed', 'fields.level': 'info' });
    expect(text().match(/"level":/g)).toHaveLength(1);
  });

  test('and those of a line of text', () => {
    const { log, text } = logTo('debug', 'text');
    log.error({ ...hostile, 'a=1 level': 'info' }, 'failed');
    expect(text()).toMatch(
      /^time="2\S+" level=error msg=failed fields.level=info fields.time=1970 fields.msg=fine fields.@message=fine fields.@timestamp=1970 a_1_level=info\n$/,
    );
  });

  test.each(['json', 'text'] as const)('no character of a line of %s moves a cursor or ends the line', (format) => {
    const { log, text } = logTo('debug', format);
    const value = '\u009b31m\u2028\u2029\u007f\u001b[0m\n';
    log.info({ value }, 'read');
    expect(text().slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
    expect(text()).toContain('"\\u009b31m\\u2028\\u2029\\u007f\\u001b[0m\\n"');
    if (format === 'json') expect(JSON.parse(text())).toMatchObject({ value });
  });
});

test("the SDK's complaints are warnings in the same log, without its debugging", async () => {
  const { log, lines } = logTo('debug');
  const telemetry = await startTelemetry({
    env: { OTEL_METRICS_EXPORTER: 'carrier-pigeon' },
    version: '1.2.3',
    log,
    countersIn: 'memory',
  });
  diag.error('could not export');
  diag.error(JSON.stringify({ stack: 'Error: at', message: 'connect "refused"', data: SECRET }));
  diag.info('chatter');
  await telemetry.shutdown();
  diag.disable();
  const reasons = lines().map(({ level, '@message': message, reason }) => [level, message, reason]);
  expect(reasons).toEqual([
    ['warning', 'telemetry has a problem', expect.stringContaining("got 'carrier-pigeon'")],
    ['warning', 'telemetry has a problem', 'could not export'],
    ['warning', 'telemetry has a problem', 'connect "refused"'],
  ]);
});

describe('a service that Redis refuses', () => {
  let redis: TestRedis;
  let service: TestService;

  beforeAll(async () => {
    redis = await TestRedis.start();
    await redis.client.config('SET', 'requirepass', 'another password');
    const url = `redis://:${SECRET}@127.0.0.1:${redis.port}`;
    service = await TestService.start({ REDIS_URL: url, LOG_LEVEL: 'debug' });
  });

  afterAll(async () => {
    await service.stop();
    await redis.stop();
  });

  test('says why in JSON lines, and never with which password', async () => {
    await until('the refusal was logged', () => service.output.includes('WRONGPASS'));
    for (const line of service.output.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('level');
    expect(service.output).not.toContain(SECRET);
  });

  test('does not tell its callers either', async () => {
    const ready = await fetch(`${service.http}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.text()).not.toContain(SECRET);
  });
});

interface Line {
  readonly level: string;
  readonly '@message': string;
  readonly reason?: string;
}

function logTo(
  level: LogOptions['level'],
  format: LogOptions['format'] = 'json',
): { log: Log; text: () => string; lines: () => Line[] } {
  let written = '';
  const log = createLogger({ level, format }, { write: (line) => (written += line) });
  const lines = () =>
    written
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Line);
  return { log, text: () => written, lines };
}
