/** What one hit adds to the statistics of its limit, as envoyproxy/ratelimit adds it. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Counted } from '../../src/core/decision.ts';
import { type Tally, tallyOf } from '../../src/core/tally.ts';

const NOTHING: Tally = {
  totalHits: 0,
  overLimit: 0,
  nearLimit: 0,
  overLimitWithLocalCache: 0,
  withinLimit: 0,
  shadowMode: 0,
};

function counted(hits: number, used: number, max: number, rest: Partial<Counted> = {}): Counted {
  return { statsKey: 'd.k', hits, used, max, over: used > max, cached: false, shadow: false, ...rest };
}

describe('of a limit of 20, near from 16 on', () => {
  test.each<[what: string, counted: Counted, expected: Partial<Tally>]>([
    ['a hit far from the limit is within it', counted(1, 1, 20), { withinLimit: 1 }],
    ['the hit that reaches the threshold is not near', counted(1, 16, 20), { withinLimit: 1 }],
    ['the hit behind the threshold is near', counted(1, 17, 20), { withinLimit: 1, nearLimit: 1 }],
    ['the last hit that fits is near', counted(1, 20, 20), { withinLimit: 1, nearLimit: 1 }],
    [
      'of hits that cross the threshold those behind it are near',
      counted(10, 18, 20),
      { withinLimit: 10, nearLimit: 2 },
    ],
    ['hits that begin at the threshold are all near', counted(4, 20, 20), { withinLimit: 4, nearLimit: 4 }],
    ['of hits that cross the limit some were near, some are over', counted(7, 22, 20), { nearLimit: 4, overLimit: 2 }],
    ['hits that cross both are divided by both', counted(30, 30, 20), { nearLimit: 4, overLimit: 10 }],
    ['hits that begin behind the threshold and cross the limit', counted(5, 23, 20), { nearLimit: 2, overLimit: 3 }],
    ['hits that begin at the limit are all over', counted(3, 23, 20), { overLimit: 3 }],
    ['hits beyond the limit are all over', counted(3, 53, 20), { overLimit: 3 }],
    ['no hits add nothing within', counted(0, 10, 20), {}],
    ['no hits add nothing near', counted(0, 18, 20), {}],
    ['no hits add nothing over', counted(0, 25, 20), {}],
    [
      'the local cache counts all as over',
      counted(3, 3, 20, { cached: true }),
      { overLimit: 3, overLimitWithLocalCache: 3 },
    ],
    [
      'in shadow mode all that is over is shadowed',
      counted(3, 23, 20, { shadow: true }),
      { overLimit: 3, shadowMode: 3 },
    ],
    [
      'in shadow mode only what is over is shadowed',
      counted(7, 22, 20, { shadow: true }),
      { nearLimit: 4, overLimit: 2, shadowMode: 2 },
    ],
    ['in shadow mode nothing within is shadowed', counted(1, 1, 20, { shadow: true }), { withinLimit: 1 }],
    [
      'in shadow mode what the local cache refuses is shadowed',
      counted(2, 2, 20, { shadow: true, cached: true }),
      { overLimit: 2, overLimitWithLocalCache: 2, shadowMode: 2 },
    ],
  ])('%s', (_what, hit, expected) => {
    expect(tallyOf(hit, 0.8)).toEqual({ ...NOTHING, totalHits: hit.hits, ...expected });
  });
});

describe('the threshold', () => {
  test.each<[max: number, ratio: number, threshold: number]>([
    [10, 0.5, 5],
    [10, 0.8, 8],
    // In double precision 0.7 * 10 is 7; in single precision 0.7 is a little less, and rounds to 7 again.
    [10, 0.7, 7],
    // 0.8 in single precision is more than 0.8, and 5 of it are 4.0000000596, which is 4.
    [5, 0.8, 4],
    // 2^24 + 1 has no place in single precision.
    [16_777_217, 1, 16_777_216],
    [4_294_967_295, 0.8, 3_435_973_888],
    [1, 0.8, 0],
    [0, 0.8, 0],
    // Never above the limit: a ratio above 1 would put it there, as would the next number of single precision.
    [10, 1.5, 10],
    [16_777_219, 1, 16_777_219],
    [4_294_967_295, 1, 4_294_967_295],
  ])('of %d by %d is %d, in single precision and rounded down', (max, ratio, threshold) => {
    // What is used up to the threshold is not near it.
    expect(tallyOf(counted(max, max, max), ratio).nearLimit).toBe(max - threshold);
  });
});

test.each<[max: number, ratio: number]>([
  [10, 1.5],
  [16_777_219, 1],
  [4_294_967_295, 1],
])('a hit that crosses a limit of %d, near from %d of it on, is over it and not near', (max, ratio) => {
  expect(tallyOf(counted(5, max + 2, max), ratio)).toMatchObject({ nearLimit: 0, overLimit: 2 });
});

describe('whatever is counted', () => {
  const hit = fc
    .record({
      before: fc.integer({ min: 0, max: 40 }),
      hits: fc.integer({ min: 0, max: 40 }),
      max: fc.integer({ min: 0, max: 40 }),
      shadow: fc.boolean(),
      ratio: fc.double({ min: 0, max: 2, noNaN: true }),
    })
    .map(({ before, hits, max, shadow, ratio }) => {
      const one = counted(hits, before + hits, max, { shadow });
      return { before, one, tally: tallyOf(one, ratio) };
    });

  test('every hit of a counter that is not crossed is within or over, never both', () => {
    fc.assert(
      fc.property(hit, ({ before, one, tally }) => {
        fc.pre(one.used <= one.max || before >= one.max);
        expect(tally.withinLimit + tally.overLimit).toBe(one.hits);
        expect(Math.min(tally.withinLimit, tally.overLimit)).toBe(0);
      }),
    );
  });

  test('one hit at a time adds up to what one hit of the sum is: near and over alike', () => {
    fc.assert(
      fc.property(hit, fc.double({ min: 0, max: 1, noNaN: true }), ({ before, one }, ratio) => {
        const whole = tallyOf(one, ratio);
        let [near, over] = [0, 0];
        for (let used = before + 1; used <= one.used; used++) {
          const single = tallyOf({ ...one, hits: 1, used }, ratio);
          near += single.nearLimit;
          over += single.overLimit;
        }
        expect([whole.nearLimit, whole.overLimit]).toEqual([near, over]);
      }),
    );
  });

  test('nothing is negative, near and over are no more than there were, and shadowed is what was over', () => {
    fc.assert(
      fc.property(hit, ({ one, tally }) => {
        for (const value of Object.values(tally)) expect(value).toBeGreaterThanOrEqual(0);
        expect(tally.totalHits).toBe(one.hits);
        expect(tally.nearLimit + tally.overLimit).toBeLessThanOrEqual(one.hits);
        expect(tally.shadowMode).toBe(one.shadow ? tally.overLimit : 0);
      }),
    );
  });
});
