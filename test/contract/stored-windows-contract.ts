/** The part of the contract about what is stored: windows that end, that come and go with the policy, and clocks that step. */
import { expect, test } from '@jest/globals';
import { COST_MAX } from '../../src/core/window.ts';
import { countsOf } from '../core/build.ts';
import {
  hit,
  isDenied,
  LENGTHS,
  type Letter,
  look,
  type Planted,
  planted,
  type StoreUnderTest,
  someone,
  storeSeconds,
  usedBefore,
  windows,
} from './store-under-test.ts';

export function describeStoredWindows(get: () => StoreUnderTest): void {
  describeEnds(get);
  describeChangesOfPolicy(get);
}

function describeEnds(get: () => StoreUnderTest): void {
  interface Row {
    readonly title: string;
    readonly stored: readonly [letter: Letter, used: number, windowsOff: number][];
    readonly used: Partial<Record<Letter, number>>;
    /** How many windows later than now's the window of `a` starts. */
    readonly startsLater: number;
  }
  const cases: readonly Row[] = [
    { title: 'a window of now stands', stored: [['a', 7, 0]], used: { a: 7 }, startsLater: 0 },
    { title: 'a window that ended counts no more', stored: [['a', 7, -1]], used: { a: 0 }, startsLater: 0 },
    {
      title: 'a window of tomorrow stands: the clock stepped back',
      stored: [['a', 7, 1]],
      used: { a: 7 },
      startsLater: 1,
    },
    { title: 'a window of far ahead stands, too', stored: [['a', 7, 3]], used: { a: 7 }, startsLater: 3 },
    {
      title: 'one window ended, the others stand',
      stored: [
        ['a', 7, -1],
        ['b', 8, 0],
        ['c', 9, 0],
      ],
      used: { a: 0, b: 8, c: 9 },
      startsLater: 0,
    },
    {
      title: 'two windows ended, one stands',
      stored: [
        ['a', 7, -1],
        ['b', 8, -1],
        ['c', 9, 0],
      ],
      used: { a: 0, b: 0, c: 9 },
      startsLater: 0,
    },
    {
      title: 'one window is ahead, the others stand',
      stored: [
        ['a', 7, 1],
        ['b', 8, 0],
      ],
      used: { a: 7, b: 8 },
      startsLater: 1,
    },
  ];
  test.each(cases)('$title', async ({ stored, used, startsLater }) => {
    const { store, plant } = get();
    const subject = someone();
    const now = await storeSeconds(store);
    await plant(
      subject,
      stored.map((each) => planted(now, ...each)),
    );
    const letters = Object.keys(used) as Letter[];
    const ask = hit(subject, windows(Object.fromEntries(letters.map((letter) => [letter, 100]))), { cost: 2 });
    const counts = countsOf(await store.take([ask]));
    const starts = letters.map((letter) => planted(now, letter, 0, letter === 'a' ? startsLater : 0).start);
    const expected = letters.flatMap((letter, index) => [starts[index], used[letter]]);
    expect(counts).toEqual(expected);
    // And the charge went into the very windows that were found.
    const after = await store.take([look(subject, ask.windows)]);
    expect(countsOf(after)).toEqual(
      expected.map((number, index) => (index % 2 === 1 ? (number as number) + 2 : number)),
    );
  });

  test('a limit that is exhausted in a window ahead denies until the clock catches up', async () => {
    const { store, plant, held } = get();
    const subject = someone();
    await plant(subject, [planted(await storeSeconds(store), 'a', 5, 1)]);
    const before = await held([subject]);
    expect(await isDenied(store, hit(subject, windows({ a: 5 })))).toBe(true);
    expect(await held([subject])).toEqual(before);
  });

  test('a refund for a window that ended gives nothing to the one after it', async () => {
    const { store, plant } = get();
    const subject = someone();
    await plant(subject, [planted(await storeSeconds(store), 'a', 7, -1)]);
    await store.take([hit(subject, windows({ a: 9 }), { cost: -5, need: -COST_MAX, charging: 'always' })]);
    await store.take([hit(subject, windows({ a: 9 }), { cost: 2 })]);
    expect(await usedBefore(store, look(subject, windows({ a: 0 })))).toEqual([2]);
  });

  test('what ended is forgotten for good, though the clock may step back once more', async () => {
    const { store, plant } = get();
    const subject = someone();
    const now = await storeSeconds(store);
    await plant(subject, [planted(now, 'a', 7, -1)]);
    await store.take([hit(subject, windows({ a: 9 }))]);
    expect(await usedBefore(store, look(subject, windows({ a: 0 })))).toEqual([1]);
  });

  test('counts up to 2^53 - 1 are read exactly', async () => {
    const { store, plant } = get();
    const now = await storeSeconds(store);
    for (const used of [COST_MAX, COST_MAX - 1, 2 ** 48, 2 ** 32, 255, 256]) {
      const subject = someone();
      await plant(subject, [planted(now, 'a', used)]);
      expect(await usedBefore(store, look(subject, windows({ a: 0 })))).toEqual([used]);
    }
  });
}

function describeChangesOfPolicy(get: () => StoreUnderTest): void {
  /** Charges 1 to the windows of each policy in turn. */
  const live = async (policies: readonly string[]): Promise<number[]> => {
    const { store } = get();
    const subject = someone();
    for (const letters of policies) {
      await store.take([hit(subject, windows(Object.fromEntries([...letters].map((letter) => [letter, 100]))))]);
    }
    return usedBefore(store, look(subject));
  };

  const cases = [
    {
      title: 'a window that is added begins at 0, the others count on',
      policies: ['a', 'a', 'ab', 'ab'],
      used: [4, 2, 0, 0],
    },
    {
      title: 'a window that is removed keeps its count for when it comes back',
      policies: ['ab', 'ab', 'a', 'ab'],
      used: [4, 3, 0, 0],
    },
    { title: 'an order that changes changes no count', policies: ['abc', 'cab', 'bca', 'acb'], used: [4, 4, 4, 0] },
    {
      title: 'a window that is replaced by another leaves the rest alone',
      policies: ['ab', 'ac', 'ad', 'ab'],
      used: [4, 2, 1, 1],
    },
    { title: 'all windows replaced, and back', policies: ['ab', 'cd', 'ab'], used: [2, 2, 1, 1] },
    {
      title: 'an override counts in its own window, beside those of the policy',
      policies: ['ab', 'c', 'ab', 'c', 'ab'],
      used: [3, 3, 2, 0],
    },
    {
      title: 'an override of a window that the policy has counts in that one',
      policies: ['ab', 'b', 'b', 'ab'],
      used: [2, 4, 0, 0],
    },
  ];
  test.each(cases)('$title', async ({ policies, used }) => {
    expect(await live(policies)).toEqual(used);
  });

  test('a denial by one window leaves the windows of other policies beside it, too', async () => {
    const { store, plant, held } = get();
    const subject = someone();
    const now = await storeSeconds(store);
    const stored: Planted[] = [planted(now, 'c', 3), planted(now, 'a', 5), planted(now, 'd', 4)];
    await plant(subject, stored);
    const before = await held([subject]);
    expect(await isDenied(store, hit(subject, windows({ a: 5, b: 5 })))).toBe(true);
    expect(await held([subject])).toEqual(before);
    expect(await usedBefore(store, look(subject))).toEqual([5, 0, 3, 4]);
  });

  test('sixteen windows of one subject are charged together', async () => {
    const { store } = get();
    const subject = someone();
    const many = Array.from({ length: 16 }, (_, index) => ({ ...windows({ a: 9 })[0]!, seconds: LENGTHS.a + index }));
    await store.take([hit(subject, many, { cost: 3 })]);
    expect(await usedBefore(store, look(subject, many))).toEqual(many.map(() => 3));
  });
}
