import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { REQUESTS_MAX } from '../../src/core/limit.ts';
import { COST_MAX, charged, fixedWindow, isOver, windowStart } from '../../src/core/window.ts';

describe('a window starts at a multiple of its length since the epoch', () => {
  test.each([
    { now: 0, seconds: 60, start: 0 },
    { now: 59, seconds: 60, start: 0 },
    { now: 60, seconds: 60, start: 60 },
    { now: 61, seconds: 60, start: 60 },
    { now: 1_800_000_048, seconds: 1, start: 1_800_000_048 },
    { now: 1_800_000_048, seconds: 60, start: 1_800_000_000 },
    { now: 1_800_000_048, seconds: 90, start: 1_800_000_000 },
    { now: 1_800_000_048, seconds: 3_600, start: 1_800_000_000 },
    { now: 1_800_000_048, seconds: 86_400, start: 1_799_971_200 },
    { now: 1_800_000_048, seconds: 604_800, start: 1_799_884_800 }, // a Thursday: the epoch was one
    { now: 1_800_000_048, seconds: 2_592_000, start: 1_798_848_000 },
    { now: 1_800_000_048, seconds: 31_536_000, start: 1_797_552_000 },
    { now: 1_800_000_048, seconds: 4_294_967_295, start: 0 },
  ])('$seconds seconds at $now: $start', ({ now, seconds, start }) => {
    expect(windowStart(now, seconds)).toBe(start);
  });
});

describe('the count in force', () => {
  const at = { start: 120, used: 7 };
  test.each([
    { title: 'is empty where nothing is stored', stored: undefined, now: 130, count: { start: 120, used: 0 } },
    { title: 'stands in the first second of its window', stored: at, now: 120, count: at },
    { title: 'stands in the last second of its window', stored: at, now: 179, count: at },
    { title: 'is empty in the second at which its window ended', stored: at, now: 180, count: { start: 180, used: 0 } },
    { title: 'is empty windows later', stored: at, now: 1_000, count: { start: 960, used: 0 } },
    { title: 'stands when the clock stepped back by a second', stored: at, now: 119, count: at },
    {
      title: 'stands when the clock stepped back by an hour',
      stored: { start: 3_720, used: 7 },
      now: 120,
      count: { start: 3_720, used: 7 },
    },
  ])('$title', ({ stored, now, count }) => {
    expect(fixedWindow.current(stored, 60, now)).toEqual(count);
  });

  test('ends one length after its start', () => {
    expect(fixedWindow.end({ start: 120, used: 7 }, 60)).toBe(180);
  });

  test('never ends at or before now, whatever is stored', () => {
    const second = fc.integer({ min: 0, max: 2 ** 40 });
    const stored = fc.option(fc.record({ start: second, used: fc.nat() }), { nil: undefined });
    fc.assert(
      fc.property(stored, fc.integer({ min: 1, max: 4_294_967_295 }), second, (count, seconds, now) => {
        expect(fixedWindow.end(fixedWindow.current(count, seconds, now), seconds)).toBeGreaterThan(now);
      }),
    );
  });
});

describe('a charge', () => {
  test.each([
    { title: 'adds', used: 3, cost: 4, after: 7 },
    { title: 'of 0 changes nothing', used: 3, cost: 0, after: 3 },
    { title: 'that is negative gives back', used: 3, cost: -2, after: 1 },
    { title: 'gives back no more than was used', used: 3, cost: -4, after: 0 },
    { title: 'gives back the largest cost at once', used: COST_MAX, cost: -COST_MAX, after: 0 },
    { title: 'reaches the largest exact count', used: COST_MAX - 1, cost: 1, after: COST_MAX },
    { title: 'stops at the largest exact count', used: COST_MAX, cost: 1, after: COST_MAX },
    { title: 'stops there for the largest cost, too', used: COST_MAX, cost: COST_MAX, after: COST_MAX },
  ])('$title', ({ used, cost, after }) => {
    expect(charged(used, cost)).toBe(after);
  });
});

describe('whether more fits', () => {
  test.each([
    { used: 0, need: 1, max: 1, over: false },
    { used: 1, need: 1, max: 1, over: true },
    { used: 0, need: 1, max: 0, over: true },
    { used: 0, need: 0, max: 0, over: false },
    { used: 1, need: 0, max: 0, over: true }, // a peek at a rate_limit that was exceeded
    { used: 9, need: 1, max: 10, over: false },
    { used: 9, need: 2, max: 10, over: true },
    { used: 12, need: 1, max: 10, over: true }, // the limit was lowered below what is used
    { used: 0, need: REQUESTS_MAX, max: REQUESTS_MAX, over: false },
    { used: 1, need: REQUESTS_MAX, max: REQUESTS_MAX, over: true },
    { used: COST_MAX, need: COST_MAX, max: REQUESTS_MAX, over: true },
    { used: COST_MAX, need: -COST_MAX, max: 0, over: false }, // a refund fits whatever is used
  ])('$used used, $need more of $max: over is $over', ({ used, need, max, over }) => {
    expect(isOver(used, need, max)).toBe(over);
  });
});

describe('around 2^53', () => {
  const count = fc.oneof(
    fc.integer({ min: 0, max: COST_MAX }),
    fc.integer({ min: 0, max: 20 }).map((less) => COST_MAX - less),
    fc.integer({ min: 0, max: 20 }),
  );
  const need = fc.oneof(count, fc.constant(-COST_MAX));
  const max = fc.oneof(fc.integer({ min: 0, max: REQUESTS_MAX }), fc.constantFrom(0, 1, REQUESTS_MAX));

  test('whether more fits is what unbounded integers say', () => {
    fc.assert(
      fc.property(count, need, max, (used, more, most) => {
        expect(isOver(used, more, most)).toBe(BigInt(used) + BigInt(more) > BigInt(most));
      }),
      { numRuns: 1_000 },
    );
  });

  test('a charge is what unbounded integers say, held between 0 and 2^53 - 1', () => {
    const cost = fc.oneof(
      count,
      count.map((amount) => -amount),
    );
    fc.assert(
      fc.property(count, cost, (used, amount) => {
        const sum = BigInt(used) + BigInt(amount);
        const held = sum < 0n ? 0n : sum > BigInt(COST_MAX) ? BigInt(COST_MAX) : sum;
        expect(BigInt(charged(used, amount))).toBe(held);
      }),
      { numRuns: 1_000 },
    );
  });
});
