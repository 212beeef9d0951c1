/** Memory and Redis are two registries of one contract: whatever they are asked, they answer alike. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MemoryKeys } from '../../src/adapters/memory/memory-keys.ts';
import type { RedisConnection } from '../../src/adapters/redis/connect.ts';
import { RedisKeys } from '../../src/adapters/redis/redis-keys.ts';
import { KEY_STATUSES, type KeyChange, type StoredKey } from '../../src/core/key-record.ts';
import type { KeyQuery, KeyRegistry, OnceReply } from '../../src/ports/key-registry.ts';
import { TestRedis } from '../support/redis.ts';
import { auditOf, changed, creation, keyOf, NOW, replacement } from './keys-under-test.ts';
import { ManualClock } from './manual-clock.ts';
import { connectTo } from './redis-under-test.ts';

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

/** Few records and few names, so that most steps meet what earlier ones left. */
const id = fc.constantFrom('key_aaaaaaaaaaaa', 'key_Aaaaaaaaaaaa', 'key_000000000000', 'key_zzzzzzzzzzzz');
const name = fc
  .oneof(
    fc.constantFrom('', 'a', 'ab', '[a', '\xff', '\uffff', '\u{1f511}'),
    fc.string({ unit: 'grapheme', maxLength: 3 }),
  )
  .filter((text) => !text.includes('\0'));
const type = fc.constantFrom('secret' as const, 'publishable' as const);
const status = fc.constantFrom(...KEY_STATUSES);
const max = fc.constantFrom(0, 1, 2 ** 53 - 1);
const metadata = fc.dictionary(name, name, { maxKeys: 2, noNullPrototype: true });
const once: fc.Arbitrary<OnceReply | undefined> = fc.option(
  fc.record({ name: fc.constantFrom('x', 'y', 'z'), reply: name, seconds: fc.constant(1_000) }),
  { nil: undefined, freq: 3 },
);
const to: fc.Arbitrary<KeyChange> = fc.record(
  {
    name,
    status,
    metadata,
    rateLimitPerMinute: max,
    rateLimitPerDay: max,
    expiresAt: fc.constantFrom(null, 5, 2_000_000_000),
  },
  { requiredKeys: [] },
);
const query: fc.Arbitrary<KeyQuery> = fc
  .record({
    page: fc.integer({ min: 1, max: 4 }),
    pageSize: fc.integer({ min: 1, max: 3 }),
    type: fc.option(type, { nil: undefined }),
    status: fc.option(status, { nil: undefined }),
    sort: fc.constantFrom('created_at', '-created_at', 'name', '-name'),
    namePrefix: fc.option(name, { nil: undefined }),
  })
  .map((asked) => (asked.sort.endsWith('name') ? asked : { ...asked, namePrefix: undefined }));

type Step = (registry: KeyRegistry) => Promise<unknown>;

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ id, name, type, status, rateLimitPerMinute: max, metadata }).chain((rest) =>
      once.map(
        (reply): Step =>
          (registry) =>
            registry.write(creation(keyOf(rest), reply)),
      ),
    ),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(id, to, once, fc.boolean()).map(
      ([which, change, reply, isStale]): Step =>
        async (registry) => {
          const now = (await registry.find(which)) ?? keyOf({ id: which });
          const before = isStale ? { ...now, record: { ...now.record, version: now.record.version + 1 } } : now;
          return registry.write(replacement(before, changed(before, change), reply));
        },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(id, fc.string(), fc.boolean()).map(
      ([which, hash, keepsOld]): Step =>
        async (registry) => {
          const before = await registry.find(which);
          if (before === undefined) return undefined;
          const rotated = keepsOld ? { hash: before.credentials.hash, untilSeconds: 2_000_000_000 } : undefined;
          const after: StoredKey = { ...changed(before, {}), credentials: { hash, rotated } };
          return registry.write(replacement(before, after));
        },
    ),
  },
  {
    weight: 4,
    arbitrary: query.map(
      (asked): Step =>
        (registry) =>
          registry.list(asked),
    ),
  },
  {
    weight: 1,
    arbitrary: id.map(
      (which): Step =>
        (registry) =>
          registry.find(which),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('x', 'y', 'z').map(
      (asked): Step =>
        (registry) =>
          registry.replyOf(asked),
    ),
  },
  {
    weight: 1,
    arbitrary: name.map(
      (text): Step =>
        (registry) =>
          registry.addAudit(auditOf({ after: text })),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5 })).map(
      ([page, size]): Step =>
        (registry) =>
          registry.audit(page, size),
    ),
  },
);

let runs = 0;
test('any steps in any order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { maxLength: 60, size: 'max' }), async (sequence) => {
      runs += 1;
      const inRedis = new RedisKeys({ redis: connection, keyPrefix: `run ${runs}:` });
      const inMemory = new MemoryKeys({ clock: new ManualClock(NOW / 1_000) });
      const everything: readonly Step[] = [
        ...(['created_at', '-name'] as const).map(
          (sort): Step =>
            (registry) =>
              registry.list({ page: 1, pageSize: 9, sort }),
        ),
        (registry) => registry.audit(1, 100),
      ];
      for (const step of [...sequence, ...everything]) {
        expect(await step(inRedis)).toEqual(await step(inMemory));
      }
    }),
    { numRuns: 200 },
  );
});
