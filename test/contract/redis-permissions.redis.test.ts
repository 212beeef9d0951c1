/** The documented permissions, taken from the document as an operator would, and everything that is done with them. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RedisConnection } from '../../src/adapters/redis/connect.ts';
import { RedisKeys } from '../../src/adapters/redis/redis-keys.ts';
import { RedisStore } from '../../src/adapters/redis/redis-store.ts';
import type { Hit } from '../../src/core/hit.ts';
import { TestRedis } from '../support/redis.ts';
import { auditOf, change, create, creation, FIRST_PAGE, keyOf, someId } from './keys-under-test.ts';
import { connectTo, connectWith } from './redis-under-test.ts';
import { hit, someone, windowOfSeconds } from './store-under-test.ts';

let redis: TestRedis;
let connection: RedisConnection;
beforeAll(async () => {
  redis = await TestRedis.start();
  connection = await connectTo(redis);
});
afterAll(async () => {
  connection.close();
  await redis.stop();
});

describe('the commands that docs/operations.md permits are enough', () => {
  const operations = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const forDecisions = (
    /ACL SETUSER headroom on >secret ~hr:\* resetchannels -@all (.*)/.exec(operations)?.[1] ?? ''
  ).split(' ');
  const listed = /\*\*Permissions\*\* beside those above: ([^.]*)\./.exec(operations)?.[1] ?? '';
  const forRecords = [...listed.matchAll(/`(\w+)`/g)].map(([, name]) => `+${name?.toLowerCase()}`);

  async function connectAllowed(commands: readonly string[]): Promise<RedisConnection> {
    const rules = ['reset', 'on', '>secret', '~hr:*', 'resetchannels', '-@all', ...commands];
    await redis.client.call('ACL', 'SETUSER', 'headroom', ...rules);
    const topology = { type: 'single' as const, endpoint: { path: redis.socket } };
    return connectWith({ topology, auth: { username: 'headroom', password: 'secret' } });
  }

  test('for decisions, with keys of every standing and alone or beside others', async () => {
    const open = new RedisKeys({ redis: connection, keyPrefix: '' });
    const [{ record, credentials }, revoked] = [await create(open), await create(open, { status: 'revoked' })];
    const permitted = await connectAllowed(forDecisions);
    const store = new RedisStore({ redis: permitted, keyPrefix: '', expirationJitterMaxSeconds: 0 });
    const window = [windowOfSeconds(60, 9)];
    const keyed = (id: string, ...hashes: string[]): Hit => {
      const unknown = { subject: someone(), windows: window };
      const key = { hashes, ownLimits: true, refusesInactive: true, unknown };
      return { ...hit(someone(), window), record: id, key };
    };
    const hits = [
      keyed(record.id, credentials.hash),
      keyed(record.id, 'newer', credentials.hash),
      keyed(revoked.record.id, revoked.credentials.hash),
      keyed(someId(), 'any'),
      hit(someone(), window),
      hit(someone(), window, { charging: 'always' }),
    ];
    for (const one of hits) await store.take([one]);
    await store.take(hits);
    await store.probe();
    permitted.close();
  });

  test('and with those for records, for all that the registry and operators do', async () => {
    const permitted = await connectAllowed([...forDecisions, ...forRecords]);
    const keys = new RedisKeys({ redis: permitted, keyPrefix: '' });
    const before = keyOf({ name: 'only one', expiresAt: 5 });
    const { totalCount } = await keys.audit(1, 1);
    await keys.write(creation(before, { name: 'n', reply: 'r', seconds: 60 }));
    await create(keys, { type: 'publishable' });
    await change(keys, before, { name: 'only another', status: 'revoked', expiresAt: null });
    await keys.addAudit(auditOf());
    for (const sort of ['-created_at', 'name'] as const) {
      expect((await keys.list({ page: 2, pageSize: 1, sort })).items).toHaveLength(1);
    }
    expect((await keys.list({ ...FIRST_PAGE, sort: 'name', namePrefix: 'only' })).items).toHaveLength(1);
    expect(await keys.replyOf('n')).toBe('r');
    expect((await keys.audit(1, 10)).totalCount).toBe(totalCount + 4);
    const store = new RedisStore({ redis: permitted, keyPrefix: '', expirationJitterMaxSeconds: 0 });
    const subject = someone();
    await store.take([hit(subject, [windowOfSeconds(60, 9)])]);
    await store.forget([{ subject }], 60);
    await store.forget([{ subject }]);
    permitted.close();
  });
});
