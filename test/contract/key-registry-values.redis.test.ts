/** What the registry leaves in Redis: fields that decisions read, no secret, no key unnamed; and what it makes of what others leave there. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { keyHasher } from '../../src/adapters/node-crypto/hash-api-key.ts';
import type { RedisConnection } from '../../src/adapters/redis/connect.ts';
import { RedisKeys } from '../../src/adapters/redis/redis-keys.ts';
import { newKey, rotatedKey } from '../../src/core/api-key.ts';
import type { StoredKey } from '../../src/core/key-record.ts';
import { TestRedis } from '../support/redis.ts';
import {
  auditOf,
  change,
  changed,
  create,
  creation,
  FIRST_PAGE,
  idsOf,
  keyOf,
  replacement,
  someId,
} from './keys-under-test.ts';
import { commandsDuring } from './redis-monitor.ts';
import { connectTo } from './redis-under-test.ts';

let redis: TestRedis;
let connection: RedisConnection;
let registry: RedisKeys;
beforeAll(async () => {
  redis = await TestRedis.start();
  connection = await connectTo(redis);
});
beforeEach(async () => {
  await redis.client.flushall();
  registry = new RedisKeys({ redis: connection, keyPrefix: 'test:' });
});
afterAll(async () => {
  connection.close();
  await redis.stop();
});

const recordKey = (id: string): string => `test:hr:key:{${id}}`;
const rotation = (before: StoredKey, hash: string): StoredKey => ({
  ...changed(before, {}),
  credentials: { hash, rotated: { hash: before.credentials.hash, untilSeconds: 1_900_000_000 } },
});

describe('the fields that a decision reads', () => {
  const NEVER = '9007199254740991';
  const READ = ['hash', 'until', 'rotated', 'rotated_until', 'max:60', 'max:86400'];
  const rows = [
    { title: 'of a record of defaults', rest: {}, fields: { until: NEVER } },
    { title: 'of a disabled key', rest: { status: 'disabled' }, fields: { until: '0' } },
    { title: 'of a revoked key that would end', rest: { status: 'revoked', expiresAt: 5 }, fields: { until: '0' } },
    { title: 'of a key that ends', rest: { expiresAt: 1_900_000_000 }, fields: { until: '1900000000' } },
    {
      title: 'of a key with limits of its own',
      rest: { rateLimitPerMinute: 7, rateLimitPerDay: 2 ** 53 - 1 },
      fields: { until: NEVER, 'max:60': '7', 'max:86400': NEVER },
    },
  ] as const;
  test.each(rows)('$title', async ({ rest, fields }) => {
    const { id } = (await create(registry, rest)).record;
    const found = Object.entries(await redis.client.hgetall(recordKey(id)));
    const expected = { hash: `hash of ${id}`, ...fields };
    expect(Object.fromEntries(found.filter(([field]) => READ.includes(field)))).toEqual(expected);
  });

  test('follow every change: what goes back to its default has no field', async () => {
    const before = await create(registry, { rateLimitPerMinute: 7, rateLimitPerDay: 9, expiresAt: 1_900_000_000 });
    const key = recordKey(before.record.id);
    const rotated = rotation(before, 'new');
    await registry.write(replacement(before, rotated));
    expect(await redis.client.hmget(key, ...READ)).toEqual([
      'new',
      '1900000000',
      before.credentials.hash,
      '1900000000',
      '7',
      '9',
    ]);
    const bare = changed(rotated, { rateLimitPerMinute: 0, rateLimitPerDay: 0, expiresAt: null, status: 'revoked' });
    await registry.write(replacement(rotated, { ...bare, credentials: { hash: 'new', rotated: undefined } }));
    expect(await redis.client.hmget(key, ...READ)).toEqual(['new', '0', null, null, null, null]);
  });
});

describe('a hash that a decision has replaced by the one under a newer secret', () => {
  test('stays through a change by somebody who read the record before', async () => {
    const before = await create(registry);
    await redis.client.hset(recordKey(before.record.id), 'hash', 'newer');
    const after = await change(registry, before, { status: 'disabled', rateLimitPerMinute: 5 });
    expect(await registry.find(before.record.id)).toEqual({
      ...after,
      credentials: { hash: 'newer', rotated: undefined },
    });
  });

  test('is what a rotation keeps for the old key', async () => {
    const before = await create(registry);
    await redis.client.hset(recordKey(before.record.id), 'hash', 'newer');
    const after = rotation(before, 'another');
    expect(await registry.write(replacement(before, after))).toEqual({ kind: 'written' });
    const credentials = { hash: 'another', rotated: { hash: 'newer', untilSeconds: 1_900_000_000 } };
    expect((await registry.find(before.record.id))?.credentials).toEqual(credentials);
    // The replaced hash of a rotated key, too, stays through later changes.
    await redis.client.hset(recordKey(before.record.id), 'rotated', 'newest');
    await change(registry, after, { name: 'n' });
    expect((await registry.find(before.record.id))?.credentials.rotated?.hash).toBe('newest');
  });
});

test('no key, secret or name of a reply is anywhere in Redis', async () => {
  const hasher = keyHasher({ secret: undefined, previousSecret: undefined });
  const bytes = (seed: number) => (count: number) =>
    Uint8Array.from({ length: count }, (_, at) => (seed * 37 + at * 11) % 248);
  const { id, key } = newKey('secret', bytes(1));
  const second = rotatedKey('secret', id, bytes(2));
  const before = keyOf({ id }, { hash: hasher.hash(key) });
  const name = 'an Idempotency-Key that is somebody’s secret';
  await registry.write(creation(before, { name, reply: 'sealed', seconds: 60 }));
  await registry.write(replacement(before, rotation(before, hasher.hash(second))));
  await registry.replyOf(name);
  let seen = '';
  for (const stored of await redis.client.keys('*')) {
    const type = await redis.client.type(stored);
    const read = {
      string: () => redis.client.get(stored),
      hash: () => redis.client.hgetall(stored),
      zset: () => redis.client.zrange(stored, '0', '-1'),
      stream: () => redis.client.xrange(stored, '-', '+'),
    }[type];
    seen += stored + JSON.stringify(await read!());
  }
  // The id, which is no secret, is the beginning of the key; the 20 characters behind it are the secret.
  expect(seen).toContain(id.slice(4));
  expect(seen).toContain(hasher.hash(second));
  for (const secret of [key.slice(16, 36), second.slice(16, 36), name]) expect(seen).not.toContain(secret);
});

describe('scripts', () => {
  test('touch no key that the call does not name', async () => {
    const commands = await commandsDuring(redis, async () => {
      const before = keyOf({ type: 'publishable' });
      await registry.write(creation(before, { name: 'n', reply: 'r', seconds: 60 }));
      await registry.write(creation(before, { name: 'n', reply: 'r', seconds: 60 }));
      const after = changed(before, { name: 'b', status: 'revoked', metadata: { a: 'b' } });
      await registry.write(replacement(before, after));
      await registry.write(replacement(after, rotation(changed(after, { metadata: {} }), 'new')));
      await registry.addAudit(auditOf());
      for (const sort of ['created_at', '-created_at', 'name', '-name'] as const) {
        await registry.list({ ...FIRST_PAGE, sort });
        await registry.list({ ...FIRST_PAGE, sort, namePrefix: 'n', status: 'active', type: 'secret' });
      }
    });
    let named: readonly string[] = [];
    let touched = 0;
    for (const { args, byScript } of commands) {
      if (!byScript) named = /^evalsha|eval$/i.test(args[0]!) ? args.slice(3, 3 + Number(args[2])) : [];
      else {
        touched += 1;
        expect(named).toContain(args[0]?.toUpperCase() === 'XINFO' ? args[2] : args[1]);
      }
    }
    expect(touched).toBeGreaterThan(40);
  });

  test('that Redis has forgotten are brought again, and what they write is written once', async () => {
    const written: StoredKey[] = [];
    for (let round = 0; round < 10; round++) {
      const batch = Array.from({ length: 20 }, () => keyOf());
      written.push(...batch);
      const outcomes = await Promise.all([
        ...batch.map((each) => registry.write(creation(each))),
        registry.list(FIRST_PAGE),
        registry.addAudit(auditOf()),
        redis.client.script('FLUSH'),
      ]);
      expect(outcomes.slice(0, 20)).toEqual(batch.map(() => ({ kind: 'written' })));
    }
    const ids = written.map(({ record }) => record.id);
    expect((await idsOf(registry)).toSorted()).toEqual(ids.toSorted());
    expect((await registry.audit(1, 1)).totalCount).toBe(210);
  });

  test('that a full Redis refuses have written nothing', async () => {
    const before = await create(registry);
    await registry.list(FIRST_PAGE);
    await redis.client.config('SET', 'maxmemory', '1');
    const write = replacement(before, changed(before, { status: 'revoked' }));
    await expect(registry.write({ ...write, once: { name: 'n', reply: 'r', seconds: 60 } })).rejects.toThrow('OOM');
    await expect(registry.write(creation(keyOf()))).rejects.toThrow('OOM');
    await redis.client.config('SET', 'maxmemory', '0');
    expect(await registry.list(FIRST_PAGE)).toEqual({ items: [before], totalCount: 1 });
    expect((await registry.list({ ...FIRST_PAGE, status: 'revoked' })).totalCount).toBe(0);
    expect(await registry.replyOf('n')).toBeUndefined();
    expect((await registry.audit(1, 1)).totalCount).toBe(1);
  });
});

describe('what others did in Redis', () => {
  test('a record deleted by hand is left out of its page and found no more; it can be made anew', async () => {
    const all = [await create(registry), await create(registry), await create(registry)];
    await redis.client.del(recordKey(all[1]!.record.id));
    for (const sort of ['created_at', 'name'] as const) {
      const { items } = await registry.list({ ...FIRST_PAGE, sort });
      expect(items.map(({ record }) => record.id).toSorted()).toEqual(
        [all[0]!, all[2]!].map(({ record }) => record.id).toSorted(),
      );
    }
    expect(await registry.find(all[1]!.record.id)).toBeUndefined();
    expect(await registry.write(creation(all[1]!))).toEqual({ kind: 'written' });
    expect(await idsOf(registry)).toEqual(all.map(({ record }) => record.id));
  });

  test('what is left of a record is no record', async () => {
    const { id } = (await create(registry)).record;
    await redis.client.hdel(recordKey(id), 'version');
    expect(await registry.find(id)).toBeUndefined();
    expect((await registry.list(FIRST_PAGE)).items).toEqual([]);
  });

  test('lists that were deleted fill again with what is created or changed', async () => {
    const [old, other] = [await create(registry, { name: 'b' }), await create(registry)];
    await redis.client.del(...(await redis.client.keys('test:hr:keys:*')));
    const fresh = await create(registry);
    const moved = await change(registry, old, { name: 'a', status: 'revoked' });
    expect(await idsOf(registry, { status: 'revoked' })).toEqual([moved.record.id]);
    expect(await idsOf(registry)).toEqual([fresh.record.id, moved.record.id]);
    expect(await idsOf(registry, { sort: 'name' })).toEqual([moved.record.id, fresh.record.id]);
    expect(await registry.find(other.record.id)).toEqual(other);
  });

  test('a deleted audit begins anew, and one with an entry deleted goes on', async () => {
    for (let at = 1; at <= 3; at++) await registry.addAudit(auditOf({ at }));
    await redis.client.xdel('test:hr:audit', '3-0');
    await registry.addAudit(auditOf({ at: 4 }));
    expect((await registry.audit(1, 10)).items.map(({ at }) => at)).toEqual([4, 2, 1]);
    await redis.client.del('test:hr:audit');
    await registry.addAudit(auditOf({ at: 5 }));
    expect((await registry.audit(1, 10)).items.map(({ at }) => at)).toEqual([5]);
  });

  test.each([
    'test:hr:audit',
    'test:hr:keys:sequence',
    'test:hr:keys:created:secret:active',
    'test:hr:keys:name:secret:active',
  ])('%s of another type fails a change as a whole: nothing of it is written', async (name) => {
    const [id, other] = [someId(), someId()];
    await redis.client.hset(name, 'somebody', 'else');
    await expect(registry.write(creation(keyOf({ id }), { name: 'n', reply: 'r', seconds: 9 }))).rejects.toThrow();
    await expect(registry.write(creation(keyOf({ id: other })))).rejects.toThrow();
    const left = (await redis.client.keys('*')).filter((key) => key !== 'test:hr:keys:sequence');
    expect(left).toEqual(name === 'test:hr:keys:sequence' ? [] : [name]);
  });

  test('a record key of another type fails as an error', async () => {
    const id = someId();
    await redis.client.set(recordKey(id), 'somebody else');
    await expect(registry.find(id)).rejects.toThrow('WRONGTYPE');
    await expect(registry.write(creation(keyOf({ id })))).rejects.toThrow('WRONGTYPE');
    expect(await registry.list(FIRST_PAGE)).toEqual({ items: [], totalCount: 0 });
  });
});

test('a prefix keeps the keys of two installations in one Redis apart', async () => {
  const other = new RedisKeys({ redis: connection, keyPrefix: 'other:' });
  const stored = await create(registry);
  expect(await other.find(stored.record.id)).toBeUndefined();
  expect(await other.write(creation(stored))).toEqual({ kind: 'written' });
  expect((await other.audit(1, 10)).totalCount).toBe(1);
});

test('while the connection is down every call fails at once', async () => {
  const down = await connectTo(redis);
  down.close();
  const keys = new RedisKeys({ redis: down, keyPrefix: 'test:' });
  const calls = [
    () => keys.find(someId()),
    () => keys.write(creation(keyOf())),
    () => keys.list(FIRST_PAGE),
    () => keys.replyOf('n'),
    () => keys.addAudit(auditOf()),
    () => keys.audit(1, 10),
  ];
  for (const call of calls) await expect(call()).rejects.toThrow();
});
