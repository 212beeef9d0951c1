/** Every mistake that a caller of /json can make, its exact answer, and that it cost nobody anything. */
import { Agent } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type HttpAnswer, http1, postJson } from '../support/clients-http.ts';
import { type InProcess, startInProcess } from '../support/in-process.ts';

const POLICY = `
domain: doors
descriptors:
  - key: user
    limits:
      - { requests: 5, per: year }
`;

/** Stands in every bad call; nothing must ever be charged to it. */
const VICTIM = { entries: [{ key: 'user', value: 'victim' }] };
const BODY_BYTES_MAX = 65_536;
const REQUEST = 'cannot decode message envoy.service.ratelimit.v3.RateLimitRequest from JSON';
const DESCRIPTOR = 'envoy.extensions.common.ratelimit.v3.RateLimitDescriptor';
const COST = 'cannot decode field google.protobuf.UInt64Value.value from JSON: expected bigint (uint64)';
const COST_BOUND = 'must be an integer from 0 to 9007199254740991';

let server: InProcess;

beforeAll(async () => {
  server = await startInProcess([POLICY]);
});

afterEach(async () => {
  const good = await postJson(`${server.http}/json`, { domain: 'doors', descriptors: [{ ...VICTIM, hitsAddend: 0 }] });
  expect(good.status).toBe(200);
  expect(JSON.parse(good.text)).toMatchObject({ statuses: [{ limitRemaining: 5 }] });
  expect(server.log.filter((line) => line.includes('"level":"error"'))).toEqual([]);
});

afterAll(() => server.stop());

function expectRefused({ status, headers, text }: HttpAnswer, message: string, field: string): void {
  expect(JSON.parse(text)).toEqual({ error: { code: 'INVALID_REQUEST', message, status: 400, details: { field } } });
  expect(status).toBe(400);
  expect(headers['content-type']).toMatch(/^application\/json/);
}

/** A call for the victim, and one more descriptor. */
function and(descriptor: object): object {
  return { domain: 'doors', descriptors: [VICTIM, descriptor] };
}

describe('/json refuses with 400 and the envelope', () => {
  test.each<[what: string, body: unknown, field: string, message: string]>([
    ['an empty object', {}, 'domain', 'rate limit domain must not be empty'],
    ['an empty domain', { domain: '', descriptors: [VICTIM] }, 'domain', 'rate limit domain must not be empty'],
    ['no descriptors', { domain: 'doors' }, 'descriptors', 'rate limit descriptor list must not be empty'],
    [
      'an override without a unit',
      and({ ...VICTIM, limit: { requestsPerUnit: 1 } }),
      'descriptors[1].limit.unit',
      'descriptors[1].limit.unit: 0 is no unit',
    ],
    [
      'an override by the unit UNKNOWN',
      and({ ...VICTIM, limit: { requestsPerUnit: 1, unit: 'UNKNOWN' } }),
      'descriptors[1].limit.unit',
      'descriptors[1].limit.unit: 0 is no unit',
    ],
    [
      'an override by unit 99',
      and({ ...VICTIM, limit: { requestsPerUnit: 1, unit: 99 } }),
      'descriptors[1].limit.unit',
      'descriptors[1].limit.unit: 99 is no unit',
    ],
    [
      'an override by a unit of an unknown name',
      and({ ...VICTIM, limit: { requestsPerUnit: 1, unit: 'FORTNIGHT' } }),
      'body',
      'cannot decode enum envoy.type.v3.RateLimitUnit from JSON: "…"',
    ],
    [
      'a cost of 2^53 as a number',
      and({ ...VICTIM, hitsAddend: 2 ** 53 }),
      'descriptors[1].hits_addend',
      `descriptors[1].hits_addend ${COST_BOUND}`,
    ],
    [
      'a cost of 2^64 - 1 as text',
      and({ ...VICTIM, hitsAddend: '18446744073709551615' }),
      'descriptors[1].hits_addend',
      `descriptors[1].hits_addend ${COST_BOUND}`,
    ],
    [
      'a cost of 2^64',
      and({ ...VICTIM, hitsAddend: '18446744073709551616' }),
      'body',
      `${COST}: 18446744073709551616 out of range`,
    ],
    ['a negative cost', and({ ...VICTIM, hitsAddend: -1 }), 'body', `${COST}: -1 out of range`],
    ['a fractional cost', and({ ...VICTIM, hitsAddend: 1.5 }), 'body', `${COST}: 1.5 out of range`],
    ['an unknown field', { ...and(VICTIM), foo: 1 }, 'body', `${REQUEST}: key "foo" is unknown`],
    [
      'an unknown field further in',
      and({ ...VICTIM, hits: 1 }),
      'body',
      `cannot decode message ${DESCRIPTOR} from JSON: key "hits" is unknown`,
    ],
    ['a list', [], 'body', `${REQUEST}: Array(0)`],
    ['a built-in name as field', '{"__proto__":{"domain":"doors"}}', 'body', `${REQUEST}: key "__proto__" is unknown`],
    [
      'an unpaired surrogate',
      `{"domain":"doors","descriptors":[{"entries":[{"key":"user","value":"\\udc00"}]}]}`,
      'body',
      `cannot decode field ${DESCRIPTOR}.Entry.value from JSON: expected string: invalid UTF8`,
    ],
    [
      '4,097 descriptors',
      { domain: 'doors', descriptors: Array.from({ length: 4_097 }, () => ({})) },
      'descriptors',
      'descriptors: at most 4096, got 4097',
    ],
    [
      '65 entries',
      and({ entries: Array.from({ length: 65 }, () => ({ key: 'k' })) }),
      'descriptors[1].entries',
      'descriptors[1].entries: at most 64, got 65',
    ],
    [
      'a value of 8,193 bytes',
      and({ entries: [{ key: 'user', value: 'v'.repeat(8_193) }] }),
      'descriptors[1].entries[0].value',
      'descriptors[1].entries[0].value: at most 8192 bytes, got 8193',
    ],
  ])('%s', async (_what, body, field, message) => {
    expectRefused(await postJson(`${server.http}/json`, body), message, field);
  });

  test.each([
    ['an empty body', ''],
    ['no JSON', '{'],
    ['JSON and more', '{}{}'],
  ])('%s', async (_what, body) => {
    const { status, text } = await postJson(`${server.http}/json`, body);
    expect(status).toBe(400);
    expect(JSON.parse(text)).toEqual({
      error: {
        code: 'INVALID_REQUEST',
        message: expect.stringContaining('JSON'),
        status: 400,
        details: { field: 'body' },
      },
    });
  });

  test('a text that is not UTF-8: read leniently, two callers would share a counter', async () => {
    const question = JSON.stringify({ domain: 'doors', descriptors: [{ entries: [{ key: 'user', value: '?' }] }] });
    const body = Buffer.from(question);
    body[body.indexOf('?')] = 0xff;
    const { status, text } = await http1(`${server.http}/json`, { method: 'POST', body });
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ error: { code: 'INVALID_REQUEST', details: { field: 'body' } } });
  });

  test('malformed JSON without repeating it: it may hold an API key', async () => {
    const body = '{"domain":"doors","descriptors":[{"entries":[{"key":"api_key","value":csk_hush}]}]}';
    const { status, text } = await postJson(`${server.http}/json`, body);
    expect(status).toBe(400);
    expect(text).not.toContain('csk_hush');
  });
});

describe('/json refuses too large a body with 413', () => {
  const envelope = {
    error: { code: 'PAYLOAD_TOO_LARGE', message: 'the body is too large', status: 413, details: { field: 'body' } },
  };

  test.each([
    ['one byte over the bound', BODY_BYTES_MAX + 1],
    ['far over the bound', 4_000_000],
  ])('%s', async (_what, bytes) => {
    const { status, text } = await postJson(`${server.http}/json`, ' '.repeat(bytes));
    expect(status).toBe(413);
    expect(JSON.parse(text)).toEqual(envelope);
  });

  test('and takes one of exactly the bound', async () => {
    const body = JSON.stringify({ domain: 'doors', descriptors: [{ ...VICTIM, hitsAddend: 0 }] });
    const { status } = await postJson(`${server.http}/json`, body.padEnd(BODY_BYTES_MAX));
    expect(status).toBe(200);
  });

  test('and the next call of the same client is answered', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const headers = { 'content-type': 'application/json' };
    await http1(`${server.http}/json`, { method: 'POST', headers, body: ' '.repeat(4_000_000), agent });
    const next = await http1(`${server.http}/healthz`, { agent });
    agent.destroy();
    expect(next.status).toBe(200);
  }, 5_000);
});

describe('/json knows nobody else', () => {
  test.each(['/json/', '/JSON', '/json/x', '/'])('%s is 404 with the envelope', async (path) => {
    const { status, text } = await postJson(server.http + path, {});
    expect(status).toBe(404);
    expect(JSON.parse(text)).toEqual({
      error: { code: 'NOT_FOUND', message: `there is nothing at ${path}`, status: 404, details: { field: 'path' } },
    });
  });
});
