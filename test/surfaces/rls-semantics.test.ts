/** What a call of ShouldRateLimit may ask for, and what its answer says: as a gRPC client sees it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Answer, type AskedDescriptor, grpcJsClient, type RlsClient } from '../support/clients-rls.ts';
import { askTimeless, unixSeconds } from '../support/clients-time.ts';
import { type InProcess, startInProcess } from '../support/in-process.ts';

// Where a test asks one subject more than once its windows are so long that none ends meanwhile.
const POLICY = `
domain: doors
descriptors:
  - key: api_key
    api_keys: true
    limits:
      - { requests: 300, per: minute }
      - { requests: 10000, per: day }
    classes:
      - { name: publishable, prefix: cpk_, limits: [ { requests: 100, per: minute }, { requests: 10000, per: day } ] }
  - key: user
    limits:
      - { requests: 5, per: year }
  - key: named
    limits:
      - { requests: 3, per: 1000d, name: long haul }
  - key: burst
    limits:
      - { requests: 1000, per: second }
  - key: observed
    shadow_mode: true
    limits:
      - { requests: 1, per: year }
`;

const WEEK = 7;

let server: InProcess;
let client: RlsClient;
let subject = 0;
/** A user whom no other test asks. */
let user: { key: string; value: string };

beforeAll(async () => {
  server = await startInProcess([POLICY]);
  client = grpcJsClient(server.grpc);
});

afterAll(async () => {
  client.close();
  await server.stop();
});

beforeEach(() => {
  subject += 1;
  user = { key: 'user', value: String(subject) };
});

function ask(...descriptors: AskedDescriptor[]): Promise<Answer> {
  return client.ask({ domain: 'doors', descriptors });
}

async function remaining(): Promise<number | undefined> {
  const { statuses } = await ask({ entries: [user], hitsAddend: 0n });
  return statuses[0]?.remaining;
}

describe('the cost', () => {
  test('hits_addend of the request holds for every descriptor without its own', async () => {
    const other = { key: 'named', value: user.value };
    const { statuses } = await client.ask({
      domain: 'doors',
      hitsAddend: 2,
      descriptors: [{ entries: [user] }, { entries: [other], hitsAddend: 1n }],
    });
    expect(statuses.map((status) => status.remaining)).toEqual([3, 2]);
  });

  test('hits_addend 0 of the request means 1', async () => {
    await client.ask({ domain: 'doors', hitsAddend: 0, descriptors: [{ entries: [user] }] });
    expect(await remaining()).toBe(4);
  });

  test('hits_addend 0 of a descriptor reads and charges nothing', async () => {
    const peeks = [await remaining(), await remaining(), await remaining()];
    expect(peeks).toEqual([5, 5, 5]);
  });

  test('a peek is denied once nothing is left', async () => {
    await ask({ entries: [user], hitsAddend: 5n });
    expect(await ask({ entries: [user], hitsAddend: 0n })).toMatchObject({
      code: 'OVER_LIMIT',
      statuses: [{ code: 'OVER_LIMIT', remaining: 0 }],
    });
  });

  test('the largest cost that stays exact is decided: it can never pass, and the body says so', async () => {
    const answer = await ask({ entries: [user], hitsAddend: 2n ** 53n - 1n });
    expect(answer.code).toBe('OVER_LIMIT');
    expect(JSON.parse(answer.body)).toMatchObject({ error: { details: { reason: 'cost_exceeds_limit' } } });
    expect(await remaining()).toBe(5);
  });

  test('is_negative_hits gives back, to no more than the full limit', async () => {
    await ask({ entries: [user], hitsAddend: 4n });
    const once = await ask({ entries: [user], hitsAddend: 3n, isNegativeHits: true });
    expect(once).toMatchObject({ code: 'OK', statuses: [{ code: 'OK', remaining: 4 }] });
    const tooMuch = await ask({ entries: [user], hitsAddend: 99n, isNegativeHits: true });
    expect(tooMuch).toMatchObject({ code: 'OK', statuses: [{ code: 'OK', remaining: 5 }] });
  });
});

describe('several descriptors', () => {
  test('one denial charges none of them', async () => {
    const other = { key: 'named', value: user.value };
    const answer = await ask({ entries: [user], hitsAddend: 2n }, { entries: [other], hitsAddend: 4n });
    expect(answer).toMatchObject({ code: 'OVER_LIMIT', statuses: [{ code: 'OK' }, { code: 'OVER_LIMIT' }] });
    expect(await remaining()).toBe(5);
  });

  test('a subject named twice is charged twice', async () => {
    const { statuses } = await ask({ entries: [user], hitsAddend: 2n }, { entries: [user], hitsAddend: 2n });
    expect(statuses.map((status) => status.remaining)).toEqual([3, 1]);
    expect(await remaining()).toBe(1);
  });

  test('a subject named twice is not charged at all if both charges together do not fit', async () => {
    const answer = await ask({ entries: [user], hitsAddend: 3n }, { entries: [user], hitsAddend: 3n });
    expect(answer.code).toBe('OVER_LIMIT');
    expect(await remaining()).toBe(5);
  });
});

describe('the status', () => {
  test('of several windows tells the one with the least left, and the headers list all', async () => {
    const answer = await askTimeless(client, {
      domain: 'doors',
      descriptors: [{ entries: [{ key: 'api_key', value: 'csk_status' }] }],
    });
    expect(answer.statuses).toEqual([
      {
        code: 'OK',
        limit: { requestsPerUnit: 300, unit: 'MINUTE', name: 'minute' },
        remaining: 299,
        resetSeconds: 'N',
      },
    ]);
    expect(answer.headers.slice(0, 3)).toEqual([
      ['RateLimit-Policy', '300;w=60, 10000;w=86400'],
      ['RateLimit-Limit', '300'],
      ['RateLimit-Remaining', '299'],
    ]);
  });

  test('of a publishable key tells the limits of its class', async () => {
    const { statuses } = await ask({ entries: [{ key: 'api_key', value: 'cpk_status' }] });
    expect(statuses).toMatchObject([{ limit: { requestsPerUnit: 100, unit: 'MINUTE' }, remaining: 99 }]);
  });

  test('of a window that has a name tells it, and UNKNOWN for a length that is no unit', async () => {
    const { statuses } = await ask({ entries: [{ key: 'named', value: user.value }] });
    expect(statuses).toMatchObject([{ limit: { requestsPerUnit: 3, unit: 'UNKNOWN', name: 'long haul' } }]);
  });

  test('never resets in less than a second', async () => {
    const answer = await askTimeless(client, {
      domain: 'doors',
      descriptors: [{ entries: [{ key: 'burst', value: user.value }] }],
    });
    expect(answer.statuses).toMatchObject([{ limit: { unit: 'SECOND' }, resetSeconds: 'N' }]);
    const { statuses, headers } = await ask({ entries: [{ key: 'burst', value: user.value }] });
    expect(statuses[0]?.resetSeconds).toBe(1);
    expect(headers).toContainEqual(['RateLimit-Reset', '1']);
  });

  test('of a limit in shadow mode is OK though nothing is left, and tells no headers', async () => {
    const entries = [{ key: 'observed', value: user.value }];
    await ask({ entries });
    expect(await ask({ entries })).toMatchObject({
      code: 'OK',
      statuses: [{ code: 'OK', remaining: 0, limit: { requestsPerUnit: 1 } }],
      headers: [],
      body: '',
    });
  });
});

describe('an override in the request', () => {
  test.each([
    ['SECOND', 1],
    ['MINUTE', 2],
    ['HOUR', 3],
    ['DAY', 4],
    ['MONTH', 5],
    ['YEAR', 6],
    ['WEEK', WEEK],
  ])('by %s replaces the windows of the policy by its one', async (unit, number) => {
    const { statuses } = await ask({ entries: [user], limit: { requestsPerUnit: 2, unit: number } });
    const limit = { requestsPerUnit: 2, unit, name: unit.toLowerCase() };
    expect(statuses).toMatchObject([{ code: 'OK', limit, remaining: 1 }]);
  });

  test('by WEEK counts in the weeks of the epoch', async () => {
    const { headers } = await ask({ entries: [user], limit: { requestsPerUnit: 2, unit: WEEK } });
    const end = Number(new Map(headers).get('X-RateLimit-Reset'));
    expect(end % 604_800).toBe(0);
    expect(end - unixSeconds()).toBeLessThanOrEqual(604_800);
  });

  test('of 0 requests lets none pass', async () => {
    const { code, statuses } = await ask({ entries: [user], limit: { requestsPerUnit: 0, unit: 6 } });
    expect(code).toBe('OVER_LIMIT');
    expect(statuses).toMatchObject([{ code: 'OVER_LIMIT', limit: { requestsPerUnit: 0, unit: 'YEAR' }, remaining: 0 }]);
  });

  test('needs no policy for its descriptor', async () => {
    const entries = [{ key: 'unheard of', value: user.value }];
    const limit = { requestsPerUnit: 1, unit: 6 };
    const codes = [(await ask({ entries, limit })).code, (await ask({ entries, limit })).code];
    expect(codes).toEqual(['OK', 'OVER_LIMIT']);
  });
});
