/** Keys that the registry issued, the tokens of its operators and its hash secrets: none is found in anything that it leaves behind. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/children.ts';
import { type HttpAnswer, http1 } from '../support/clients-http.ts';
import { OtlpCollector } from '../support/otlp-collector.ts';
import { TestRedis } from '../support/redis.ts';
import { TestService } from '../support/service.ts';
import { Doors } from './calls.ts';

const TOKENS = {
  used: 'Adm1n-Token-that-is-used',
  unused: 'Adm1n-Token-that-is-not',
  wrong: 'Adm1n-Token-that-is-wrong',
};
const HASH_SECRETS = { now: 'Hash-S3cret-of-today', before: 'Hash-S3cret-of-yesterday' };
const IDEMPOTENCY_KEY = 'Idempotency-K3y-planted';

interface Issued {
  readonly id: string;
  readonly key: string;
}

let redis: TestRedis;
let collector: OtlpCollector;
let service: TestService;
/** What is looked for, by what it is. */
const secrets: Record<string, string> = {};
let page = '';
let stored: readonly Buffer[] = [];
const refusals: HttpAnswer[] = [];

beforeAll(async () => {
  [redis, collector] = await Promise.all([TestRedis.start(), OtlpCollector.start()]);
  service = await TestService.start({
    REDIS_URL: redis.socket,
    ADMIN_TOKEN: `${TOKENS.used},${TOKENS.unused}`,
    API_KEY_HASH_SECRET: HASH_SECRETS.now,
    API_KEY_HASH_SECRET_PREVIOUS: HASH_SECRETS.before,
    LOG_LEVEL: 'debug',
    ...collector.env,
    OTEL_LOG_LEVEL: 'debug',
  });
  await runRegistry();
  stored = await everythingIn(redis);
  page = await (await fetch(`${service.debug}/metrics`)).text();
  await breakRegistry();
  await service.stop();
}, 60_000);

afterAll(() => Promise.all([redis.stop(), collector.stop()]));

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return http1(service.http + path, {
    method,
    headers: { authorization: `Bearer ${TOKENS.used}`, 'content-type': 'application/json', ...headers },
    ...(text === undefined ? {} : { body: text }),
  });
}

async function issued(path: string, body: object, headers?: Record<string, string>): Promise<Issued> {
  const { status, text } = await call('POST', path, body, headers);
  if (status > 201) throw new Error(text);
  return JSON.parse(text) as Issued;
}

/** Of a key only the id is no secret. */
function plant(what: string, { key }: Issued): void {
  secrets[what] = key;
  secrets[`${what}, its secret part`] = key.slice(16, 36);
}

async function runRegistry(): Promise<void> {
  const doors = new Doors(service);
  const once = { 'idempotency-key': IDEMPOTENCY_KEY };
  const first = await issued('/v1/keys', { name: 'first', metadata: { team: 'a' } }, once);
  expect((await issued('/v1/keys', { name: 'first', metadata: { team: 'a' } }, once)).key).toBe(first.key);
  const second = await issued('/v1/keys', { name: 'second', type: 'publishable', rate_limit_per_minute: 1 });
  const rotated = await issued(`/v1/keys/${first.id}/rotate`, { grace_seconds: 100 }, once);
  plant('a created key', first);
  plant('a publishable key', second);
  plant('a rotated key', rotated);
  Object.assign(secrets, TOKENS, HASH_SECRETS, { IDEMPOTENCY_KEY });
  for (const { key } of [first, rotated, second, second]) {
    await doors.rls('closient', [`api_key=${key}`]);
    await doors.check({ api_key: key });
    await doors.connect('closient', [`api_key=${key}`]);
    await call('POST', '/v1/keys/lookup', { key });
  }
  await call('PATCH', `/v1/keys/${second.id}`, { status: 'disabled' });
  await doors.rls('closient', [`api_key=${second.key}`]);
  await call('POST', `/v1/keys/${first.id}/reset`, {});
  await call('DELETE', `/v1/keys/${second.id}`);
  await misuse(first.key);
  for (const path of ['/v1/keys', `/v1/keys/${first.id}`, `/v1/keys/${first.id}/usage`, '/v1/audit']) {
    refusals.push(await call('GET', path));
  }
}

/** Secrets where nobody expects them; and a token that is none. */
async function misuse(key: string): Promise<void> {
  refusals.push(
    await call('GET', '/v1/keys', undefined, { authorization: `Bearer ${TOKENS.wrong}` }),
    await call('GET', '/v1/keys', undefined, { authorization: TOKENS.wrong }),
    await call('POST', '/v1/keys', { name: 'x', [key]: key }),
    await call('POST', '/v1/keys', { name: 7, type: key }),
    await call('POST', '/v1/keys/lookup', { key: `${key}!` }),
    await call('POST', '/v1/keys/lookup', { key: [key] }),
    await call('GET', `/v1/keys/${key}`),
    await call('PATCH', `/v1/keys/${key}`, { name: 'x' }),
    await call('GET', `/v1/keys?name=${key}&sort=${key}`),
    await call('PUT', `/v1/keys/${key}`, { name: 'x' }),
    await call('POST', '/v1/limits/reset', { address: key }),
  );
}

/** Redis gone: errors of its client carry the commands that failed. */
async function breakRegistry(): Promise<void> {
  await redis.kill();
  const failing = () => call('POST', '/v1/keys', { name: 'x' }, { 'idempotency-key': IDEMPOTENCY_KEY });
  await until('calls fail', async () => (await failing()).status === 503);
  await call('POST', '/v1/keys/lookup', { key: secrets['a created key'] });
}

/** Names and values of all types, values both as they are and as Redis packs them. */
async function everythingIn({ client }: TestRedis): Promise<Buffer[]> {
  const names = await client.keysBuffer('*');
  const found: Buffer[] = [...names];
  for (const name of names) {
    const type = await client.type(name);
    if (type === 'string') found.push((await client.getBuffer(name)) as Buffer);
    if (type === 'hash') found.push(...Object.values(await client.hgetallBuffer(name)));
    if (type === 'zset') found.push(...(await client.zrangeBuffer(name, '0', '-1')));
    if (type === 'stream') found.push(Buffer.from(JSON.stringify(await client.xrange(name, '-', '+'))));
    found.push((await client.dumpBuffer(name)) as Buffer);
  }
  return found;
}

test('there is something to be searched', () => {
  expect(stored.length).toBeGreaterThan(30);
  expect(Object.keys(secrets).length).toBeGreaterThan(10);
  expect(page).toContain('invalid_key');
  expect(service.output).toContain('key.rotated');
  expect(collector.bytes.includes('/v1/keys')).toBe(true);
});

describe('no issued key, no token and no hash secret', () => {
  const places: Readonly<Record<string, () => readonly (string | Buffer)[]>> = {
    'Redis, names and values': () => stored,
    'spans and metrics that were sent': () => [collector.bytes],
    'standard output and standard error': () => [service.output],
    'the Prometheus page': () => [page],
    'answers that show none, and refusals': () => refusals.map(({ text, headers }) => text + JSON.stringify(headers)),
  };
  test.each(Object.keys(places))('is in %s', (place) => {
    const texts = places[place]?.() ?? [];
    expect(texts.length).toBeGreaterThan(0);
    const leaks = Object.entries(secrets).filter(([, secret]) => texts.some((text) => text.includes(secret)));
    expect(leaks.map(([what]) => what)).toEqual([]);
  });
});
