/** Every mistake that can be made at the admin API: its exact status, code and field, for every route. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type AdminAnswer, AdminApiUnderTest } from '../support/admin-api.ts';
import { GENEROUS, SHOP } from '../support/admin-policies.ts';

let api: AdminApiUnderTest;
/** A record that no mistake may change. */
let victim: AdminAnswer['json'];

beforeAll(async () => {
  api = await AdminApiUnderTest.start([SHOP, GENEROUS]);
  victim = await api.create({ name: 'victim' });
});

afterEach(async () => {
  const { json } = await api.call('GET', `/v1/keys/${victim.id}`);
  expect(json).toMatchObject({ version: 1, name: 'victim' });
  expect(api.server.log.filter((line) => line.includes('"level":"error"'))).toEqual([]);
});

afterAll(() => api.stop());

function expectRefused(answer: AdminAnswer, status: number, code: string, field: string): void {
  expect(answer.json).toEqual({
    error: { code, message: expect.any(String), status, details: { field } },
  });
  expect(answer.status).toBe(status);
  expect(answer.headers['cache-control']).toBe('no-store');
}

/** The victim's id stands for ID. */
function at(path: string): string {
  return path.replace('ID', victim.id);
}

/** Every route, with a body that it takes. */
const ROUTES: readonly [method: string, path: string, body: object | undefined][] = [
  ['POST', '/v1/keys', { name: 'n' }],
  ['GET', '/v1/keys', undefined],
  ['POST', '/v1/keys/lookup', { key: 'k' }],
  ['GET', '/v1/keys/ID', undefined],
  ['PATCH', '/v1/keys/ID', { name: 'n' }],
  ['DELETE', '/v1/keys/ID', undefined],
  ['GET', '/v1/keys/ID/usage', undefined],
  ['POST', '/v1/keys/ID/reset', {}],
  ['POST', '/v1/keys/ID/rotate', {}],
  ['GET', '/v1/audit', undefined],
  ['POST', '/v1/limits/reset', { token: true }],
];

describe('without a token', () => {
  test.each(ROUTES)('%s %s is 401', async (method, path, body) => {
    const answer = await api.call(method, at(path), { token: null, body });
    expectRefused(answer, 401, 'UNAUTHENTICATED', 'authorization');
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  });
});

describe('with a wrong token', () => {
  test.each(ROUTES)('%s %s is 401, in the same words', async (method, path, body) => {
    const answer = await api.call(method, at(path), { token: 'wrong', body });
    const without = await api.call(method, at(path), { token: null, body });
    expectRefused(answer, 401, 'UNAUTHENTICATED', 'authorization');
    expect(answer.text).toBe(without.text);
  });

  test.each([
    ['an id that there is not', '/v1/keys/key_000000000000'],
    ['what is no id', '/v1/keys/x'],
  ])('%s is 401 like any other', async (_what, path) => {
    expectRefused(await api.call('GET', path, { token: 'wrong' }), 401, 'UNAUTHENTICATED', 'authorization');
  });

  test.each([
    ['no JSON', '{'],
    ['too large', ' '.repeat(70_000)],
  ])('a body that is %s is 401 like any other', async (_what, body) => {
    expectRefused(
      await api.call('POST', '/v1/keys', { token: 'wrong', body }),
      401,
      'UNAUTHENTICATED',
      'authorization',
    );
  });

  test.each([
    ['another scheme', 'Basic Zmlyc3Q6'],
    ['no scheme', 'first-admin-token-0123456789'],
    ['no token', 'Bearer '],
    ['two tokens', 'Bearer a b'],
  ])('%s is 401', async (_what, authorization) => {
    const answer = await api.call('GET', '/v1/keys', { token: null, headers: { authorization } });
    expectRefused(answer, 401, 'UNAUTHENTICATED', 'authorization');
  });
});

describe('a wrong method is 405 with what is allowed, token or not', () => {
  test.each([
    ['PUT', '/v1/keys', 'GET, HEAD, POST'],
    ['DELETE', '/v1/keys', 'GET, HEAD, POST'],
    ['PUT', '/v1/keys/ID', 'GET, HEAD, PATCH, DELETE'],
    ['POST', '/v1/keys/ID', 'GET, HEAD, PATCH, DELETE'],
    ['POST', '/v1/keys/ID/usage', 'GET, HEAD'],
    ['GET', '/v1/keys/ID/reset', 'POST'],
    ['GET', '/v1/keys/ID/rotate', 'POST'],
    ['PUT', '/v1/keys/lookup', 'GET, HEAD, POST, PATCH, DELETE'],
    ['POST', '/v1/audit', 'GET, HEAD'],
    ['GET', '/v1/limits/reset', 'POST'],
  ])('%s %s', async (method, path, allow) => {
    for (const token of [undefined, null]) {
      const answer = await api.callUndocumented(method, at(path), token === null ? { token } : {});
      expect(answer.json).toMatchObject({ error: { code: 'METHOD_NOT_ALLOWED', details: { field: 'method' } } });
      expect(answer.status).toBe(405);
      expect(answer.headers.allow).toBe(allow);
    }
  });
});

describe('an unknown id is 404', () => {
  const withId = ROUTES.filter(([, path]) => path.includes('ID'));
  test.each(
    withId.flatMap(([method, path, body]) =>
      ['key_000000000000', 'key_', 'x', `key_${'0'.repeat(500)}`, 'key_00000000000%2f'].map(
        (id) => [method, path.replace('ID', id), body] as const,
      ),
    ),
  )('%s %s', async (method, path, body) => {
    const answer = await api.call(method, path, body === undefined ? {} : { body });
    expectRefused(answer, 404, 'NOT_FOUND', 'id');
  });
});

describe('a body is 400 where it is not as documented:', () => {
  const many = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`m${index}`, '']));
  const NEW = { name: 'n' };
  test.each<[method: string, path: string, what: string, body: unknown, field: string]>([
    ['POST', '/v1/keys', 'nothing in it', {}, 'name'],
    ['POST', '/v1/keys', 'a list', [], 'body'],
    ['POST', '/v1/keys', 'no JSON', '{', 'body'],
    ['POST', '/v1/keys', 'an unknown field', { ...NEW, limit: 5 }, 'limit'],
    ['POST', '/v1/keys', 'a name of another type', { name: 5 }, 'name'],
    ['POST', '/v1/keys', 'an empty name', { name: '' }, 'name'],
    ['POST', '/v1/keys', 'a name of 101 characters', { name: 'é'.repeat(101) }, 'name'],
    ['POST', '/v1/keys', 'a name with a line break', { name: 'a\nb' }, 'name'],
    ['POST', '/v1/keys', 'a name with half a character', '{"name":"\\ud83d"}', 'name'],
    ['POST', '/v1/keys', 'an unknown type', { ...NEW, type: 'public' }, 'type'],
    ['POST', '/v1/keys', 'a negative limit', { ...NEW, rate_limit_per_minute: -1 }, 'rate_limit_per_minute'],
    ['POST', '/v1/keys', 'half a request', { ...NEW, rate_limit_per_day: 0.5 }, 'rate_limit_per_day'],
    ['POST', '/v1/keys', 'a limit of 2^32', { ...NEW, rate_limit_per_day: 2 ** 32 }, 'rate_limit_per_day'],
    ['POST', '/v1/keys', 'a limit as text', { ...NEW, rate_limit_per_day: '5' }, 'rate_limit_per_day'],
    ['POST', '/v1/keys', 'created revoked', { ...NEW, status: 'revoked' }, 'status'],
    ['POST', '/v1/keys', 'no time', { ...NEW, expires_at: 'tomorrow' }, 'expires_at'],
    ['POST', '/v1/keys', 'no zone', { ...NEW, expires_at: '2030-01-01T00:00:00' }, 'expires_at'],
    ['POST', '/v1/keys', 'no such day', { ...NEW, expires_at: '2030-02-30T00:00:00Z' }, 'expires_at'],
    ['POST', '/v1/keys', 'a time in 1970', { ...NEW, expires_at: '1970-01-01T00:00:00Z' }, 'expires_at'],
    ['POST', '/v1/keys', 'a time before 1971', { ...NEW, expires_at: '1971-01-01T00:00:00+00:01' }, 'expires_at'],
    ['POST', '/v1/keys', 'a time after 9999', { ...NEW, expires_at: '9999-12-31T23:59:59-12:00' }, 'expires_at'],
    [
      'POST',
      '/v1/keys',
      'rounded up beyond 9999',
      { ...NEW, expires_at: '9999-12-31T23:59:59.9999999Z' },
      'expires_at',
    ],
    ['PATCH', '/v1/keys/ID', 'a time after 9999', { expires_at: '9999-12-31T23:59:59.001Z' }, 'expires_at'],
    ['POST', '/v1/keys', 'metadata of numbers', { ...NEW, metadata: { a: 1 } }, 'metadata.a'],
    ['POST', '/v1/keys', '17 entries of metadata', { ...NEW, metadata: many }, 'metadata'],
    ['POST', '/v1/keys', 'metadata of 501 characters', { ...NEW, metadata: { a: 'x'.repeat(501) } }, 'metadata.a'],
    [
      'POST',
      '/v1/keys',
      'a name of metadata of 41',
      { ...NEW, metadata: { ['x'.repeat(41)]: '' } },
      `metadata.${'x'.repeat(41)}`,
    ],
    ['PATCH', '/v1/keys/ID', 'nothing in it', {}, 'body'],
    ['PATCH', '/v1/keys/ID', 'an unknown field', { colour: 'red' }, 'colour'],
    ['PATCH', '/v1/keys/ID', 'a field that stays', { type: 'secret' }, 'type'],
    ['PATCH', '/v1/keys/ID', 'a version', { version: 5 }, 'version'],
    ['PATCH', '/v1/keys/ID', 'a name of another type', { name: null }, 'name'],
    ['PATCH', '/v1/keys/ID', 'a name of 101 characters', { name: 'x'.repeat(101) }, 'name'],
    ['PATCH', '/v1/keys/ID', 'a status that there is not', { status: 'expired' }, 'status'],
    ['POST', '/v1/keys/ID/rotate', 'an unknown field', { grace: 5 }, 'grace'],
    ['POST', '/v1/keys/ID/rotate', 'a negative time', { grace_seconds: -1 }, 'grace_seconds'],
    ['POST', '/v1/keys/ID/rotate', 'more than a year', { grace_seconds: 31_536_001 }, 'grace_seconds'],
    ['POST', '/v1/keys/ID/rotate', 'a time as text', { grace_seconds: '5' }, 'grace_seconds'],
    ['POST', '/v1/keys/ID/rotate', 'null', 'null', 'body'],
    ['POST', '/v1/keys/ID/reset', 'an unknown field', { windows: 'day' }, 'windows'],
    ['POST', '/v1/keys/ID/reset', 'a window of another type', { window: 86_400 }, 'window'],
    ['POST', '/v1/keys/ID/reset', 'a window that there is not', { window: 'hour' }, 'window'],
    ['POST', '/v1/keys/ID/reset', 'a domain that there is not', { domain: 'stock' }, 'domain'],
    ['POST', '/v1/keys/ID/reset', 'the domain of the admin API', { domain: 'headroom_admin' }, 'domain'],
    ['POST', '/v1/keys/lookup', 'nothing in it', {}, 'key'],
    ['POST', '/v1/keys/lookup', 'an unknown field', { key: 'k', id: 'k' }, 'id'],
    ['POST', '/v1/keys/lookup', 'a key of another type', { key: 5 }, 'key'],
    ['POST', '/v1/keys/lookup', 'what is no key', { key: 'k' }, 'key'],
    ['POST', '/v1/keys/lookup', 'a key that is too long', { key: 'k'.repeat(257) }, 'key'],
    ['POST', '/v1/limits/reset', 'nothing in it', {}, 'body'],
    ['POST', '/v1/limits/reset', 'an unknown field', { all: true }, 'all'],
    ['POST', '/v1/limits/reset', 'what is no address', { address: 'localhost' }, 'address'],
    ['POST', '/v1/limits/reset', 'an address of another type', { address: 1 }, 'address'],
    ['POST', '/v1/limits/reset', 'token: false', { token: false }, 'token'],
  ])('%s %s: %s', async (method, path, _what, body, field) => {
    expectRefused(await api.call(method, at(path), { body }), 400, 'INVALID_REQUEST', field);
  });
});

describe('a query is 400 where it is not as documented, naming the parameter:', () => {
  test.each([
    ['/v1/keys?page=0', 'page'],
    ['/v1/keys?page=-1', 'page'],
    ['/v1/keys?page=1.5', 'page'],
    ['/v1/keys?page=1e1', 'page'],
    ['/v1/keys?page=0x1', 'page'],
    ['/v1/keys?page=', 'page'],
    ['/v1/keys?page=%201', 'page'],
    ['/v1/keys?page=2147483648', 'page'],
    ['/v1/keys?page=99999999999999999999', 'page'],
    ['/v1/keys?page=1&page=2', 'page'],
    ['/v1/keys?page_size=0', 'page_size'],
    ['/v1/keys?page_size=101', 'page_size'],
    ['/v1/keys?page_size=abc', 'page_size'],
    ['/v1/keys?type=public', 'type'],
    ['/v1/keys?status=expired', 'status'],
    ['/v1/keys?name=', 'name'],
    [`/v1/keys?name=${'x'.repeat(101)}`, 'name'],
    ['/v1/keys?sort=id', 'sort'],
    ['/v1/keys?name=a&sort=created_at', 'sort'],
    ['/v1/keys?name=a&sort=-created_at', 'sort'],
    ['/v1/keys?limit=5', 'limit'],
    ['/v1/audit?page=0', 'page'],
    ['/v1/audit?page_size=101', 'page_size'],
    ['/v1/audit?actor=x', 'actor'],
  ])('%s', async (path, field) => {
    expectRefused(await api.call('GET', path), 400, 'INVALID_REQUEST', field);
  });
});

describe('a header is refused where it is not as documented:', () => {
  test.each<[method: string, path: string, headers: Record<string, string>, status: number, field: string]>([
    ['PATCH', '/v1/keys/ID', { 'if-match': '1' }, 400, 'if-match'],
    ['PATCH', '/v1/keys/ID', { 'if-match': '"1' }, 400, 'if-match'],
    ['PATCH', '/v1/keys/ID', { 'if-match': '"1" "2"' }, 400, 'if-match'],
    ['PATCH', '/v1/keys/ID', { 'if-match': '' }, 400, 'if-match'],
    ['PATCH', '/v1/keys/ID', { 'if-match': '*, "1"' }, 400, 'if-match'],
    ['PATCH', '/v1/keys/ID', { 'if-match': '"2"' }, 412, 'if-match'],
    ['PATCH', '/v1/keys/ID', { 'if-match': 'W/"1"' }, 412, 'if-match'],
    ['PATCH', '/v1/keys/ID', { 'if-match': '"01", "2", "x"' }, 412, 'if-match'],
    ['DELETE', '/v1/keys/ID', { 'if-match': '1' }, 400, 'if-match'],
    ['DELETE', '/v1/keys/ID', { 'if-match': '"2"' }, 412, 'if-match'],
    ['POST', '/v1/keys/ID/rotate', { 'if-match': '"2"' }, 412, 'if-match'],
    ['POST', '/v1/keys/ID/rotate', { 'idempotency-key': 'a b' }, 400, 'idempotency-key'],
    ['POST', '/v1/keys', { 'idempotency-key': '' }, 400, 'idempotency-key'],
    ['POST', '/v1/keys', { 'idempotency-key': 'x'.repeat(256) }, 400, 'idempotency-key'],
    ['POST', '/v1/keys', { 'idempotency-key': 'é' }, 400, 'idempotency-key'],
    ['POST', '/v1/keys', { 'content-type': 'text/plain' }, 415, 'content-type'],
  ])('%s %s %j is %i', async (method, path, headers, status, field) => {
    const body = method === 'DELETE' || path.endsWith('rotate') ? undefined : { name: 'changed' };
    const code = { 400: 'INVALID_REQUEST', 412: 'PRECONDITION_FAILED', 415: 'UNSUPPORTED_MEDIA_TYPE' }[
      status
    ] as string;
    expectRefused(await api.call(method, at(path), { headers, body }), status, code, field);
  });

  test('a body of more than 64 KiB is 413', async () => {
    const answer = await api.call('POST', '/v1/keys', { body: ' '.repeat(65_537) });
    expectRefused(answer, 413, 'PAYLOAD_TOO_LARGE', 'body');
  });
});

describe('an error never repeats what may be a key:', () => {
  const KEY = `csk_${'Secret0'.repeat(6).slice(0, 38)}`;
  test.each<[what: string, method: string, path: string, body: unknown]>([
    ['as the key that is looked up', 'POST', '/v1/keys/lookup', { key: KEY }],
    ['as a field', 'POST', '/v1/keys/lookup', { [KEY]: 'x' }],
    ['as the whole body', 'POST', '/v1/keys/lookup', JSON.stringify(KEY)],
    ['in what is no JSON', 'POST', '/v1/keys/lookup', `{"key":${KEY}}`],
    ['as a type', 'POST', '/v1/keys', { name: 'n', type: KEY }],
    ['as a name of metadata', 'POST', '/v1/keys', { name: 'n', metadata: { [KEY]: 5 } }],
    ['as an id', 'GET', `/v1/keys/${KEY}`, undefined],
    ['as a parameter', 'GET', `/v1/keys?${KEY}=1`, undefined],
    ['as a sort', 'GET', `/v1/keys?sort=${KEY}`, undefined],
    ['in an unknown address', 'GET', `/v1/keys/${KEY}/x`, undefined],
    ['as a token', 'GET', '/v1/keys', undefined],
  ])('%s', async (what, method, path, body) => {
    const answer = await api.callUndocumented(method, path, { body, ...(what === 'as a token' && { token: KEY }) });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.text).not.toContain(KEY.slice(0, 20));
    expect(JSON.stringify(answer.headers)).not.toContain(KEY.slice(0, 20));
  });
});
