/** The use cases at their limits in time, and while others write in between. */
import { describe, expect, test } from '@jest/globals';
import { MemoryKeys } from '../../src/adapters/memory/memory-keys.ts';
import { adminTokens } from '../../src/adapters/node-crypto/admin-tokens.ts';
import { keyHasher } from '../../src/adapters/node-crypto/hash-api-key.ts';
import { secureRandom } from '../../src/adapters/node-crypto/random.ts';
import { Audit } from '../../src/app/audit.ts';
import { KeyAdmin } from '../../src/app/key-admin.ts';
import type { RandomBytes } from '../../src/core/api-key.ts';
import { Conflict } from '../../src/core/errors.ts';
import type { Admin } from '../../src/ports/admin-tokens.ts';
import type { KeyWrite, WriteOutcome } from '../../src/ports/key-registry.ts';
import { ManualClock } from '../support/clock.ts';

const by = adminTokens(['token']).adminOf('token') as Admin;
const WANTED = {
  name: 'n',
  type: 'secret',
  rateLimitPerMinute: 0,
  rateLimitPerDay: 0,
  status: 'active',
  expiresAt: undefined,
  metadata: {},
} as const;
const DAY_MILLIS = 86_400_000;

/** Others write first: as often as `losses` says, and each time another version. */
class BusyKeys extends MemoryKeys {
  losses = 0;
  writes = 0;

  override async write(write: KeyWrite): Promise<WriteOutcome> {
    this.writes += 1;
    if (this.losses > 0 && write.before !== undefined) {
      this.losses -= 1;
      const { before } = write;
      const record = { ...before.record, name: 'theirs', version: before.record.version + 1 };
      await super.write({ before, after: { ...before, record }, audit: write.audit });
    }
    return super.write(write);
  }
}

interface Options {
  readonly random?: RandomBytes;
  readonly secrets?: { secret: string | undefined; previousSecret: string | undefined };
  readonly registry?: BusyKeys;
}

function build({
  random = secureRandom,
  secrets = { secret: undefined, previousSecret: undefined },
  registry,
}: Options = {}) {
  const clock = new ManualClock();
  const keys = registry ?? new BusyKeys({ clock });
  const logged: object[] = [];
  const quiet = () => undefined;
  const log = { debug: quiet, warn: quiet, error: quiet, info: (fields: object) => logged.push(fields) };
  const audit = new Audit({ registry: keys, clock, log });
  const admin = new KeyAdmin({ registry: keys, audit, clock, random, hasher: keyHasher(secrets) });
  return { admin, clock, registry: keys, logged };
}

describe('a change without a condition', () => {
  test('is made upon the change that came in between', async () => {
    const { admin, registry, logged } = build();
    const { record } = await admin.create(WANTED, { by });
    registry.losses = 3;
    const changed = await admin.change(record.id, { rateLimitPerDay: 5 }, { by });
    expect(changed).toMatchObject({ name: 'theirs', rateLimitPerDay: 5, version: 5 });
    expect(logged).toHaveLength(2);
  });

  test('meets no other of the same process: 50 at once take one write each', async () => {
    const { admin, registry } = build();
    const { record } = await admin.create(WANTED, { by });
    registry.writes = 0;
    const name = (index: number) => ({ name: `n${index}` });
    const made = await Promise.all(Array.from({ length: 50 }, (_, at) => admin.change(record.id, name(at), { by })));
    expect(made.map(({ version }) => version)).toEqual(Array.from({ length: 50 }, (_, at) => at + 2));
    expect(registry.writes).toBe(50);
  });

  test('is given up with a conflict when a hundred others in a row were faster', async () => {
    const { admin, registry } = build();
    const { record } = await admin.create(WANTED, { by });
    registry.losses = 1_000;
    registry.writes = 0;
    await expect(admin.change(record.id, { rateLimitPerDay: 5 }, { by })).rejects.toThrow(Conflict);
    expect(registry.writes).toBe(100);
  });
});

test('a change on the condition of a version is not made upon one that came in between', async () => {
  const { admin, registry } = build();
  const { record } = await admin.create(WANTED, { by });
  registry.losses = 1;
  const change = admin.change(record.id, { rateLimitPerDay: 5 }, { by, versions: [1] });
  await expect(change).rejects.toMatchObject({ code: 'PRECONDITION_FAILED', field: 'if-match' });
});

test('an id that there is already is never given again', async () => {
  let repeats = 3;
  // The first bytes of a key are its id: the same ones for the first keys.
  const random: RandomBytes = (count) => (count === 12 && repeats-- > 0 ? new Uint8Array(12) : secureRandom(count));
  const { admin } = build({ random });
  const first = await admin.create(WANTED, { by });
  const second = await admin.create(WANTED, { by });
  expect(first.record.id).toBe('key_000000000000');
  expect(second.record.id).not.toBe(first.record.id);
  expect(await admin.find(first.record.id)).toEqual(first.record);
});

test('the key before a rotation is good until the second that was told, and not in it', async () => {
  const { admin, clock } = build();
  const { record, key } = await admin.create(WANTED, { by });
  const { previousUntil = 0 } = await admin.rotate(record.id, 60, { by });
  expect(previousUntil).toBe(clock.nowMillis() / 1_000 + 60);
  clock.advance(59_999);
  expect((await admin.lookup(key)).id).toBe(record.id);
  clock.advance(1);
  await expect(admin.lookup(key)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a reply is remembered for 24 hours', async () => {
  const { admin, clock } = build();
  const asked = { by, idempotencyKey: 'k' };
  const first = await admin.create(WANTED, asked);
  clock.advance(DAY_MILLIS - 1);
  expect(await admin.create(WANTED, asked)).toEqual({ ...first, replayed: true });
  clock.advance(1);
  expect((await admin.create(WANTED, asked)).key).not.toBe(first.key);
});

test('what was remembered but cannot be opened is a conflict, not another key', async () => {
  const { admin, registry } = build();
  registry.replyOf = () => Promise.resolve('not sealed by anybody');
  await expect(admin.create(WANTED, { by, idempotencyKey: 'k' })).rejects.toMatchObject({ field: 'idempotency-key' });
});

test('a key is recognised by its hash of the secret before, and rotated with the present one', async () => {
  const { admin: before, registry } = build({ secrets: { secret: 'old', previousSecret: undefined } });
  const { record, key } = await before.create(WANTED, { by });
  const { admin: now } = build({ registry, secrets: { secret: 'new', previousSecret: 'old' } });
  expect((await now.lookup(key)).id).toBe(record.id);
  const rotated = await now.rotate(record.id, 0, { by });
  const { admin: later } = build({ registry, secrets: { secret: 'new', previousSecret: undefined } });
  expect((await later.lookup(rotated.key)).id).toBe(record.id);
  await expect(later.lookup(key)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
