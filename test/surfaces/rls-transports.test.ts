/** ShouldRateLimit gives the same answers to every kind of client, all on the one gRPC port. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RLS_CLIENTS, type RlsClient } from '../support/clients-rls.ts';
import { askTimeless } from '../support/clients-time.ts';
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
      - { requests: 3, per: 1000d }
`;

const LIMIT = { requestsPerUnit: 5, unit: 'YEAR', name: 'year' };
const BODY =
  '{"error":{"code":"RATE_LIMITED","message":"Rate limit exceeded.","status":429,"details":{"retry_after_seconds":N}}}';

function headersFor(remaining: number): (readonly string[])[] {
  return [
    ['RateLimit-Policy', '5;w=31536000'],
    ['RateLimit-Limit', '5'],
    ['RateLimit-Remaining', String(remaining)],
    ['RateLimit-Reset', 'N'],
    ['X-RateLimit-Limit', '5'],
    ['X-RateLimit-Remaining', String(remaining)],
    ['X-RateLimit-Reset', 'E'],
  ];
}

const DENIAL = [
  ['Retry-After', 'N'],
  ['content-type', 'application/json'],
  ['cache-control', 'no-store'],
];

let server: InProcess;

beforeAll(async () => {
  server = await startInProcess([POLICY]);
});

afterAll(() => server.stop());

describe.each(Object.entries(RLS_CLIENTS))('%s', (name, open) => {
  let client: RlsClient;

  beforeAll(() => {
    client = open(server.grpc);
  });

  afterAll(() => client.close());

  test('an allowed call is told its limit, what is left and seven headers', async () => {
    const answer = await askTimeless(client, {
      domain: 'doors',
      descriptors: [{ entries: [{ key: 'user', value: `${name} 1` }] }],
    });
    expect(answer).toEqual({
      code: 'OK',
      statuses: [{ code: 'OK', limit: LIMIT, remaining: 4, resetSeconds: 'N' }],
      headers: headersFor(4),
      body: '',
    });
  });

  test('a denied call is told when to come back, in headers and in the body, and is charged nothing', async () => {
    const entries = [{ key: 'user', value: `${name} 2` }];
    await client.ask({ domain: 'doors', descriptors: [{ entries, hitsAddend: 4n }] });
    const denied = await askTimeless(client, { domain: 'doors', descriptors: [{ entries, hitsAddend: 2n }] });
    expect(denied).toEqual({
      code: 'OVER_LIMIT',
      statuses: [{ code: 'OVER_LIMIT', limit: LIMIT, remaining: 1, resetSeconds: 'N' }],
      headers: [...headersFor(1), ...DENIAL],
      body: BODY,
    });
    const peek = await client.ask({ domain: 'doors', descriptors: [{ entries, hitsAddend: 0n }] });
    expect(peek.statuses).toMatchObject([{ code: 'OK', remaining: 1 }]);
  });

  test('there is one status per descriptor, in the order of the request', async () => {
    const answer = await askTimeless(client, {
      domain: 'doors',
      descriptors: [
        { entries: [{ key: 'nobody', value: 'limits this' }] },
        { entries: [{ key: 'odd', value: name }] },
        { entries: [] },
        { entries: [{ key: 'user', value: `${name} 3` }] },
      ],
    });
    expect(answer.statuses).toEqual([
      { code: 'OK', remaining: 0 },
      { code: 'OK', limit: { requestsPerUnit: 3, unit: 'UNKNOWN', name: '1000d' }, remaining: 2, resetSeconds: 'N' },
      { code: 'OK', remaining: 0 },
      { code: 'OK', limit: LIMIT, remaining: 4, resetSeconds: 'n' },
    ]);
  });

  test('a descriptor that no policy limits passes with an empty status and without headers', async () => {
    const answer = await client.ask({ domain: 'doors', descriptors: [{ entries: [{ key: 'free', value: '' }] }] });
    expect(answer).toEqual({ code: 'OK', statuses: [{ code: 'OK', remaining: 0 }], headers: [], body: '' });
  });

  test('a domain that no policy knows passes, whatever is asked there', async () => {
    const entries = [{ key: 'user', value: name }];
    const answer = await client.ask({
      domain: 'elsewhere',
      descriptors: [{ entries, limit: { requestsPerUnit: 0, unit: 1 } }],
    });
    expect(answer).toEqual({ code: 'OK', statuses: [{ code: 'OK', remaining: 0 }], headers: [], body: '' });
  });

  test('a mistake of the caller is INVALID_ARGUMENT and says which field', async () => {
    const entries = [{ key: 'user', value: name }];
    const question = { domain: 'doors', descriptors: [{ entries, hitsAddend: 2n ** 53n }] };
    await expect(client.ask(question)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'descriptors[0].hits_addend must be an integer from 0 to 9007199254740991',
    });
  });
});
