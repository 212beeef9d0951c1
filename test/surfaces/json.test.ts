/** /json: ShouldRateLimit in proto3 JSON, as callers of the reference know it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { http1, postJson } from '../support/clients-http.ts';
import { unixSeconds } from '../support/clients-time.ts';
import { type InProcess, startInProcess } from '../support/in-process.ts';

// No year ends while a test runs.
const POLICY = `
domain: doors
descriptors:
  - key: user
    limits:
      - { requests: 5, per: year }
  - key: odd
    limits:
      - { requests: 3, per: 42s }
  - key: legacy
    rate_limit: { unit: year, requests_per_unit: 2 }
`;

const YEAR = 31_536_000;

let server: InProcess;
let subject = 0;
/** A value that no other test uses. */
let name = '';

beforeAll(async () => {
  server = await startInProcess([POLICY]);
});

afterAll(() => server.stop());

beforeEach(() => {
  subject += 1;
  name = `s${subject}`;
});

function user(more: object = {}): object {
  return { domain: 'doors', descriptors: [{ entries: [{ key: 'user', value: name }], ...more }] };
}

interface Body {
  readonly statuses: readonly object[];
  readonly responseHeadersToAdd: readonly object[];
  /** base64. */
  readonly rawBody: string;
}

async function json(question: unknown): Promise<{ status: number; body: Body }> {
  const { status, text } = await postJson(`${server.http}/json`, question);
  return { status, body: JSON.parse(text) };
}

test('an allowed call is 200 with the whole response, its zero fields left out', async () => {
  const before = unixSeconds();
  const { status, headers, text } = await postJson(`${server.http}/json`, user());
  const after = unixSeconds();
  const body = JSON.parse(text);
  const seconds = Number(/^([1-9]\d*)s$/.exec(body.statuses[0].durationUntilReset)?.[1]);
  const end = before - (before % YEAR) + YEAR;
  expect(status).toBe(200);
  expect(headers['content-type']).toMatch(/^application\/json/);
  expect(end - seconds).toBeGreaterThanOrEqual(before);
  expect(end - seconds).toBeLessThanOrEqual(after);
  expect(body).toEqual({
    overallCode: 'OK',
    statuses: [
      {
        code: 'OK',
        currentLimit: { requestsPerUnit: 5, unit: 'YEAR', name: 'year' },
        limitRemaining: 4,
        durationUntilReset: `${seconds}s`,
      },
    ],
    responseHeadersToAdd: [
      { key: 'RateLimit-Policy', value: `5;w=${YEAR}` },
      { key: 'RateLimit-Limit', value: '5' },
      { key: 'RateLimit-Remaining', value: '4' },
      { key: 'RateLimit-Reset', value: String(seconds) },
      { key: 'X-RateLimit-Limit', value: '5' },
      { key: 'X-RateLimit-Remaining', value: '4' },
      { key: 'X-RateLimit-Reset', value: String(end) },
    ],
  });
});

test('a denied call is 429 with the status, the denial’s headers and the body for the caller', async () => {
  await json(user({ hitsAddend: 5 }));
  const { status, body } = await json(user());
  expect(status).toBe(429);
  expect(body).toMatchObject({ overallCode: 'OVER_LIMIT', statuses: [{ code: 'OVER_LIMIT' }] });
  expect(body.statuses[0]).not.toHaveProperty('limitRemaining');
  expect(body.responseHeadersToAdd).toContainEqual({ key: 'Retry-After', value: expect.stringMatching(/^\d+$/) });
  expect(JSON.parse(Buffer.from(body.rawBody, 'base64').toString())).toMatchObject({ error: { code: 'RATE_LIMITED' } });
});

test('the headers for the caller stand in the body only', async () => {
  await json(user({ hitsAddend: 5 }));
  const { status, headers } = await postJson(`${server.http}/json`, user());
  expect(status).toBe(429);
  expect(Object.keys(headers).filter((field) => /ratelimit|retry/.test(field))).toEqual([]);
});

test('a descriptor without a limit has a status with nothing but its code', async () => {
  const question = { domain: 'doors', descriptors: [{ entries: [{ key: 'free', value: '' }] }] };
  expect(await json(question)).toEqual({ status: 200, body: { overallCode: 'OK', statuses: [{ code: 'OK' }] } });
});

test('a window that is no unit has its length for a name and no unit', async () => {
  const { body } = await json({ domain: 'doors', descriptors: [{ entries: [{ key: 'odd', value: name }] }] });
  expect(body.statuses).toEqual([
    {
      code: 'OK',
      currentLimit: { requestsPerUnit: 3, name: '42s' },
      limitRemaining: 2,
      durationUntilReset: expect.stringMatching(/^([1-9]|[123]\d|4[012])s$/),
    },
  ]);
});

test('a rate_limit without a name has none in the answer, and counts denied calls, too', async () => {
  const legacy = { domain: 'doors', descriptors: [{ entries: [{ key: 'legacy', value: name }], hitsAddend: 3 }] };
  const { status, body } = await json(legacy);
  expect(status).toBe(429);
  expect(body.statuses).toMatchObject([{ code: 'OVER_LIMIT', currentLimit: { requestsPerUnit: 2, unit: 'YEAR' } }]);
  expect(body.statuses[0]).not.toHaveProperty('currentLimit.name');
  expect((await json({ ...legacy, descriptors: [{ entries: [{ key: 'legacy', value: name }] }] })).status).toBe(429);
});

describe('names and numbers are read as proto3 JSON has them:', () => {
  test.each<[what: string, more: object, remaining: number]>([
    ['a cost as a number', { hitsAddend: 2 }, 3],
    ['a cost as text', { hitsAddend: '2' }, 3],
    ['a name with underscores', { hits_addend: '2' }, 3],
    ['a refund', { hits_addend: 1, is_negative_hits: true }, 5],
    ['an override by a unit’s name', { limit: { requestsPerUnit: 9, unit: 'MONTH' } }, 8],
    ['an override by a unit’s number', { limit: { requests_per_unit: 9, unit: 5 } }, 8],
    ['null for a field left out', { hitsAddend: null, limit: null }, 4],
  ])('%s', async (_what, more, remaining) => {
    const { status, body } = await json(user(more));
    expect(status).toBe(200);
    expect(body.statuses).toMatchObject([{ code: 'OK', limitRemaining: remaining }]);
  });
});

describe('it does not matter', () => {
  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('that the method is %s', async (method) => {
    const allowed = await http1(`${server.http}/json`, { method, body: JSON.stringify(user({ hitsAddend: 5 })) });
    const denied = await http1(`${server.http}/json`, { method, body: JSON.stringify(user()) });
    expect([allowed.status, denied.status]).toEqual([200, 429]);
    expect(JSON.parse(denied.text)).toMatchObject({ overallCode: 'OVER_LIMIT' });
  });

  test.each([
    'application/json; charset=utf-8',
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/octet-stream',
    'json',
    '',
  ])('that the body calls itself "%s"', async (type) => {
    const call = { method: 'POST', headers: { 'content-type': type }, body: JSON.stringify(user()) };
    expect((await http1(`${server.http}/json`, call)).status).toBe(200);
  });

  test('that a query follows the path', async () => {
    expect((await postJson(`${server.http}/json?pretty`, user())).status).toBe(200);
  });
});
