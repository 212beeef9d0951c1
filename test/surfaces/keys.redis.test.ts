/** The admin API of processes that share a Redis: as that of one, and nothing in Redis can be used as a key or a token. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { AdminApiUnderTest, OTHER_TOKEN, TOKEN } from '../support/admin-api.ts';
import { GENEROUS, SHOP } from '../support/admin-policies.ts';
import { TestRedis } from '../support/redis.ts';
import { describeRecords } from './keys-contract.ts';
import { describeLists } from './keys-lists-contract.ts';
import { describeUsage } from './keys-usage-contract.ts';

let redis: TestRedis;

beforeAll(async () => {
  redis = await TestRedis.start();
});

afterAll(() => redis.stop());

/** A key space of its own for every suite. */
function inRedis(keyPrefix: string) {
  return async () => ({ REDIS_URL: redis.socket, CACHE_KEY_PREFIX: keyPrefix, REDIS_OP_TIMEOUT: '2s' });
}

describeRecords('Redis', inRedis('records:'));
describeUsage('Redis', inRedis('usage:'));
describeLists('Redis', inRedis('lists:'));

/** Every key and every value of every type. */
async function everything(): Promise<string> {
  const texts: string[] = [];
  for (const key of await redis.client.keys('*')) {
    texts.push(key, (await redis.client.dumpBuffer(key)).toString('latin1'));
    const type = await redis.client.type(key);
    if (type === 'string') texts.push((await redis.client.getBuffer(key))?.toString('latin1') ?? '');
    if (type === 'hash') texts.push(JSON.stringify(await redis.client.hgetall(key)));
    if (type === 'stream') texts.push(JSON.stringify(await redis.client.xrange(key, '-', '+')));
    if (type === 'zset') texts.push(...(await redis.client.zrange(key, '0', '-1')));
  }
  return texts.join('\n');
}

test('a remembered reply is given by another process, and cannot be read in Redis', async () => {
  const env = await inRedis('replies:')();
  const one = await AdminApiUnderTest.start([SHOP, GENEROUS], env);
  const other = await AdminApiUnderTest.start([SHOP, GENEROUS], env);
  const call = { headers: { 'idempotency-key': 'create-from-anywhere' }, body: { name: 'sealed' } };
  const first = await one.call('POST', '/v1/keys', call);
  const again = await other.call('POST', '/v1/keys', call);
  const rotated = await other.call('POST', `/v1/keys/${first.json.id}/rotate`, { headers: call.headers });
  await Promise.all([one.stop(), other.stop()]);
  expect(again.text).toBe(first.text);
  const stored = await everything();
  expect(stored).toContain('sealed');
  // The beginning of a key is its id, and no secret.
  for (const { json } of [first, rotated]) expect(stored).not.toContain(json.key.slice(16));
  for (const secret of [TOKEN, OTHER_TOKEN, 'create-from-anywhere']) expect(stored).not.toContain(secret);
});

describe('two processes that change one record at the same time', () => {
  let both: AdminApiUnderTest[];
  let id: string;
  const changes = (headers: Readonly<Record<string, string>>) =>
    Array.from({ length: 50 }, async (_, index) => {
      const body = { name: `n${index}` };
      const answer = await both[index % 2]?.call('PATCH', `/v1/keys/${id}`, { headers, body });
      return answer?.status;
    });

  beforeAll(async () => {
    const env = await inRedis('both:')();
    const start = () => AdminApiUnderTest.start([SHOP, GENEROUS], env);
    both = await Promise.all([start(), start()]);
  });

  afterAll(() => Promise.all(both.map((api) => api.stop())));

  test.each([1, 2, 3])('make all the changes that have no condition, time %i', async () => {
    ({ id } = await (both[0] as AdminApiUnderTest).create());
    expect(await Promise.all(changes({}))).toEqual(Array(50).fill(200));
    expect((await both[0]?.call('GET', `/v1/keys/${id}`))?.json.version).toBe(51);
  });

  test('make one of those on the condition of a version', async () => {
    ({ id } = await (both[0] as AdminApiUnderTest).create());
    const statuses = await Promise.all(changes({ 'if-match': '"1"' }));
    expect(statuses.sort()).toEqual([200, ...Array(49).fill(412)]);
  });
});

test('without Redis the admin API answers 503, and 401 to whoever has no token', async () => {
  const out = await AdminApiUnderTest.start([SHOP], { REDIS_URL: '/nowhere/redis.sock' });
  const answers = await Promise.all([
    out.call('GET', '/v1/keys'),
    out.call('GET', '/v1/keys', { token: 'wrong' }),
    out.call('GET', '/v1/keys', { token: null }),
  ]);
  await out.stop();
  expect(answers.map(({ status }) => status)).toEqual([503, 503, 401]);
  expect(answers[0]?.json).toMatchObject({ error: { code: 'UNAVAILABLE', details: { reason: 'STORE_FAILED' } } });
});
