/** What a record makes of a hit is written twice, in take.lua and in core/hit.ts: whatever they are asked, they answer alike. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MemoryStore } from '../../src/adapters/memory/memory-store.ts';
import { RedisKeys } from '../../src/adapters/redis/redis-keys.ts';
import type { Hit } from '../../src/core/hit.ts';
import { changedRecord, type Standing, type StoredKey } from '../../src/core/key-record.ts';
import { COST_MAX } from '../../src/core/window.ts';
import { keyRecord } from '../core/key-build.ts';
import { TestRedis } from '../support/redis.ts';
import { anyCharging, anyDenies } from './any-charge.ts';
import { ManualClock } from './manual-clock.ts';
import { connectTo, PREFIX, redisUnderTest } from './redis-under-test.ts';
import { look, type StoreUnderTest, someone, storeSeconds, windowOfSeconds } from './store-under-test.ts';

let redis: TestRedis;
let real: StoreUnderTest;
beforeAll(async () => {
  redis = await TestRedis.start();
  real = await redisUnderTest(redis);
});
afterAll(async () => {
  await real.store.close();
  await redis.stop();
});

// Every key is presented with its hashes under both secrets, as replicas do until the previous secret is dropped: Redis
// moves a record from one to the other when it sees the key, which makes no difference to such callers.
const KEYS = ['one', 'two', 'three'];
const HASHES = KEYS.flatMap((key) => [`${key} now`, `${key} before`]);
const SHAPES = [[60], [60, 86_400], [3_600, 86_400], [60, 3_600, 86_400]];
const LENGTHS = [60, 3_600, 86_400];
const far = fc.constantFrom(-1_000_000, 1_000_000);
const own = fc.constantFrom(0, 0, 1, 3, 4_294_967_295);

/** A change of a record, or a call. */
type Step = { readonly register: Registration } | { readonly take: readonly Ask[] };

interface Registration {
  readonly of: number;
  readonly record: Parameters<typeof keyRecord>[0];
  readonly expiresIn: number | undefined;
  readonly hash: string;
  readonly rotated: { readonly hash: string; readonly goodFor: number } | undefined;
}

interface Ask {
  readonly of: number;
  readonly keyed: boolean;
  readonly maxes: readonly (readonly [seconds: number, max: number])[];
  readonly unknownMaxes: Ask['maxes'] | undefined;
  readonly hashes: readonly string[];
  readonly ownLimits: boolean;
  readonly refusesInactive: boolean;
  readonly charge: Pick<Hit, 'cost' | 'need' | 'charging' | 'denies'>;
}

const maxes = fc
  .tuple(fc.constantFrom(...SHAPES), fc.array(fc.nat(4), { minLength: 3, maxLength: 3 }))
  .map(([shape, numbers]) => shape.map((seconds, index) => [seconds, numbers[index] as number] as const));

const charge = fc
  .record({ cost: fc.integer({ min: -2, max: 3 }), charging: anyCharging, denies: anyDenies })
  .map(({ cost, charging, denies }) =>
    cost < 0
      ? { cost, need: -COST_MAX, charging: 'always' as const, denies }
      : { cost, need: Math.max(cost, 1), charging, denies },
  );

const registration: fc.Arbitrary<Registration> = fc.record({
  of: fc.nat(2),
  record: fc.record({
    status: fc.constantFrom('active', 'active', 'active', 'disabled', 'revoked'),
    rateLimitPerMinute: own,
    rateLimitPerDay: own,
  }),
  expiresIn: fc.option(far, { nil: undefined }),
  hash: fc.constantFrom(...HASHES),
  rotated: fc.option(fc.record({ hash: fc.constantFrom(...HASHES), goodFor: far }), { nil: undefined }),
});

const ask: fc.Arbitrary<Ask> = fc.record({
  of: fc.nat(2),
  keyed: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  maxes,
  unknownMaxes: fc.option(maxes, { nil: undefined }),
  hashes: fc.constantFrom(...KEYS).map((key) => [`${key} now`, `${key} before`]),
  ownLimits: fc.boolean(),
  refusesInactive: fc.boolean(),
  charge,
});

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: registration.map((register) => ({ register })) },
  { weight: 3, arbitrary: fc.array(ask, { minLength: 1, maxLength: 3 }).map((take) => ({ take })) },
);

interface Names {
  readonly id: string;
  readonly known: string;
  readonly stray: string;
}

/** Three subjects with records, nothing stored of any. */
class Twins {
  readonly #clock = new ManualClock(0);
  readonly #records = new Map<string, StoredKey>();
  readonly #memory = new MemoryStore({
    clock: this.#clock,
    subjectsMax: 100,
    keys: { stored: (id) => this.#records.get(id) },
  });
  readonly #keys: readonly Names[] = [0, 1, 2].map(() => ({
    id: `key_${someone()}`,
    known: someone(),
    stray: someone(),
  }));

  async register({ of, record, expiresIn, hash, rotated }: Registration): Promise<void> {
    const now = await storeSeconds(real.store);
    const stored = {
      record: keyRecord({ ...record, id: this.#key(of).id, expiresAt: expiresIn && now + expiresIn }),
      credentials: { hash, rotated: rotated && { hash: rotated.hash, untilSeconds: now + rotated.goodFor } },
    };
    this.#records.set(stored.record.id, stored);
    await real.register(stored);
  }

  async take(asks: readonly Ask[]): Promise<void> {
    await this.#compare(asks.map((each) => this.#hitOf(each)));
  }

  /** All that is counted. */
  async look(): Promise<void> {
    const windows = LENGTHS.map((seconds) => windowOfSeconds(seconds, 0));
    await this.#compare(
      this.#keys.flatMap(({ id, known, stray }) => [
        { ...look(known, windows), record: id },
        { ...look(stray, windows) },
      ]),
    );
  }

  async #compare(hits: readonly Hit[]): Promise<void> {
    const taken = await real.store.take(hits);
    this.#clock.seconds = taken.nowSeconds;
    expect(taken).toEqual(await this.#memory.take(hits));
  }

  #hitOf({ of, keyed, maxes: limits, unknownMaxes, charge: how, ...key }: Ask): Hit {
    const { id, known, stray } = this.#key(of);
    const windows = limits.map(([seconds, max]) => windowOfSeconds(seconds, max));
    const hit = { subject: known, record: id, windows, ...how };
    if (!keyed) return hit;
    const others = unknownMaxes?.map(([seconds, max]) => windowOfSeconds(seconds, max));
    return { ...hit, key: { ...key, unknown: others && { subject: stray, windows: others } } };
  }

  #key(index: number): Names {
    return this.#keys[index] as Names;
  }
}

test('random changes of records and calls with their keys get the same answers from Redis as from memory', async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
    const twins = new Twins();
    for (const each of steps) {
      if ('take' in each) await twins.take(each.take);
      else await twins.register(each.register);
    }
    await twins.look();
  });
  await fc.assert(property, { numRuns: 150 });
});

describe('a record that was kept under the previous hash secret', () => {
  const untilSeconds = 9_000_000_000;

  /** A record, and calls with keys of its id. */
  async function recordOf(credentials: StoredKey['credentials']) {
    const record = keyRecord({ id: `key_${someone()}` });
    await real.register({ record, credentials });
    return presented(record.id);
  }

  /** The same, as the registry writes it. */
  async function registered(registry: RedisKeys, hash: string) {
    const record = keyRecord({ id: `key_${someone()}` });
    const audit = { at: 0, actor: 'a', action: 'key.created', subject: record.id, before: undefined, after: undefined };
    await registry.write({ before: undefined, after: { record, credentials: { hash, rotated: undefined } }, audit });
    return { ...presented(record.id), id: record.id };
  }

  function presented(id: string) {
    return {
      /** What a replica finds that presents these hashes. */
      async seenWith(...hashes: readonly string[]): Promise<Standing | undefined> {
        const key = { hashes, ownLimits: true, refusesInactive: true, unknown: undefined };
        const hit = { ...look(someone(), [windowOfSeconds(60, 9)]), record: id, key };
        return (await real.store.take([hit])).found[0]?.standing;
      },
      fields: () => redis.client.hmget(`${PREFIX}hr:key:{${id}}`, 'hash', 'rotated'),
    };
  }

  test('is kept under the current one as soon as its key was seen: then the previous secret can go', async () => {
    const { seenWith, fields } = await recordOf({ hash: 'old', rotated: undefined });
    expect(await seenWith('new', 'old')).toBe('active');
    expect(await fields()).toEqual(['new', null]);
    expect(await seenWith('new')).toBe('active');
  });

  test('is moved for the key before the last rotation, too', async () => {
    const { seenWith, fields } = await recordOf({ hash: 'another', rotated: { hash: 'old', untilSeconds } });
    expect(await seenWith('new', 'old')).toBe('active');
    expect(await fields()).toEqual(['another', 'new']);
    expect([await seenWith('new'), await seenWith('old')]).toEqual(['active', 'active']);
  });

  test('is still found by replicas that have the previous secret alone, whichever saw the key first', async () => {
    const { seenWith, fields } = await recordOf({ hash: 'old', rotated: undefined });
    expect([await seenWith('new', 'old'), await seenWith('old'), await seenWith('old', 'new')]).toEqual([
      'active',
      'active',
      'active',
    ]);
    expect(await fields()).toEqual(['new', null]);
  });

  test('is found by replicas that went back to an older secret, while others go on to a newer one', async () => {
    const { seenWith } = await recordOf({ hash: 'a', rotated: undefined });
    expect([await seenWith('b', 'a'), await seenWith('a'), await seenWith('c', 'a'), await seenWith('a')]).toEqual([
      'active',
      'active',
      'active',
      'active',
    ]);
  });

  test('is found by whoever has left out one change of the secret', async () => {
    const { seenWith } = await recordOf({ hash: 'old', rotated: undefined });
    await seenWith('new', 'old');
    expect(await seenWith('newest', 'old')).toBe('active');
  });

  test('stays as it is when another key of its id was seen', async () => {
    const { seenWith, fields } = await recordOf({ hash: 'old', rotated: { hash: 'another', untilSeconds } });
    expect(await seenWith('new', 'older')).toBe('replaced');
    expect(await fields()).toEqual(['old', 'another']);
  });

  /** Rotates the record by the registry, as the admin API does. */
  async function rotate(registry: RedisKeys, id: string, hash: string, isGraced: boolean): Promise<void> {
    const before = (await registry.find(id)) as StoredKey;
    const rotated = isGraced ? { hash: before.credentials.hash, untilSeconds } : undefined;
    const after = { record: changedRecord(before.record, {}, 0), credentials: { hash, rotated } };
    const audit = { at: 0, actor: 'a', action: 'key.rotated', subject: id, before: undefined, after: undefined };
    await registry.write({ before, after, audit });
  }

  test('is not found by what its former key was under a former secret, once it was rotated', async () => {
    const connection = await connectTo(redis);
    const registry = new RedisKeys({ redis: connection, keyPrefix: PREFIX });
    const { seenWith, id } = await registered(registry, 'old');
    await seenWith('new', 'old');
    await rotate(registry, id, 'next', false);
    connection.close();
    expect([await seenWith('old'), await seenWith('new', 'old'), await seenWith('next')]).toEqual([
      'replaced',
      'replaced',
      'active',
    ]);
  });

  test('is found by what its former key was under a former secret as long as that key is graced, and no longer', async () => {
    const connection = await connectTo(redis);
    const registry = new RedisKeys({ redis: connection, keyPrefix: PREFIX });
    const { seenWith, id } = await registered(registry, 'old');
    await seenWith('new', 'old');
    await rotate(registry, id, 'next', true);
    expect([
      await seenWith('old'),
      await seenWith('new', 'old'),
      await seenWith('next'),
      await seenWith('older'),
    ]).toEqual(['active', 'active', 'active', 'replaced']);
    await rotate(registry, id, 'last', true);
    connection.close();
    expect([
      await seenWith('old'),
      await seenWith('new', 'old'),
      await seenWith('next'),
      await seenWith('last'),
    ]).toEqual(['replaced', 'replaced', 'active', 'active']);
  });
});
