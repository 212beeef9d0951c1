/** Every mistake that a caller of the HTTP port can make at /v1/check, its exact answer, and that it cost nobody anything. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type HttpAnswer, http1, postJson, rawBytes } from '../support/clients-http.ts';
import { type InProcess, startInProcess } from '../support/in-process.ts';

const POLICY = `
domain: doors
descriptors:
  - key: user
    limits:
      - { requests: 5, per: year }
`;

function keyed(domain: string): string {
  return `
domain: ${domain}
descriptors:
  - key: api_key
    api_keys: true
    limits:
      - { requests: 5, per: year }
`;
}

/** Stands in every bad call; nothing must ever be charged to it. */
const VICTIM = { entries: [{ key: 'user', value: 'victim' }] };
const BODY_BYTES_MAX = 65_536;

let server: InProcess;

beforeAll(async () => {
  server = await startInProcess([POLICY, keyed('shop'), keyed('stock')]);
});

afterEach(async () => {
  const good = await check({ domain: 'doors', descriptors: [{ ...VICTIM, hits_addend: 0 }] });
  expect(good.status).toBe(200);
  expect(JSON.parse(good.text)).toMatchObject({ allowed: true, windows: [{ remaining: 5 }] });
  expect(server.log.filter((line) => line.includes('"level":"error"'))).toEqual([]);
});

afterAll(() => server.stop());

function check(body: unknown): Promise<HttpAnswer> {
  return postJson(`${server.http}/v1/check`, body);
}

function expectRefused(answer: HttpAnswer, status: number, code: string, message: string, details: object): void {
  expect(JSON.parse(answer.text)).toEqual({ error: { code, message, status, details } });
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toMatch(/^application\/json/);
}

/** A call for the victim, and one more descriptor. */
function and(descriptor: object): object {
  return { domain: 'doors', descriptors: [VICTIM, descriptor] };
}

const EMPTY = 'must not be empty';
const TOO_BIG = 'Too big: expected int to be <=9007199254740991';
const NOT_INT = 'Invalid input: expected int, received number';
const INVALID_JSON = "Body is not valid JSON but content-type is set to 'application/json'";

describe('/v1/check refuses with 400 and the envelope, naming the field,', () => {
  test.each<[what: string, body: unknown, field: string, message: string]>([
    ['an empty object', {}, 'descriptors', 'either descriptors or api_key is required'],
    ['a list', [], 'body', 'body: Invalid input: expected object, received array'],
    ['null', 'null', 'body', 'body: Invalid input: expected object, received null'],
    ['no JSON', '{', 'body', INVALID_JSON],
    ['an empty body', '', 'body', 'body: Invalid input: expected object, received null'],
    ['a built-in name as field', '{"__proto__":{"domain":"doors"}}', 'body', INVALID_JSON],
    ['a poisoned constructor', '{"constructor":{"prototype":{"x":1}}}', 'body', INVALID_JSON],
    ['no domain', { descriptors: [VICTIM] }, 'domain', 'rate limit domain must not be empty'],
    ['an empty domain', { domain: '', descriptors: [VICTIM] }, 'domain', `domain: ${EMPTY}`],
    [
      'a domain of another type',
      { domain: 5, descriptors: [VICTIM] },
      'domain',
      'domain: Invalid input: expected string, received number',
    ],
    ['no descriptors', { domain: 'doors', descriptors: [] }, 'descriptors', `descriptors: ${EMPTY}`],
    ['an unknown field', { ...and(VICTIM), descriptor: 1 }, 'descriptor', 'descriptor: Unrecognized key: "descriptor"'],
    [
      'an unknown field further in',
      and({ ...VICTIM, limit: {} }),
      'descriptors[1].limit',
      'descriptors[1].limit: Unrecognized key: "limit"',
    ],
    [
      'an empty key',
      and({ entries: [{ key: '', value: '' }] }),
      'descriptors[1].entries[0].key',
      `descriptors[1].entries[0].key: ${EMPTY}`,
    ],
    [
      'a missing value',
      and({ entries: [{ key: 'user' }] }),
      'descriptors[1].entries[0].value',
      'descriptors[1].entries[0].value: Invalid input: expected string, received undefined',
    ],
    [
      'a cost of 2^53',
      and({ ...VICTIM, hits_addend: 2 ** 53 }),
      'descriptors[1].hits_addend',
      `descriptors[1].hits_addend: ${TOO_BIG}`,
    ],
    [
      'a negative cost',
      and({ ...VICTIM, hits_addend: -1 }),
      'descriptors[1].hits_addend',
      'descriptors[1].hits_addend: Too small: expected number to be >=0',
    ],
    [
      'a fractional cost',
      and({ ...VICTIM, hits_addend: 1.5 }),
      'descriptors[1].hits_addend',
      `descriptors[1].hits_addend: ${NOT_INT}`,
    ],
    [
      'a cost as text',
      and({ ...VICTIM, hits_addend: '1' }),
      'descriptors[1].hits_addend',
      'descriptors[1].hits_addend: Invalid input: expected number, received string',
    ],
    ['hits of 2^53', { ...and(VICTIM), hits: 2 ** 53 }, 'hits', `hits: ${TOO_BIG}`],
    ['negative hits', { ...and(VICTIM), hits: -1 }, 'hits', 'hits: Too small: expected number to be >=0'],
    ['fractional hits', { ...and(VICTIM), hits: 0.5 }, 'hits', `hits: ${NOT_INT}`],
    [
      'an unpaired surrogate',
      '{"domain":"doors","descriptors":[{"entries":[{"key":"user","value":"\\ud83d"}]}]}',
      'descriptors[0].entries[0].value',
      'descriptors[0].entries[0].value is not well-formed Unicode',
    ],
    [
      '4,097 descriptors',
      { domain: 'doors', descriptors: Array.from({ length: 4_097 }, () => ({ entries: [] })) },
      'descriptors',
      'descriptors: Too big: expected array to have <=4096 items',
    ],
    [
      '65 entries',
      and({ entries: Array.from({ length: 65 }, () => ({ key: 'k', value: 'v' })) }),
      'descriptors[1].entries',
      'descriptors[1].entries: Too big: expected array to have <=64 items',
    ],
    [
      'a value of 8,193 bytes',
      and({ entries: [{ key: 'user', value: 'v'.repeat(8_193) }] }),
      'descriptors[1].entries[0].value',
      'descriptors[1].entries[0].value: at most 8192 bytes, got 8193',
    ],
    [
      'both api_key and descriptors',
      { ...and(VICTIM), api_key: 'k' },
      'api_key',
      'api_key and descriptors exclude each other',
    ],
    ['an empty api_key', { domain: 'shop', api_key: '' }, 'api_key', `api_key: ${EMPTY}`],
    [
      'an api_key that several domains limit',
      { api_key: 'k' },
      'domain',
      'domain is required: api_key is limited by shop, stock',
    ],
    [
      'an api_key with an unpaired surrogate',
      '{"domain":"shop","api_key":"\\ud83d"}',
      'api_key',
      'api_key is not well-formed Unicode',
    ],
    [
      'an api_key of 8,193 bytes',
      { domain: 'shop', api_key: 'k'.repeat(8_193) },
      'api_key',
      'api_key: at most 8192 bytes, got 8193',
    ],
  ])('%s', async (_what, body, field, message) => {
    expectRefused(await check(body), 400, 'INVALID_REQUEST', message, { field });
  });

  test('an api_key that no domain limits', async () => {
    const other = await startInProcess([POLICY]);
    const answer = await postJson(`${other.http}/v1/check`, { api_key: 'k' });
    await other.stop();
    const message = 'domain is required: no domain limits api_key';
    expectRefused(answer, 400, 'INVALID_REQUEST', message, { field: 'domain' });
  });

  test('a text that is not UTF-8: read leniently, two callers would share a counter', async () => {
    const body = Buffer.from(
      JSON.stringify({ domain: 'doors', descriptors: [{ entries: [{ key: 'user', value: '?' }] }] }),
    );
    body[body.indexOf('?')] = 0xff;
    const headers = { 'content-type': 'application/json' };
    const { status, text } = await http1(`${server.http}/v1/check`, { method: 'POST', headers, body });
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ error: { code: 'INVALID_REQUEST' } });
  });
});

describe('/v1/check takes what is just within the bounds:', () => {
  test.each<[what: string, descriptor: object]>([
    ['64 entries', { entries: Array.from({ length: 64 }, () => ({ key: 'k', value: 'v' })) }],
    ['a value of 8,192 bytes', { entries: [{ key: 'k', value: `${'€'.repeat(2_730)}ab` }] }],
    ['an empty value', { entries: [{ key: 'k', value: '' }] }],
    ['the names of built-in properties', { entries: [{ key: '__proto__', value: 'constructor' }] }],
    ['no entries', { entries: [] }],
  ])('%s', async (_what, descriptor) => {
    const answer = await check({ domain: 'doors', descriptors: [descriptor] });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({ allowed: true, reason: 'no_limit' });
  });

  test('a body of exactly 64 KiB', async () => {
    const body = JSON.stringify({ domain: 'doors', descriptors: [{ ...VICTIM, hits_addend: 0 }] });
    expect((await check(body.padEnd(BODY_BYTES_MAX))).status).toBe(200);
  });
});

describe('the HTTP port answers in the envelope', () => {
  test('one byte over 64 KiB with 413', async () => {
    const details = { field: 'body' };
    expectRefused(
      await check(' '.repeat(BODY_BYTES_MAX + 1)),
      413,
      'PAYLOAD_TOO_LARGE',
      'the body is too large',
      details,
    );
  });

  test.each([
    ['text/plain'],
    ['text/xml'],
    ['application/x-www-form-urlencoded'],
    ['application/octet-stream'],
    ['json'],
  ])('a body that calls itself %s with 415', async (type) => {
    const call = { method: 'POST', headers: { 'content-type': type }, body: '{}' };
    const message = 'the body must be application/json';
    const details = { field: 'content-type' };
    expectRefused(await http1(`${server.http}/v1/check`, call), 415, 'UNSUPPORTED_MEDIA_TYPE', message, details);
  });

  test('a body without a type with 415', async () => {
    const answer = await http1(`${server.http}/v1/check`, { method: 'POST', body: '{}' });
    expect(answer.status).toBe(415);
  });

  test.each([
    ['GET', '/v1/check', 'POST'],
    ['PUT', '/v1/check', 'POST'],
    ['OPTIONS', '/v1/check', 'POST'],
    ['POST', '/healthz', 'GET, HEAD'],
    ['DELETE', '/readyz', 'GET, HEAD'],
    ['POST', '/openapi.json', 'GET, HEAD'],
  ])('%s %s with 405 and what is allowed', async (method, path, allow) => {
    const answer = await http1(server.http + path, { method });
    const details = { field: 'method', allowed: allow.split(', ') };
    expectRefused(answer, 405, 'METHOD_NOT_ALLOWED', `${method} is not allowed here`, details);
    expect(answer.headers.allow).toBe(allow);
  });

  test.each(['/', '/v1', '/v1/check/', '/V1/CHECK', '/v1/check/x'])('%s with 404', async (path) => {
    const details = { field: 'path' };
    expectRefused(await http1(server.http + path), 404, 'NOT_FOUND', `there is nothing at ${path}`, details);
  });

  test.each([
    ['404', '/nothing', 404],
    ['405', '/healthz', 405],
  ])('a wrong address with %s though the body is no JSON', async (_status, path, status) => {
    expect((await postJson(server.http + path, '{')).status).toBe(status);
  });

  test('an address that cannot be decoded with 400', async () => {
    const { status, text } = await http1(`${server.http}/%ff`);
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ error: { code: 'INVALID_REQUEST', status: 400 } });
  });

  test('bytes that are no HTTP with 400, and closes', async () => {
    expect(await rawBytes(server.httpPort, 'hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  });
});
