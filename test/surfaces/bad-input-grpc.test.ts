/** Every mistake that a gRPC client can make, its exact answer, and that it cost nobody anything. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { encoded, frame, grpcBytes } from '../support/clients-grpc.ts';
import { http1, postJson } from '../support/clients-http.ts';
import { type AskedDescriptor, grpcJsClient, type Question, RLS_PATH, type RlsClient } from '../support/clients-rls.ts';
import { type InProcess, startInProcess } from '../support/in-process.ts';

const POLICY = `
domain: doors
descriptors:
  - key: user
    limits:
      - { requests: 5, per: year }
`;

/** Stands in every bad call; nothing must ever be charged to it. */
const VICTIM: AskedDescriptor = { entries: [{ key: 'user', value: 'victim' }] };
const COST_BOUND = 'must be an integer from 0 to 9007199254740991';

let server: InProcess;
let client: RlsClient;

beforeAll(async () => {
  server = await startInProcess([POLICY]);
  client = grpcJsClient(server.grpc);
});

afterEach(async () => {
  const good = await client.ask({ domain: 'doors', descriptors: [{ ...VICTIM, hitsAddend: 0n }] });
  expect(good).toMatchObject({ code: 'OK', statuses: [{ code: 'OK', remaining: 5 }] });
  expect(server.log.filter((line) => line.includes('"level":"error"'))).toEqual([]);
});

afterAll(async () => {
  client.close();
  await server.stop();
});

function of(...descriptors: AskedDescriptor[]): Question {
  return { domain: 'doors', descriptors: [VICTIM, ...descriptors] };
}

function text(key: string, value: string): AskedDescriptor {
  return { entries: [{ key, value }] };
}

describe('ShouldRateLimit refuses as INVALID_ARGUMENT, naming the field,', () => {
  test.each<[what: string, question: Question, message: string]>([
    ['an empty domain', { ...of(), domain: '' }, 'rate limit domain must not be empty'],
    ['no descriptors', { domain: 'doors', descriptors: [] }, 'rate limit descriptor list must not be empty'],
    [
      'an override by a unit of no number',
      of({ ...VICTIM, limit: { requestsPerUnit: 1, unit: 0 } }),
      'descriptors[1].limit.unit: 0 is no unit',
    ],
    [
      'an override by a unit just above the last',
      of({ ...VICTIM, limit: { requestsPerUnit: 1, unit: 8 } }),
      'descriptors[1].limit.unit: 8 is no unit',
    ],
    [
      'an override by unit 99',
      of({ ...VICTIM, limit: { requestsPerUnit: 1, unit: 99 } }),
      'descriptors[1].limit.unit: 99 is no unit',
    ],
    [
      'an override by a negative unit',
      of({ ...VICTIM, limit: { requestsPerUnit: 1, unit: -1 } }),
      'descriptors[1].limit.unit: -1 is no unit',
    ],
    ['a cost of 2^53', of({ ...VICTIM, hitsAddend: 2n ** 53n }), `descriptors[1].hits_addend ${COST_BOUND}`],
    ['a cost of 2^63', of({ ...VICTIM, hitsAddend: 2n ** 63n }), `descriptors[1].hits_addend ${COST_BOUND}`],
    ['a cost of 2^64 - 1', of({ ...VICTIM, hitsAddend: 2n ** 64n - 1n }), `descriptors[1].hits_addend ${COST_BOUND}`],
    [
      'a refund of 2^53',
      of({ ...VICTIM, hitsAddend: 2n ** 53n, isNegativeHits: true }),
      `descriptors[1].hits_addend ${COST_BOUND}`,
    ],
    [
      '4,097 descriptors',
      { domain: 'doors', descriptors: Array.from({ length: 4_097 }, () => VICTIM) },
      'descriptors: at most 4096, got 4097',
    ],
    [
      '65 entries',
      of({ entries: Array.from({ length: 65 }, () => ({ key: 'k', value: 'v' })) }),
      'descriptors[1].entries: at most 64, got 65',
    ],
    ['a domain of 8,193 bytes', { ...of(), domain: 'd'.repeat(8_193) }, 'domain: at most 8192 bytes, got 8193'],
    [
      'a key of 8,193 bytes',
      of(text('k'.repeat(8_193), 'v')),
      'descriptors[1].entries[0].key: at most 8192 bytes, got 8193',
    ],
    [
      'a value of 8,193 bytes in fewer characters',
      of(text('user', '€'.repeat(2_731))),
      'descriptors[1].entries[0].value: at most 8192 bytes, got 8193',
    ],
  ])('%s', async (_what, question, message) => {
    await expect(client.ask(question)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message });
  });
});

describe('ShouldRateLimit decides what is just within the bounds:', () => {
  test.each<[what: string, question: Question]>([
    ['a value of 8,192 bytes', { domain: 'doors', descriptors: [text('k', `${'€'.repeat(2_730)}ab`)] }],
    [
      '64 entries',
      { domain: 'doors', descriptors: [{ entries: Array.from({ length: 64 }, () => ({ key: 'k', value: 'v' })) }] },
    ],
    ['4,096 descriptors', { domain: 'doors', descriptors: Array.from({ length: 4_096 }, () => text('free', '')) }],
    ['an empty key', { domain: 'doors', descriptors: [text('', 'x')] }],
    ['values of any bytes', { domain: 'doors', descriptors: [text('\0\n_', '\u{10ffff}\0=,"\\')] }],
    ['the names of built-in properties', { domain: 'doors', descriptors: [text('__proto__', 'constructor')] }],
    ['the name of a built-in property as domain', { domain: '__proto__', descriptors: [VICTIM] }],
  ])('%s', async (_what, question) => {
    const { code, statuses } = await client.ask(question);
    expect(code).toBe('OK');
    expect(statuses).toHaveLength(question.descriptors.length);
  });
});

const INVALID_ARGUMENT = 3;
const UNIMPLEMENTED = 12;
const good = encoded(of());

/** Messages that are no RateLimitRequest. */
const MALFORMED: [what: string, bytes: Buffer][] = [
  ['bytes that are no message', Buffer.from('ffffffff', 'hex')],
  ['a length that reaches beyond the message', Buffer.from('0a50646f6f7273', 'hex')],
  ['a field with the number 0', Buffer.from('0000', 'hex')],
  ['a text that is not UTF-8', Buffer.from('0a02c328', 'hex')],
];

describe('the gRPC port survives', () => {
  test.each(MALFORMED)('%s: INVALID_ARGUMENT by gRPC', async (_what, bytes) => {
    expect(await grpcBytes(server.grpc, { body: frame(bytes) })).toMatchObject({ status: INVALID_ARGUMENT });
  });

  test.each(MALFORMED)('%s: invalid_argument by Connect', async (_what, bytes) => {
    const headers = { 'content-type': 'application/proto' };
    const { status, text } = await http1(server.grpc + RLS_PATH, { method: 'POST', headers, body: bytes });
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ code: 'invalid_argument' });
  });

  test.each<[what: string, body: Buffer, status: number, message: string]>([
    ['a frame cut short', frame(good).subarray(0, 10), INVALID_ARGUMENT, 'protocol error: incomplete envelope'],
    ['a prefix cut short', frame(good).subarray(0, 3), INVALID_ARGUMENT, 'protocol error: incomplete envelope'],
    ['no message', Buffer.alloc(0), UNIMPLEMENTED, 'protocol error: missing input message for unary method'],
    [
      'two messages',
      Buffer.concat([frame(good), frame(good)]),
      UNIMPLEMENTED,
      'protocol error: received extra input message for unary method',
    ],
  ])('%s', async (_what, body, status, message) => {
    expect(await grpcBytes(server.grpc, { body })).toMatchObject({ status, message });
  });

  test('a compressed frame that nobody announced', async () => {
    const { status } = await grpcBytes(server.grpc, { body: frame(good, 1) });
    expect(status).toBeGreaterThan(0);
  });

  test.each<[what: string, json: string, message: string]>([
    ['no JSON', '{', ''],
    ['an unknown field', '{"domain":"doors","descriptor":[]}', 'key "descriptor" is unknown'],
    ['a field of another type', '{"domain":"doors","descriptors":{}}', 'RateLimitRequest.descriptors'],
    ['a built-in name as field', '{"domain":"doors","__proto__":{}}', 'key "__proto__" is unknown'],
    ['an unpaired surrogate', '{"domain":"\\ud800"}', 'RateLimitRequest.domain'],
  ])('%s by Connect in JSON', async (_what, json, message) => {
    const { status, text } = await postJson(server.grpc + RLS_PATH, json);
    expect(status).toBe(400);
    expect(JSON.parse(text)).toEqual({ code: 'invalid_argument', message: expect.stringContaining(message) });
  });
});
