/** The part of the contract about what hits may ask for, alone, beside others, and twice of one subject. */
import { expect, test } from '@jest/globals';
import type { Hit } from '../../src/core/hit.ts';
import { COST_MAX } from '../../src/core/window.ts';
import {
  hit,
  isDenied,
  look,
  planted,
  type StoreUnderTest,
  someone,
  storeSeconds,
  usedBefore,
  windows,
} from './store-under-test.ts';

const ALWAYS = { charging: 'always' } as const;
const PEEK = { cost: 0, need: 1 } as const;
const refund = (amount: number): Partial<Hit> => ({ cost: -amount, need: -COST_MAX, charging: 'always' });

export function describeHits(get: () => StoreUnderTest): void {
  describeKindsOfHits(get);
  describeJointHits(get);
  describeOneSubjectTwice(get);
}

function describeJointHits(get: () => StoreUnderTest): void {
  const JOINTLY = { denies: 'jointly' } as const;
  const STOP = { charging: 'stop' } as const;
  interface Row {
    readonly title: string;
    /** Each of a subject of its own, with so much used of 10 before and after the call. */
    readonly hits: readonly (readonly [rest: Partial<Hit>, before: number, after: number])[];
    readonly denied: boolean;
  }
  const cases: readonly Row[] = [
    { title: 'alone, one that denies jointly denies', hits: [[JOINTLY, 10, 10]], denied: true },
    {
      title: 'one of two that deny jointly denies nobody',
      hits: [
        [JOINTLY, 10, 10],
        [JOINTLY, 3, 4],
        [{}, 3, 4],
      ],
      denied: false,
    },
    {
      title: 'all that deny jointly deny everybody',
      hits: [
        [JOINTLY, 10, 10],
        [JOINTLY, 10, 10],
        [{}, 3, 3],
      ],
      denied: true,
    },
    {
      title: 'one that denies alone does, whatever the others',
      hits: [
        [JOINTLY, 3, 3],
        [{}, 10, 10],
      ],
      denied: true,
    },
    {
      title: 'one that denies jointly does not wait for one that never does',
      hits: [
        [JOINTLY, 10, 10],
        [{ denies: 'never' }, 3, 3],
      ],
      denied: true,
    },
    {
      title: 'stop: all fit, all count',
      hits: [
        [STOP, 3, 4],
        [STOP, 9, 10],
      ],
      denied: false,
    },
    {
      title: 'stop: only what does not fit counts',
      hits: [
        [STOP, 3, 3],
        [STOP, 10, 11],
        [STOP, 12, 13],
      ],
      denied: true,
    },
    {
      title: 'stop: what does not fit stops the others though it denies nobody',
      hits: [
        [STOP, 3, 3],
        [{ ...STOP, denies: 'never' }, 10, 11],
      ],
      denied: false,
    },
    {
      title: 'stop: a denial by another rule stops nobody',
      hits: [
        [STOP, 3, 4],
        [{}, 10, 10],
      ],
      denied: true,
    },
    {
      title: 'stop: it does not stop what is charged by another rule',
      hits: [
        [{ ...STOP, denies: 'never' }, 10, 11],
        [{}, 3, 4],
        [ALWAYS, 3, 4],
      ],
      denied: false,
    },
    { title: 'stop: alone and over it goes on counting', hits: [[{ ...STOP, cost: 4 }, 10, 14]], denied: true },
  ];
  test.each(cases)('$title', async ({ hits, denied }) => {
    const { store, plant } = get();
    const now = await storeSeconds(store);
    const asked = hits.map(([rest]) => hit(someone(), windows({ a: 10 }), rest));
    for (const [at, [, before]] of hits.entries()) await plant((asked[at] as Hit).subject, [planted(now, 'a', before)]);
    expect(await isDenied(store, ...asked)).toBe(denied);
    const looks = asked.map(({ subject }) => look(subject, windows({ a: 0 })));
    expect(await usedBefore(store, ...looks)).toEqual(hits.map(([, , after]) => after));
  });
}

function describeKindsOfHits(get: () => StoreUnderTest): void {
  /** After a call with `one`, beside a hit that is denied or not: what `one` and the other have used. */
  interface Row {
    readonly title: string;
    readonly one: Partial<Hit>;
    /** Used of one's window of 10 before. */
    readonly before: number;
    readonly otherIsFull: boolean;
    readonly after: readonly [one: number, other: number];
  }
  const cases: readonly Row[] = [
    {
      title: 'one that is always charged counts where it fits',
      one: ALWAYS,
      before: 3,
      otherIsFull: false,
      after: [4, 1],
    },
    {
      title: 'one that is always charged counts where it does not fit, and denies the other',
      one: ALWAYS,
      before: 10,
      otherIsFull: false,
      after: [11, 0],
    },
    {
      title: 'one that is always charged counts where the other denies',
      one: ALWAYS,
      before: 3,
      otherIsFull: true,
      after: [4, 5],
    },
    {
      title: 'one that is always charged goes on counting far above its max',
      one: { ...ALWAYS, cost: 50 },
      before: 70,
      otherIsFull: true,
      after: [120, 5],
    },
    {
      title: 'one that is not enforced counts where it fits',
      one: { denies: 'never' },
      before: 3,
      otherIsFull: false,
      after: [4, 1],
    },
    {
      title: 'one that is not enforced and does not fit counts nothing and denies nobody',
      one: { denies: 'never' },
      before: 10,
      otherIsFull: false,
      after: [10, 1],
    },
    {
      title: 'one that is not enforced counts nothing where the other denies',
      one: { denies: 'never' },
      before: 3,
      otherIsFull: true,
      after: [3, 5],
    },
    {
      title: 'one that is neither enforced nor all-or-nothing counts whatever happens',
      one: { ...ALWAYS, denies: 'never' },
      before: 10,
      otherIsFull: true,
      after: [11, 5],
    },
    { title: 'a peek changes nothing', one: PEEK, before: 3, otherIsFull: false, after: [3, 1] },
    {
      title: 'a peek denies the other where nothing is left',
      one: PEEK,
      before: 10,
      otherIsFull: false,
      after: [10, 0],
    },
    {
      title: 'a peek that is always charged changes nothing either',
      one: { ...PEEK, ...ALWAYS },
      before: 10,
      otherIsFull: false,
      after: [10, 0],
    },
    { title: 'a refund gives back', one: refund(2), before: 3, otherIsFull: false, after: [1, 1] },
    {
      title: 'a refund gives back no more than was used',
      one: refund(4),
      before: 3,
      otherIsFull: false,
      after: [0, 1],
    },
    {
      title: 'a refund gives back where the limit is exceeded',
      one: refund(4),
      before: 13,
      otherIsFull: false,
      after: [9, 1],
    },
    {
      title: 'a refund is not lost where the other denies',
      one: refund(2),
      before: 3,
      otherIsFull: true,
      after: [1, 5],
    },
    { title: 'the largest refund', one: refund(COST_MAX), before: 3, otherIsFull: false, after: [0, 1] },
  ];
  test.each(cases)('$title', async ({ one, before, otherIsFull, after }) => {
    const { store, plant } = get();
    const subjectsOf = { one: someone(), other: someone() };
    const now = await storeSeconds(store);
    await plant(subjectsOf.one, [planted(now, 'a', before)]);
    await plant(subjectsOf.other, [planted(now, 'a', otherIsFull ? 5 : 0)]);
    await store.take([hit(subjectsOf.one, windows({ a: 10 }), one), hit(subjectsOf.other, windows({ a: 5 }))]);
    const limits = windows({ a: 0 });
    expect(await usedBefore(store, look(subjectsOf.one, limits), look(subjectsOf.other, limits))).toEqual(after);
  });

  test('a refund alone that is charged all or nothing gives back no more than was used either', async () => {
    const { store } = get();
    const subject = someone();
    const limits = windows({ a: 5, b: 5 });
    await store.take([hit(subject, limits, { cost: 2 })]);
    await store.take([hit(subject, limits, { cost: -3, need: -COST_MAX })]);
    expect(await usedBefore(store, look(subject, limits))).toEqual([0, 0]);
  });

  test('a peek at somebody unknown stores nothing', async () => {
    const { store, held } = get();
    const subject = someone();
    const before = await held([subject]);
    expect(await isDenied(store, hit(subject, windows({ a: 5, b: 5 }), PEEK))).toBe(false);
    expect(await held([subject])).toEqual(before);
  });

  test('a second refund after a first that emptied the window changes nothing more', async () => {
    const { store } = get();
    const subject = someone();
    await store.take([hit(subject, windows({ a: 5 }), { cost: 3 })]);
    for (let times = 0; times < 3; times++) await store.take([hit(subject, windows({ a: 5 }), refund(3))]);
    expect(await usedBefore(store, look(subject, windows({ a: 0 })))).toEqual([0]);
  });
}

function describeOneSubjectTwice(get: () => StoreUnderTest): void {
  interface Row {
    readonly title: string;
    readonly hits: readonly Partial<Hit>[];
    /** Used of a window of 10 before, as each hit finds it, and after the call. */
    readonly before: number;
    readonly found: readonly number[];
    readonly after: number;
  }
  const cases: readonly Row[] = [
    {
      title: 'both fit: the second finds the charge of the first',
      hits: [{ cost: 3 }, { cost: 4 }],
      before: 3,
      found: [3, 6],
      after: 10,
    },
    {
      title: 'only the first fits: neither is charged',
      hits: [{ cost: 3 }, { cost: 4 }],
      before: 4,
      found: [4, 7],
      after: 4,
    },
    {
      title: 'only the second fits: neither is charged',
      hits: [{ cost: 4 }, { cost: 3 }],
      before: 7,
      found: [7, 7],
      after: 7,
    },
    { title: 'three times', hits: [{}, {}, {}], before: 7, found: [7, 8, 9], after: 10 },
    {
      title: 'always charged: both count, the second finds the first',
      hits: [
        { ...ALWAYS, cost: 8 },
        { ...ALWAYS, cost: 9 },
      ],
      before: 5,
      found: [5, 13],
      after: 22,
    },
    { title: 'a peek behind a charge finds it', hits: [{ cost: 3 }, PEEK], before: 3, found: [3, 6], after: 6 },
    {
      title: 'a peek behind the last charge denies it',
      hits: [{ cost: 7 }, PEEK],
      before: 3,
      found: [3, 10],
      after: 3,
    },
    {
      title: 'a charge behind a refund finds room',
      hits: [refund(3), { cost: 5 }],
      before: 8,
      found: [8, 5],
      after: 10,
    },
    { title: 'a charge before a refund does not', hits: [{ cost: 5 }, refund(3)], before: 8, found: [8, 8], after: 5 },
    {
      title: 'one that is not enforced and does not fit leaves room for the other',
      hits: [{ denies: 'never', cost: 9 }, { cost: 2 }],
      before: 8,
      found: [8, 8],
      after: 10,
    },
  ];
  test.each(cases)('$title', async ({ hits, before, found, after }) => {
    const { store, plant } = get();
    const subject = someone();
    await plant(subject, [planted(await storeSeconds(store), 'a', before)]);
    const limits = windows({ a: 10 });
    expect(await usedBefore(store, ...hits.map((rest) => hit(subject, limits, rest)))).toEqual(found);
    expect(await usedBefore(store, look(subject, windows({ a: 0 })))).toEqual([after]);
  });

  test('with different windows: each hit counts in its own, all or nothing together', async () => {
    const { store } = get();
    const subject = someone();
    const fits = [hit(subject, windows({ a: 5, b: 5 })), hit(subject, windows({ b: 5, c: 5 }), { cost: 2 })];
    expect(await usedBefore(store, ...fits)).toEqual([0, 0, 1, 0]);
    const denied = [hit(subject, windows({ a: 5 })), hit(subject, windows({ c: 2 }))];
    expect(await isDenied(store, ...denied)).toBe(true);
    expect(await usedBefore(store, look(subject))).toEqual([1, 3, 2, 0]);
  });
}
