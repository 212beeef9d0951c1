/** What every counter store promises. The same rows are run against each; what a store adds is tested beside it. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { COST_MAX, windowStart } from '../../src/core/window.ts';
import type { CounterStore } from '../../src/ports/counter-store.ts';
import { countsOf } from '../core/build.ts';
import { describeForgetting } from './forget-contract.ts';
import { describeHits } from './hits-contract.ts';
import { describeKeyedHits } from './keyed-hits-contract.ts';
import {
  hit,
  isDenied,
  LENGTHS,
  type Letter,
  look,
  planted,
  type StoreUnderTest,
  someone,
  storeSeconds,
  usedBefore,
  windows,
} from './store-under-test.ts';
import { describeStoredWindows } from './stored-windows-contract.ts';

/** @param open called once; `close` is the port's own */
export function describeStore(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name}, as a counter store,`, () => {
    let opened: StoreUnderTest;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened.store.close());
    const get = (): StoreUnderTest => opened;
    describeReply(get);
    describeAllOrNothing(get);
    describeHits(get);
    describeKeyedHits(get);
    describeForgetting(get);
    describeAmounts(get);
    describeCrowd(get);
    describeStoredWindows(get);
  });
}

/** Every choice of at least one of `items`. */
function choices<T>(items: readonly T[]): T[][] {
  const all = Array.from({ length: 2 ** items.length }, (_, mask) =>
    items.filter((_item, at) => (mask & (2 ** at)) > 0),
  );
  return all.slice(1);
}

function describeReply(get: () => StoreUnderTest): void {
  test('answers with its clock, and with start and use of every window of every hit, in order', async () => {
    const { store } = get();
    const [one, two] = [someone(), someone()];
    await store.take([hit(two, windows({ b: 9 }), { cost: 4 })]);
    const taken = await store.take([hit(one, windows({ c: 9, a: 9 })), hit(two, windows({ b: 9 }))]);
    const { nowSeconds } = taken;
    const start = (letter: Letter) => windowStart(nowSeconds, LENGTHS[letter]);
    expect(countsOf(taken)).toEqual([start('c'), 0, start('a'), 0, start('b'), 4]);
    expect(Number.isInteger(nowSeconds)).toBe(true);
  });

  test('can be probed, which changes nothing', async () => {
    const { store, held } = get();
    const subject = someone();
    await store.take([hit(subject, windows({ a: 9 }))]);
    const before = await held([subject]);
    await store.probe();
    expect(await held([subject])).toEqual(before);
  });
}

function describeAllOrNothing(get: () => StoreUnderTest): void {
  const letters = ['a', 'b', 'c'] as const;

  test.each(choices(letters).map((full) => ({ full })))(
    'a hit that windows $full deny leaves every window of its subject as it was',
    async ({ full }) => {
      const { store, plant, held } = get();
      const subject = someone();
      const now = await storeSeconds(store);
      await plant(
        subject,
        letters.map((letter) => planted(now, letter, full.includes(letter) ? 10 : 3)),
      );
      const before = await held([subject]);
      expect(await isDenied(store, hit(subject, windows({ a: 10, b: 10, c: 10 })))).toBe(true);
      expect(await held([subject])).toEqual(before);
    },
  );

  const places = ['first a', 'first b', 'second a', 'second b'] as const;
  test.each(choices(places).map((full) => ({ full })))(
    'a call that windows $full deny leaves both of its subjects as they were',
    async ({ full }) => {
      const { store, plant, held } = get();
      const both = { first: someone(), second: someone() };
      const now = await storeSeconds(store);
      for (const [place, subject] of Object.entries(both)) {
        const counts = (['a', 'b'] as const).map((letter) => {
          const isFull = full.includes(`${place} ${letter}` as (typeof places)[number]);
          return planted(now, letter, isFull ? 5 : 2);
        });
        await plant(subject, counts);
      }
      const before = await held(Object.values(both));
      const limits = windows({ a: 5, b: 5 });
      expect(await isDenied(store, hit(both.first, limits), hit(both.second, limits))).toBe(true);
      expect(await held(Object.values(both))).toEqual(before);
    },
  );

  test('a call that fits charges every window of every subject', async () => {
    const { store } = get();
    const [one, two] = [someone(), someone()];
    const hits = [hit(one, windows({ a: 5, b: 5 }), { cost: 2 }), hit(two, windows({ a: 5 }), { cost: 3 })];
    expect(await isDenied(store, ...hits)).toBe(false);
    expect(await usedBefore(store, look(one, windows({ a: 0, b: 0 })), look(two, windows({ a: 0 })))).toEqual([
      2, 2, 3,
    ]);
  });

  test('a denied caller that keeps trying is not held back by its tries', async () => {
    const { store, held } = get();
    const subject = someone();
    const ask = hit(subject, windows({ a: 1, b: 10 }));
    expect(await isDenied(store, ask)).toBe(false);
    const before = await held([subject]);
    for (let tries = 0; tries < 20; tries++) expect(await isDenied(store, ask)).toBe(true);
    expect(await held([subject])).toEqual(before);
    expect(await usedBefore(store, look(subject, windows({ b: 0 })))).toEqual([1]);
  });

  test('a cost larger than what remains is denied and not stored, and the next affordable one passes', async () => {
    const { store, held } = get();
    const subject = someone();
    const limits = windows({ a: 20 });
    await store.take([hit(subject, limits, { cost: 19 })]);
    const before = await held([subject]);
    expect(await isDenied(store, hit(subject, limits, { cost: 2 }))).toBe(true);
    expect(await held([subject])).toEqual(before);
    expect(await isDenied(store, hit(subject, limits, { cost: 1 }))).toBe(false);
    expect(await isDenied(store, hit(subject, limits, { cost: 1 }))).toBe(true);
  });

  test('a limit of 0 lets nothing pass and stores nothing', async () => {
    const { store, held } = get();
    const subject = someone();
    const before = await held([subject]);
    expect(await isDenied(store, hit(subject, windows({ a: 0 })))).toBe(true);
    expect(await held([subject])).toEqual(before);
  });

  test('a limit that is lowered below what is used denies, and raised again counts on', async () => {
    const { store } = get();
    const subject = someone();
    await store.take([hit(subject, windows({ a: 10 }), { cost: 8 })]);
    expect(await isDenied(store, hit(subject, windows({ a: 5 })))).toBe(true);
    expect(await isDenied(store, hit(subject, windows({ a: 9 })))).toBe(false);
    expect(await isDenied(store, hit(subject, windows({ a: 9 })))).toBe(true);
  });
}

function describeAmounts(get: () => StoreUnderTest): void {
  const add = async (store: CounterStore, subject: string, cost: number): Promise<void> => {
    await store.take([hit(subject, windows({ a: 4_294_967_295 }), { cost, charging: 'always' })]);
  };

  test.each([
    { charges: [COST_MAX], used: COST_MAX },
    { charges: [COST_MAX - 1, 1], used: COST_MAX },
    { charges: [COST_MAX - 2, 1], used: COST_MAX - 1 },
    { charges: [COST_MAX, 1], used: COST_MAX },
    { charges: [COST_MAX, COST_MAX], used: COST_MAX },
    { charges: [2 ** 52, 2 ** 52 - 1], used: COST_MAX },
    { charges: [2 ** 53 - 3, -(2 ** 53 - 5)], used: 2 },
    { charges: [2 ** 32, 2 ** 40, 1], used: 2 ** 32 + 2 ** 40 + 1 },
    { charges: [-5], used: 0 },
  ])('the charges $charges come to exactly $used', async ({ charges, used }) => {
    const { store } = get();
    const subject = someone();
    for (const cost of charges) await add(store, subject, cost);
    expect(await usedBefore(store, look(subject, windows({ a: 0 })))).toEqual([used]);
  });

  test('the largest max is reached exactly', async () => {
    const { store } = get();
    const subject = someone();
    const limits = windows({ a: 4_294_967_295 });
    expect(await isDenied(store, hit(subject, limits, { cost: 4_294_967_296 }))).toBe(true);
    expect(await isDenied(store, hit(subject, limits, { cost: 4_294_967_295 }))).toBe(false);
    expect(await isDenied(store, hit(subject, limits))).toBe(true);
  });
}

function describeCrowd(get: () => StoreUnderTest): void {
  test('2,000 calls at once against a limit of 100 admit exactly 100', async () => {
    const { store } = get();
    const subject = someone();
    const ask = hit(subject, windows({ a: 100, b: 1_000 }));
    const denied = await Promise.all(Array.from({ length: 2_000 }, () => isDenied(store, ask)));
    expect(denied.filter((over) => !over)).toHaveLength(100);
    expect(await usedBefore(store, look(subject, windows({ a: 0, b: 0 })))).toEqual([100, 100]);
  });

  test('2,000 calls at once for two subjects with limits of 100 and 60 admit exactly 60, and charge both alike', async () => {
    const { store } = get();
    const [one, two] = [someone(), someone()];
    const ask = [hit(one, windows({ a: 100 })), hit(two, windows({ a: 60 }))];
    const denied = await Promise.all(Array.from({ length: 2_000 }, () => isDenied(store, ...ask)));
    expect(denied.filter((over) => !over)).toHaveLength(60);
    const limits = windows({ a: 0 });
    expect(await usedBefore(store, look(one, limits), look(two, limits))).toEqual([60, 60]);
  });

  test('a call of 1,000 subjects is charged all or not at all', async () => {
    const { store } = get();
    const crowd = Array.from({ length: 1_000 }, someone);
    const hits = crowd.map((subject) => hit(subject, windows({ a: 1, b: 2 })));
    const looks = crowd.map((subject) => look(subject, windows({ a: 0 })));
    expect(await isDenied(store, ...hits)).toBe(false);
    expect(await isDenied(store, hit(someone(), windows({ a: 1 })), ...hits)).toBe(true);
    expect(new Set(await usedBefore(store, ...looks))).toEqual(new Set([1]));
  });
}
