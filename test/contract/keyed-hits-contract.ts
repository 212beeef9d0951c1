/** The part of the contract about API keys: the record is read in the same step as the counters, and rules what is charged. */
import { describe, expect, test } from '@jest/globals';
import type { Hit, PresentedKey } from '../../src/core/hit.ts';
import type { KeyRecord, StoredKey } from '../../src/core/key-record.ts';
import { countsOf } from '../core/build.ts';
import { keyRecord } from '../core/key-build.ts';
import {
  hit,
  isDenied,
  look,
  type StoreUnderTest,
  someone,
  storeSeconds,
  usedBefore,
  windowOfSeconds,
  windows,
} from './store-under-test.ts';

const MINUTE = 60;
const DAY = 86_400;
let records = 0;

interface Keyed {
  readonly id: string;
  /** Of the record, and of a key without one. */
  readonly known: string;
  readonly stray: string;
  /** A hit of cost 1 whose windows are 5 of length a. */
  ask(rest?: Partial<PresentedKey>, charge?: Partial<Hit>): Hit;
}

function aKey(limits = windows({ a: 5 }), strayLimits = windows({ a: 3 })): Keyed {
  records += 1;
  const id = `key_${String(records).padStart(12, '0')}`;
  const [known, stray] = [someone(), someone()];
  return {
    id,
    known,
    stray,
    ask: (rest = {}, charge = {}) =>
      hit(known, limits, {
        record: id,
        key: {
          hashes: ['its hash'],
          ownLimits: true,
          refusesInactive: true,
          unknown: { subject: stray, windows: strayLimits },
          ...rest,
        },
        ...charge,
      }),
  };
}

function stored(id: string, record: Partial<KeyRecord> = {}, rotated?: StoredKey['credentials']['rotated']): StoredKey {
  return { record: keyRecord({ id, ...record }), credentials: { hash: 'its hash', rotated } };
}

const used = (get: () => StoreUnderTest, subject: string, record?: string) =>
  usedBefore(get().store, { ...look(subject, windows({ a: 0 })), record });

export function describeKeyedHits(get: () => StoreUnderTest): void {
  describe('an API key', () => {
    describeStandings(get);
    describeOwnNumbers(get);
    describeCompany(get);
  });
}

function describeStandings(get: () => StoreUnderTest): void {
  /** What one call of cost 1 finds and charges. */
  interface Row {
    readonly title: string;
    readonly record?: (nowSeconds: number) => Partial<KeyRecord>;
    readonly rotated?: (nowSeconds: number) => StoredKey['credentials']['rotated'];
    readonly key?: Partial<PresentedKey>;
    readonly standing: string;
    readonly charged: 'its record' | 'its hash' | 'nothing';
  }
  const refused = { unknown: undefined };
  const counted = { refusesInactive: false };
  // biome-ignore format: one case a line
  const rows: readonly Row[] = [
    { title: 'with a record counts on its record', record: () => ({}), standing: 'active', charged: 'its record' },
    { title: 'without a record counts by its hash', standing: 'unknown', charged: 'its hash' },
    { title: 'without a record is refused where the policy says so', key: refused, standing: 'unknown', charged: 'nothing' },
    { title: 'with the id of a record and another secret is refused', record: () => ({}), key: { hashes: ['another hash'] }, standing: 'replaced', charged: 'nothing' },
    { title: 'with the id of a record and another secret never counts on that record', record: () => ({}), key: { ...counted, hashes: ['another hash'] }, standing: 'replaced', charged: 'its hash' },
    { title: 'with the id of a record and another secret is refused where keys without one are', record: () => ({}), key: { ...counted, ...refused, hashes: ['another hash'] }, standing: 'replaced', charged: 'nothing' },
    { title: 'with no hash at all is not that of any record', record: () => ({}), key: { hashes: [''] }, standing: 'replaced', charged: 'nothing' },
    { title: 'that is disabled is refused', record: () => ({ status: 'disabled' }), standing: 'inactive', charged: 'nothing' },
    { title: 'that is revoked is refused', record: () => ({ status: 'revoked' }), standing: 'inactive', charged: 'nothing' },
    { title: 'that is revoked counts on its record where the policy says so', record: () => ({ status: 'revoked' }), key: counted, standing: 'inactive', charged: 'its record' },
    { title: 'that has expired is refused', record: (now) => ({ expiresAt: now - 10 }), standing: 'inactive', charged: 'nothing' },
    { title: 'that expires later counts on its record', record: (now) => ({ expiresAt: now + 1_000 }), standing: 'active', charged: 'its record' },
    { title: 'under the previous hash secret counts on its record', record: () => ({}), key: { hashes: ['new hash', 'its hash'] }, standing: 'active', charged: 'its record' },
    { title: 'that was rotated away counts on its record while it is still good', record: () => ({}), rotated: (now) => ({ hash: 'old hash', untilSeconds: now + 1_000 }), key: { hashes: ['old hash'] }, standing: 'active', charged: 'its record' },
    { title: 'that was rotated away is refused afterwards', record: () => ({}), rotated: (now) => ({ hash: 'old hash', untilSeconds: now - 10 }), key: { hashes: ['old hash'] }, standing: 'replaced', charged: 'nothing' },
    { title: 'that was rotated away is refused when its record is revoked', record: () => ({ status: 'revoked' }), rotated: (now) => ({ hash: 'old hash', untilSeconds: now + 1_000 }), key: { hashes: ['old hash'] }, standing: 'inactive', charged: 'nothing' },
    { title: 'that took the place of a rotated one counts on its record', record: () => ({}), rotated: (now) => ({ hash: 'old hash', untilSeconds: now + 1_000 }), standing: 'active', charged: 'its record' },
  ];
  test.each(rows)('$title', async ({ record, rotated, key, standing, charged }) => {
    const { store, register } = get();
    const now = await storeSeconds(store);
    const { id, known, stray, ask } = aKey();
    if (record) await register(stored(id, record(now), rotated?.(now)));
    for (const before of [0, 1]) {
      const { found } = await store.take([ask(key)]);
      expect(found[0]?.standing).toBe(standing);
      expect(found[0]?.counts[1]).toBe(charged === 'nothing' ? undefined : before);
    }
    expect(await used(get, known, id)).toEqual([charged === 'its record' ? 2 : 0]);
    expect(await used(get, stray)).toEqual([charged === 'its hash' ? 2 : 0]);
  });

  test('without a record meets the windows of such keys, whatever their lengths', async () => {
    const { store } = get();
    const { ask } = aKey(windows({ a: 5, b: 9 }), windows({ c: 1 }));
    const { found } = await store.take([ask()]);
    expect(found[0]?.windows).toEqual(windows({ c: 1 }));
    expect(await isDenied(store, ask())).toBe(true);
  });
}

function describeOwnNumbers(get: () => StoreUnderTest): void {
  const minuteAndDay = () => [windowOfSeconds(MINUTE, 300), windowOfSeconds(DAY, 10_000)];
  // biome-ignore format: one case a line
  test.each([
    { title: 'for the minute', own: { rateLimitPerMinute: 7 }, ownLimits: true, maxes: [7, 10_000] },
    { title: 'for the day', own: { rateLimitPerDay: 7 }, ownLimits: true, maxes: [300, 7] },
    { title: 'for both', own: { rateLimitPerMinute: 4_294_967_295, rateLimitPerDay: 1 }, ownLimits: true, maxes: [4_294_967_295, 1] },
    { title: 'not where they are 0', own: {}, ownLimits: true, maxes: [300, 10_000] },
    { title: 'not where the limit is not the key’s own', own: { rateLimitPerMinute: 7 }, ownLimits: false, maxes: [300, 10_000] },
  ])('brings its own numbers $title', async ({ own, ownLimits, maxes }) => {
    const { store, register } = get();
    for (const charging of ['together', 'always'] as const) {
      const { id, ask } = aKey(minuteAndDay());
      await register(stored(id, own));
      const { found } = await store.take([ask({ ownLimits }, { charging })]);
      expect(found[0]?.windows.map(({ max }) => max)).toEqual(maxes);
    }
  });

  test('that is inactive and counted anyway loses its own numbers', async () => {
    const { store, register } = get();
    const { id, ask } = aKey(minuteAndDay());
    await register(stored(id, { status: 'disabled', rateLimitPerMinute: 7 }));
    const { found } = await store.take([ask({ refusesInactive: false })]);
    expect(found[0]?.windows.map(({ max }) => max)).toEqual([300, 10_000]);
  });

  test('whose number is changed is decided by the new one at once, lower than what is used included', async () => {
    const { store, register } = get();
    const { id, ask } = aKey([windowOfSeconds(DAY, 3)]);
    const outcomes: boolean[] = [];
    for (const rateLimitPerDay of [0, 0, 5, 2, 9, 3, 4]) {
      await register(stored(id, { rateLimitPerDay }));
      outcomes.push(await isDenied(store, ask()));
    }
    // Used before each: 0, 1, 2, 3, 3, 4, 4.
    expect(outcomes).toEqual([false, false, false, true, false, true, true]);
  });
}

function describeCompany(get: () => StoreUnderTest): void {
  test('that is refused denies the whole call, and nothing is charged but what is charged always', async () => {
    const { store } = get();
    const [all, always] = [someone(), someone()];
    const { ask } = aKey();
    const beside = [hit(all, windows({ a: 5 })), hit(always, windows({ a: 5 }), { charging: 'always' })];
    expect(await isDenied(store, ask({ unknown: undefined }), ...beside)).toBe(true);
    expect(await usedBefore(store, look(all, windows({ a: 0 })), look(always, windows({ a: 0 })))).toEqual([0, 1]);
  });

  test('that is refused by a limit in shadow mode denies nobody', async () => {
    const { store } = get();
    const other = someone();
    const { ask } = aKey();
    const refused = ask({ unknown: undefined }, { denies: 'never' });
    expect(await isDenied(store, refused, hit(other, windows({ a: 5 })))).toBe(false);
    expect(await usedBefore(store, look(other, windows({ a: 0 })))).toEqual([1]);
  });

  test('that is refused stops nobody: nothing of it is exceeded', async () => {
    const { store } = get();
    const other = someone();
    const { ask } = aKey();
    const refused = ask({ unknown: undefined }, { charging: 'stop', denies: 'never' });
    await store.take([refused, hit(other, windows({ a: 5 }), { charging: 'stop' })]);
    expect(await usedBefore(store, look(other, windows({ a: 0 })))).toEqual([1]);
  });

  test('counts beside others in one call, each in its own windows', async () => {
    const { store, register } = get();
    const [one, two] = [aKey(windows({ a: 5, b: 5 })), aKey(windows({ a: 5 }), windows({ b: 2, c: 2 }))];
    const plain = someone();
    await register(stored(one.id));
    const call = [one.ask(), hit(plain, windows({ d: 5 })), two.ask()];
    await store.take(call);
    const taken = await store.take(call);
    expect(taken.found.map(({ standing }) => standing)).toEqual(['active', undefined, 'unknown']);
    expect(countsOf(taken).filter((_, index) => index % 2 === 1)).toEqual([1, 1, 1, 1, 1]);
  });

  test('of which two texts are of one record counts on it for both', async () => {
    const { store, register } = get();
    const now = await storeSeconds(store);
    const { id, ask } = aKey();
    await register(stored(id, {}, { hash: 'old hash', untilSeconds: now + 1_000 }));
    const taken = await store.take([ask(), ask({ hashes: ['old hash'] })]);
    expect(taken.found.map(({ counts }) => counts[1])).toEqual([0, 1]);
  });
}
