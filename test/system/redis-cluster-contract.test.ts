/** A Cluster of three primaries promises what one server does, except that calls over several slots are not one step. */
import { readFileSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Cluster } from 'ioredis';
import { MemoryStore } from '../../src/adapters/memory/memory-store.ts';
import type { RedisConnection } from '../../src/adapters/redis/connect.ts';
import { RedisKeys } from '../../src/adapters/redis/redis-keys.ts';
import { RedisStore } from '../../src/adapters/redis/redis-store.ts';
import { slotOf } from '../../src/adapters/redis/slot.ts';
import type { Hit } from '../../src/core/hit.ts';
import { anyCharging, anyDenies } from '../contract/any-charge.ts';
import { describeKeys } from '../contract/key-registry-contract.ts';
import {
  change,
  changed,
  create,
  creation,
  FIRST_PAGE,
  keyOf as keyOfRecord,
  replacement,
} from '../contract/keys-under-test.ts';
import { ManualClock } from '../contract/manual-clock.ts';
import { connectWith, keyOf, PREFIX, underTest, unpack } from '../contract/redis-under-test.ts';
import { describeStore } from '../contract/store-contract.ts';
import { hit, look, someone, windows } from '../contract/store-under-test.ts';
import { type ClusterNode, TestCluster } from '../support/redis-cluster.ts';
import { SubjectLoad } from '../support/subject-load.ts';

let cluster: TestCluster;
let connection: RedisConnection;
beforeAll(async () => {
  cluster = await TestCluster.start(0);
  // One node is enough, and may have a name.
  const nodes = [{ host: 'localhost', port: cluster.endpoints[0]?.port as number }];
  connection = await connectWith({ topology: { type: 'cluster', nodes } });
}, 60_000);
afterAll(async () => {
  connection.close();
  await cluster.stop();
});

describeStore('a Redis Cluster', async () =>
  underTest(await connectWith({ topology: { type: 'cluster', nodes: cluster.endpoints.slice(0, 1) } })),
);

describe('the slot of a key', () => {
  test.each(['a', 'hr:key:{key_0123456789ab}', '{}a', 'a{b', 'a}b{c}{d}', '{{a}}', 'été{ü}', '', 'x'.repeat(300)])(
    'is what Redis says: %j',
    async (key) => {
      expect(slotOf(key)).toBe(Number(await cluster.nodes[0]!.client.cluster('KEYSLOT', key)));
    },
  );

  test('is known to the client from the start for every one of them, so that nothing is redirected', () => {
    const { slots } = connection.client as Cluster;
    const owners = Array.from({ length: 16_384 }, (_, slot) => slots[slot]?.[0]);
    expect(new Set(owners).size).toBe(3);
    expect(owners).not.toContain(undefined);
  });
});

test('random calls over several slots get the answers of one step, and leave the same counts', async () => {
  const store = new RedisStore({ redis: connection, keyPrefix: PREFIX, expirationJitterMaxSeconds: 0 });
  const asked = fc.record({
    name: fc.nat(4),
    cost: fc.nat(4),
    charging: anyCharging,
    denies: anyDenies,
    a: fc.nat(9),
    b: fc.nat(9),
  });
  // A subject twice in one call meets its own charges: what of them stands then is the contract's matter.
  const call = fc.uniqueArray(asked, { selector: ({ name }) => name, minLength: 1, maxLength: 5 });
  const property = fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 20 }), async (calls) => {
    const clock = new ManualClock(0);
    const memory = new MemoryStore({ clock, subjectsMax: 100 });
    const subjects = Array.from({ length: 5 }, someone);
    const hitsOf = (one: (typeof calls)[number]): Hit[] =>
      one.map(({ name, a, b, ...rest }) => {
        return { ...hit(subjects[name] as string, windows({ a, b }), rest), need: Math.max(rest.cost, 1) };
      });
    for (const hits of [...calls.map(hitsOf), subjects.map((subject) => look(subject))]) {
      const taken = await store.take(hits);
      clock.seconds = taken.nowSeconds;
      expect(taken.found).toEqual((await memory.take(hits)).found);
    }
  });
  await fc.assert(property, { numRuns: 100 });
}, 30_000);

test('a user with the documented permissions, and his password, are those of every node', async () => {
  const operations = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const decisions = /ACL SETUSER headroom on >secret ~hr:\* resetchannels -@all (.*)/.exec(operations)?.[1] ?? '';
  const nodes = /In a Cluster, beside those: ([^.]*)\./.exec(operations)?.[1] ?? '';
  const more = [...nodes.matchAll(/`([^`]+)`/g)].map(([, rule]) => rule as string);
  expect(more.length).toBeGreaterThan(1);
  const rules = ['reset', 'on', '>secret', '~hr:*', 'resetchannels', '-@all', ...decisions.split(' '), ...more];
  for (const { client } of cluster.nodes) await client.call('ACL', 'SETUSER', 'headroom', ...rules);
  const auth = { username: 'headroom', password: 'secret' };
  const redis = await connectWith({ topology: { type: 'cluster', nodes: cluster.endpoints }, auth });
  const store = new RedisStore({ redis, keyPrefix: '', expirationJitterMaxSeconds: 0 });
  await store.probe();
  const subjects = [someone(), someone(), someone()];
  await store.take(subjects.map((subject) => hit(subject, windows({ a: 9 }))));
  const [owner, other] = cluster.nodes as [ClusterNode, ClusterNode];
  const moving = subjects.find((subject) => slotOf(keyOf(subject, '')) <= 5_461) ?? 'one of the first node';
  await cluster.migrate(
    slotOf(keyOf(moving, '')),
    (await cluster.ownerOf(slotOf(keyOf(moving, '')))) === owner ? other : owner,
    async () => {
      await store.take([hit(moving, windows({ a: 9 }))]);
    },
  );
  await store.close();
});

let opened = 0;
describeKeys('a Redis Cluster', () => {
  opened += 1;
  const keyPrefix = `registry ${opened}:`;
  return {
    registry: new RedisKeys({ redis: connection, keyPrefix }),
    // Its clock is its own: every expiry of this registry comes so much nearer.
    pass: async (seconds) => {
      for (const { client } of cluster.nodes) {
        for (const key of await client.keys(`${keyPrefix}*`)) {
          const left = await client.pttl(key);
          if (left > 0) await client.pexpire(key, left - seconds * 1_000);
        }
      }
    },
  };
});

describe('a change of a record whose lists cannot be written', () => {
  const keyPrefix = 'broken:';
  const auditKey = `${keyPrefix}hr:{keys}:audit`;

  test('is made, and followed up once by whoever finds it undone', async () => {
    const registry = new RedisKeys({ redis: connection, keyPrefix });
    const other = new RedisKeys({ redis: connection, keyPrefix });
    const stored = await create(registry, { name: 'before' });
    const audit = await connection.client.dumpBuffer(auditKey);
    await connection.client.set(auditKey, 'of another type');
    const after = changed(stored, { name: 'after', status: 'revoked' });
    const write = { ...replacement(stored, after), once: { name: 'n', reply: 'r', seconds: 60 } };
    await expect(registry.write(write)).rejects.toThrow('WRONGTYPE');
    expect(await other.find(stored.record.id)).toEqual(after);
    await expect(other.replyOf('n')).rejects.toThrow('WRONGTYPE');
    expect((await other.list({ ...FIRST_PAGE, status: 'revoked' })).totalCount).toBe(0);
    await connection.client.del(auditKey);
    await connection.client.restore(auditKey, 0, audit as Buffer);
    expect(await other.write(write)).toEqual({ kind: 'repeated', reply: 'r' });
    await Promise.all(Array.from({ length: 5 }, () => other.find(stored.record.id)));
    expect(await other.list({ ...FIRST_PAGE, status: 'revoked' })).toEqual({ items: [after], totalCount: 1 });
    expect((await other.list(FIRST_PAGE)).totalCount).toBe(1);
    expect((await other.audit(1, 10)).totalCount).toBe(2);
    expect(await connection.client.exists(`${keyPrefix}hr:key:{${stored.record.id}}:unfinished`)).toBe('0');
  });

  test('that another change comes after is followed up before that one is made', async () => {
    const registry = new RedisKeys({ redis: connection, keyPrefix });
    const stored = await create(registry, { name: 'one' });
    const audit = await connection.client.dumpBuffer(auditKey);
    await connection.client.set(auditKey, 'of another type');
    const second = changed(stored, { name: 'two' });
    await expect(registry.write(replacement(stored, second))).rejects.toThrow('WRONGTYPE');
    await connection.client.del(auditKey);
    await connection.client.restore(auditKey, 0, audit as Buffer);
    const { totalCount } = await registry.audit(1, 10);
    const third = changed(second, { name: 'three' });
    expect(await registry.write(replacement(second, third))).toEqual({ kind: 'written' });
    expect((await registry.audit(1, 10)).totalCount).toBe(totalCount + 2);
    const named = await registry.list({ ...FIRST_PAGE, sort: 'name', namePrefix: 't' });
    expect(named).toEqual({ items: [third], totalCount: 1 });
  });

  test('and that is followed up again, long after, leaves the record where it is in the order of creation', async () => {
    const own = 'long after:';
    const registry = new RedisKeys({ redis: connection, keyPrefix: own });
    const [first, second] = [await create(registry), await create(registry)];
    const revoked = changed(first, { status: 'revoked' });
    await connection.client.rename(`${own}hr:{keys}:audit`, `${own}hr:{keys}:aside`);
    await connection.client.set(`${own}hr:{keys}:audit`, 'of another type');
    await expect(registry.write(replacement(first, revoked))).rejects.toThrow('WRONGTYPE');
    await connection.client.rename(`${own}hr:{keys}:aside`, `${own}hr:{keys}:audit`);
    const noteKey = `${own}hr:key:{${first.record.id}}:unfinished`;
    const note = (await connection.client.get(noteKey)) as string;
    await registry.find(first.record.id);
    const after = await change(registry, second, { status: 'revoked' });
    for (const { client } of cluster.nodes) {
      for (const mark of await client.keys(`${own}hr:{keys}:placed:*`)) await client.del(mark);
    }
    await connection.client.set(noteKey, note);
    await registry.find(first.record.id);
    const { items } = await registry.list({ ...FIRST_PAGE, status: 'revoked' });
    expect(items).toEqual([revoked, after]);
  });

  test('that a failover undoes is followed up anew when it is made anew', async () => {
    const own = 'failover:';
    const registry = new RedisKeys({ redis: connection, keyPrefix: own });
    const stored = await create(registry);
    const key = `${own}hr:key:{${stored.record.id}}`;
    const replicated = (await connection.client.dumpBuffer(key)) as Buffer;
    await change(registry, stored, { name: 'lost' });
    await connection.client.del(key);
    await connection.client.restore(key, 0, replicated);
    const { totalCount } = await registry.audit(1, 10);
    const revoked = changed(stored, { status: 'revoked' });
    const write = replacement(stored, revoked, { name: 'n', reply: 'r', seconds: 60 });
    expect(await registry.write(write)).toEqual({ kind: 'written' });
    expect(await registry.list({ ...FIRST_PAGE, status: 'revoked' })).toEqual({ items: [revoked], totalCount: 1 });
    expect((await registry.audit(1, 10)).totalCount).toBe(totalCount + 1);
    expect(await registry.replyOf('n')).toBe('r');
  });

  test('asked for once more while it is under way is told to come again', async () => {
    const registry = new RedisKeys({ redis: connection, keyPrefix });
    const once = { name: 'under way', reply: 'r', seconds: 60 };
    const [first, second] = [creation(keyOfRecord(), once), creation(keyOfRecord(), once)];
    const kinds = (await Promise.all([registry.write(first), registry.write(second)])).map(({ kind }) => kind);
    expect(kinds[0]).toBe('written');
    expect(['conflict', 'repeated']).toContain(kinds[1]);
    expect(await registry.write(second)).toEqual({ kind: 'repeated', reply: 'r' });
    expect(await registry.find(second.after.record.id)).toBeUndefined();
  });
});

// Last: the Cluster has one more node from here on.
test('a slot that moves to a node that had none changes no total and fails no call', async () => {
  const prefix = '{growing}:';
  const slot = slotOf(prefix);
  const redis = await connectWith({ topology: { type: 'cluster', nodes: cluster.endpoints } });
  const store = new RedisStore({ redis, keyPrefix: prefix, expirationJitterMaxSeconds: 0 });
  const load = new SubjectLoad({ store, subjects: 20, limit: 1_000_000, timeoutMillis: 2_000 });
  await load.ask(20, 20);
  const [from, to] = [await cluster.ownerOf(slot), await cluster.grow()];
  let isMoved = false;
  let isHalf = false;
  const moving = cluster
    .migrate(slot, to, async () => {
      // Halfway, the map of slots is renewed, in which that node is not.
      isHalf ||= (await from.client.cluster('COUNTKEYSINSLOT', slot)) === 10;
      if (isHalf) await after(300);
    })
    .finally(() => {
      isMoved = true;
    });
  await load.askUntil(() => isMoved, 20);
  await moving;
  await load.ask(200, 20);
  expect(Object.fromEntries(load.undecided)).toEqual({});
  const held = await Promise.all(
    load.admitted.map((_, index) => to.client.getBuffer(keyOf(load.subject(index), prefix))),
  );
  expect(held.map((value) => value && unpack(value)[0]?.used)).toEqual(load.admitted);
  await load.guard.close();
}, 30_000);
