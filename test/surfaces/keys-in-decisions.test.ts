/** What callers are told when their API key has a record, or none, or one that is no longer good; at every door that decides. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { keyOf } from '../core/key-build.ts';
import { AdminApiUnderTest } from '../support/admin-api.ts';
import { postJson } from '../support/clients-http.ts';
import { CallFailed, grpcJsClient, type RlsClient } from '../support/clients-rls.ts';
import { TestRedis } from '../support/redis.ts';

/** `key: years`: one window of 9 a year, so that none ends while a test runs. */
function policy(domain: string, rules: string): string {
  return `domain: ${domain}
descriptors:
  - key: api_key
    api_keys: true
    ${rules}
    limits: [{ requests: 9, per: year }, { requests: 9, per: day }]
    classes: [{ name: publishable, type: publishable, limits: [{ requests: 5, per: year }] }]
`;
}

const POLICIES = [
  policy('plain', ''),
  policy('deny', 'unknown_keys: deny'),
  policy('share', 'unknown_keys: share'),
  policy('error', 'inactive_keys: error'),
  policy('keep', 'inactive_keys: default'),
];

const INVALID = { code: 'INVALID_API_KEY', message: 'The API key is not valid.', status: 401, details: {} };
const MISTYPED = 'csk_00000000000000000000000000000000wrong!';

let made = 0;
/** In the right form, and never handed out. */
function unissued(): string {
  made += 1;
  return keyOf(`unissued ${made}`).key;
}

describe.each(['memory', 'Redis'] as const)('with counters in %s', (where) => {
  let redis: TestRedis | undefined;
  let api: AdminApiUnderTest;
  let rls: RlsClient;

  beforeAll(async () => {
    redis = where === 'Redis' ? await TestRedis.start() : undefined;
    api = await AdminApiUnderTest.start(POLICIES, redis ? { REDIS_URL: redis.socket } : {});
    rls = grpcJsClient(api.server.grpc);
  });
  afterAll(async () => {
    rls.close();
    await api.stop();
    await redis?.stop();
  });

  const ask = (domain: string, key: string, address?: string) =>
    rls.ask({
      domain,
      descriptors: [
        { entries: [{ key: 'api_key', value: key }] },
        ...(address === undefined ? [] : [{ entries: [{ key: 'remote_address', value: address }] }]),
      ],
    });
  const remaining = async (domain: string, key: string, address?: string) => {
    const { code, statuses } = await ask(domain, key, address);
    return `${code} ${statuses[0]?.remaining}/${statuses[0]?.limit?.requestsPerUnit}`;
  };
  const check = async (body: object) => {
    const { status, text } = await postJson(`${api.server.http}/v1/check`, body);
    return { status, json: JSON.parse(text) };
  };

  async function keyThatIs(status: 'revoked' | 'disabled' | 'expired' | 'rotated away'): Promise<string> {
    const { id, key } = await api.create(status === 'expired' ? { expires_at: '2020-01-01T00:00:00Z' } : {});
    if (status === 'revoked') await api.call('DELETE', `/v1/keys/${id}`);
    if (status === 'disabled') await api.call('PATCH', `/v1/keys/${id}`, { body: { status } });
    if (status === 'rotated away') await api.call('POST', `/v1/keys/${id}/rotate`, { body: {} });
    return key;
  }

  test('a key with a record counts by the limits of its class, by prefix or by type', async () => {
    const [secret, publishable] = [await api.create({}), await api.create({ type: 'publishable' })];
    expect(await remaining('plain', secret.key)).toBe('OK 8/9');
    expect(await remaining('plain', publishable.key)).toBe('OK 4/5');
  });

  test('its own numbers are what is counted and told', async () => {
    const { key } = await api.create({ rate_limit_per_day: 2 });
    const { headers } = await ask('plain', key);
    expect(Object.fromEntries(headers)).toMatchObject({
      'RateLimit-Limit': '2',
      'RateLimit-Policy': '2;w=86400, 9;w=31536000',
    });
    expect(await remaining('plain', key)).toBe('OK 0/2');
    expect(await remaining('plain', key)).toBe('OVER_LIMIT 0/2');
  });

  describe.each(['revoked', 'disabled', 'expired', 'rotated away'] as const)('a key that is %s', (state) => {
    test('is over its limit for RLS, with a reason and a body of its own and without a time to come back', async () => {
      const { code, statuses, headers, body } = await ask('plain', await keyThatIs(state));
      expect({ code, status: statuses[0]?.code, limit: statuses[0]?.limit }).toEqual({
        code: 'OVER_LIMIT',
        status: 'OVER_LIMIT',
        limit: undefined,
      });
      expect(headers).toEqual([
        ['content-type', 'application/json'],
        ['cache-control', 'no-store'],
      ]);
      expect(JSON.parse(body)).toEqual({ error: INVALID });
    });

    test('is denied by /v1/check in the same words', async () => {
      const { status, json } = await check({ domain: 'plain', api_key: await keyThatIs(state) });
      expect(status).toBe(200);
      expect(json).toEqual({
        allowed: false,
        reason: 'invalid_api_key',
        windows: [],
        headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
        body: { error: INVALID },
      });
    });

    test('is an error where the policy says so: the gateway’s failure mode decides', async () => {
      const key = await keyThatIs(state);
      const failed = await ask('error', key).catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(CallFailed);
      expect(failed).toMatchObject({ code: 'UNAUTHENTICATED', message: 'the API key is not active' });
      const answer = await check({ domain: 'error', api_key: key });
      expect(answer).toEqual({
        status: 401,
        json: { error: { ...INVALID, message: 'the API key is not active' } },
      });
    });

    test('counts by the policy’s numbers where the policy says so', async () => {
      expect(await remaining('keep', await keyThatIs(state))).toBe('OK 8/9');
    });
  });

  describe('a key without a record', () => {
    test.each([
      { title: 'one that is mistyped', key: MISTYPED },
      { title: 'one that was never issued', key: unissued() },
    ])('is denied where the policy says so: $title', async ({ key }) => {
      const { code, body } = await ask('deny', key);
      expect([code, JSON.parse(body)]).toEqual(['OVER_LIMIT', { error: INVALID }]);
      expect(await remaining('plain', key)).toBe('OK 8/9');
    });

    test('passes with a record where keys without one are denied', async () => {
      const { key } = await api.create({});
      expect(await remaining('deny', key)).toBe('OK 8/9');
    });

    test('shares one counter with all others of its address, so that inventing keys buys nothing', async () => {
      const found: string[] = [];
      for (const key of [unissued(), MISTYPED, unissued(), 'anything'])
        found.push(await remaining('share', key, '1.2.3.4'));
      expect(found).toEqual(['OK 8/9', 'OK 7/9', 'OK 6/9', 'OK 5/9']);
      expect(await remaining('share', unissued(), '1.2.3.5')).toBe('OK 8/9');
      const { key } = await api.create({});
      expect(await remaining('share', key, '1.2.3.4')).toBe('OK 8/9');
    });

    test('is told its address by /v1/check', async () => {
      const found: number[] = [];
      for (const remote_address of ['9.9.9.1', '9.9.9.1', '9.9.9.2']) {
        const { json } = await check({ domain: 'share', api_key: unissued(), remote_address });
        found.push(json.windows[0].remaining);
      }
      expect(found).toEqual([8, 7, 8]);
    });
  });
});
