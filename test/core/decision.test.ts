import { describe, expect, test } from '@jest/globals';
import { type Decision, type Status, settle } from '../../src/core/decision.ts';
import type { DescriptorDefinition } from '../../src/core/definition.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { DAY_END, foundOf, MINUTE_END, NOW, of, plan, policyOf, taken } from './build.ts';

const per = (requests: number, length: string) => ({ requests, per: length });
const policy = policyOf([
  { key: 'key', limits: [per(300, 'minute'), per(10_000, 'day')] },
  { key: 'tied', limits: [per(10, 'minute'), per(10, 'day')] },
  { key: 'three', limits: [per(5, 'minute'), per(50, 'hour'), per(500, 'day')] },
  { key: 'none', limits: [per(0, 'minute')] },
  { key: 'minute', limits: [per(5, 'minute')] },
  { key: 'day', limits: [per(8, 'day')] },
  { key: 'reference', rate_limit: { unit: 'hour', requests_per_unit: 5 } },
  { key: 'shadow', shadow_mode: true, limits: [per(2, 'minute')] },
  { key: 'overdraft', overdraft: true, limits: [per(10, 'minute'), per(100, 'day')] },
]);

interface Row {
  readonly title: string;
  readonly ask: readonly Descriptor[];
  /** Of each window of each descriptor that meets a limit, shortest first. */
  readonly used: readonly number[];
  /** `reason: remaining/max in window`, one per descriptor. */
  readonly statuses: readonly string[];
  /** The verdict, its reason, and which status the caller is told of. */
  readonly verdict: `${'allowed' | 'denied'}, ${string}`;
}

const K = of({ key: 'k' });
const cost = (key: string, hitsAddend: number) => of({ [key]: 'k' }, { hitsAddend });
const refund = (key: string, hitsAddend: number) => of({ [key]: 'k' }, { hitsAddend, isNegativeHits: true });

// biome-ignore format: one case a line
const rows: Record<string, readonly Row[]> = {
  'the most restrictive window is the one with the least left': [
    { title: 'the day with 8 left before the minute with 250', ask: [K], used: [49, 9_991], statuses: ['within_limit: 8/10000 in day'], verdict: 'allowed, within_limit, 0' },
    { title: 'the minute with 8 left before the day with 250', ask: [K], used: [291, 9_749], statuses: ['within_limit: 8/300 in minute'], verdict: 'allowed, within_limit, 0' },
    { title: 'an absolute number, not a share', ask: [K], used: [100, 9_900], statuses: ['within_limit: 99/10000 in day'], verdict: 'allowed, within_limit, 0' },
    { title: 'a tie: the one that resets later', ask: [K], used: [99, 9_799], statuses: ['within_limit: 200/10000 in day'], verdict: 'allowed, within_limit, 0' },
    { title: 'a tie of everything: the one that resets later', ask: [of({ tied: 'k' })], used: [3, 3], statuses: ['within_limit: 6/10 in day'], verdict: 'allowed, within_limit, 0' },
    { title: 'the middle one of three', ask: [of({ three: 'k' })], used: [0, 48, 300], statuses: ['within_limit: 1/50 in hour'], verdict: 'allowed, within_limit, 0' },
    { title: 'after the last request of one: 0 left', ask: [K], used: [299, 5_000], statuses: ['within_limit: 0/300 in minute'], verdict: 'allowed, within_limit, 0' },
  ],
  'a denial reports, of the windows that deny, the one that ends last': [
    { title: 'only the minute is exhausted', ask: [K], used: [300, 9_700], statuses: ['over_limit: 0/300 in minute'], verdict: 'denied, over_limit, 0' },
    { title: 'only the day is exhausted', ask: [K], used: [0, 10_000], statuses: ['over_limit: 0/10000 in day'], verdict: 'denied, over_limit, 0' },
    { title: 'both are exhausted: waiting for the day satisfies both', ask: [K], used: [300, 10_000], statuses: ['over_limit: 0/10000 in day'], verdict: 'denied, over_limit, 0' },
    { title: 'a window that denies before one that has less left', ask: [cost('key', 20)], used: [290, 9_970], statuses: ['over_limit: 10/300 in minute'], verdict: 'denied, over_limit, 0' },
    { title: 'two deny, and the one with more left ends last', ask: [cost('key', 20)], used: [300, 9_990], statuses: ['over_limit: 10/10000 in day'], verdict: 'denied, over_limit, 0' },
    { title: 'the middle one of three', ask: [of({ three: 'k' })], used: [5, 50, 499], statuses: ['over_limit: 0/50 in hour'], verdict: 'denied, over_limit, 0' },
  ],
  'what is left counts a request only if it was charged': [
    { title: 'an allowed one', ask: [K], used: [0, 0], statuses: ['within_limit: 299/300 in minute'], verdict: 'allowed, within_limit, 0' },
    { title: 'an allowed one of cost 10', ask: [cost('key', 10)], used: [0, 0], statuses: ['within_limit: 290/300 in minute'], verdict: 'allowed, within_limit, 0' },
    { title: 'not a denied one of cost 10', ask: [cost('key', 10)], used: [295, 9_000], statuses: ['over_limit: 5/300 in minute'], verdict: 'denied, over_limit, 0' },
    { title: 'not a peek', ask: [cost('key', 0)], used: [10, 10], statuses: ['within_limit: 290/300 in minute'], verdict: 'allowed, within_limit, 0' },
    { title: 'a peek is denied where nothing is left', ask: [cost('key', 0)], used: [300, 300], statuses: ['over_limit: 0/300 in minute'], verdict: 'denied, over_limit, 0' },
    { title: 'a peek at the last one is allowed', ask: [cost('key', 0)], used: [299, 300], statuses: ['within_limit: 1/300 in minute'], verdict: 'allowed, within_limit, 0' },
    { title: 'a refund gives back', ask: [refund('minute', 2)], used: [5], statuses: ['within_limit: 2/5 in minute'], verdict: 'allowed, within_limit, 0' },
    { title: 'a refund gives back no more than was used', ask: [refund('minute', 9)], used: [3], statuses: ['within_limit: 5/5 in minute'], verdict: 'allowed, within_limit, 0' },
    { title: 'a limit lowered below what is used: 0, never less', ask: [of({ minute: 'k' })], used: [70], statuses: ['over_limit: 0/5 in minute'], verdict: 'denied, over_limit, 0' },
    { title: 'lowered, and a refund that does not make up for it: 0', ask: [refund('minute', 10)], used: [70], statuses: ['within_limit: 0/5 in minute'], verdict: 'allowed, within_limit, 0' },
  ],
  'a cost that no window could ever take is told as such': [
    { title: 'above the shortest window', ask: [cost('key', 301)], used: [0, 0], statuses: ['cost_exceeds_limit: 300/300 in minute'], verdict: 'denied, cost_exceeds_limit, 0' },
    { title: 'above every window: the one that ends last', ask: [cost('key', 10_001)], used: [3, 3], statuses: ['cost_exceeds_limit: 9997/10000 in day'], verdict: 'denied, cost_exceeds_limit, 0' },
    { title: 'exactly the max passes', ask: [cost('key', 300)], used: [0, 0], statuses: ['within_limit: 0/300 in minute'], verdict: 'allowed, within_limit, 0' },
    { title: 'a limit of 0', ask: [of({ none: 'k' })], used: [0], statuses: ['cost_exceeds_limit: 0/0 in minute'], verdict: 'denied, cost_exceeds_limit, 0' },
    { title: 'told before a plain denial, since waiting does not help', ask: [of({ day: 'k' }), cost('minute', 6)], used: [8, 0], statuses: ['over_limit: 0/8 in day', 'cost_exceeds_limit: 5/5 in minute'], verdict: 'denied, cost_exceeds_limit, 0' },
    { title: 'not for rate_limit, which counts it', ask: [cost('reference', 6)], used: [0], statuses: ['over_limit: 0/5 in hour'], verdict: 'denied, over_limit, 0' },
    { title: 'not with overdraft, which counts it', ask: [cost('overdraft', 200)], used: [0, 0], statuses: ['over_limit: 0/100 in day'], verdict: 'denied, over_limit, 0' },
  ],
  'several descriptors are charged all or none': [
    { title: 'all fit', ask: [of({ minute: 'k' }), of({ day: 'k' })], used: [1, 1], statuses: ['within_limit: 3/5 in minute', 'within_limit: 6/8 in day'], verdict: 'allowed, within_limit, 0' },
    { title: 'all fit, the second has less left', ask: [of({ minute: 'k' }), of({ day: 'k' })], used: [1, 6], statuses: ['within_limit: 3/5 in minute', 'within_limit: 1/8 in day'], verdict: 'allowed, within_limit, 1' },
    { title: 'all fit with as much left: the one that resets later', ask: [of({ minute: 'k' }), of({ day: 'k' })], used: [1, 4], statuses: ['within_limit: 3/5 in minute', 'within_limit: 3/8 in day'], verdict: 'allowed, within_limit, 1' },
    { title: 'the second denies: the first is not charged', ask: [of({ minute: 'k' }), of({ day: 'k' })], used: [1, 8], statuses: ['within_limit: 4/5 in minute', 'over_limit: 0/8 in day'], verdict: 'denied, over_limit, 1' },
    { title: 'the first denies: the second is not charged', ask: [of({ minute: 'k' }), of({ day: 'k' })], used: [5, 7], statuses: ['over_limit: 0/5 in minute', 'within_limit: 1/8 in day'], verdict: 'denied, over_limit, 0' },
    { title: 'the one that denies is told, though the other has less left', ask: [cost('minute', 3), of({ day: 'k' })], used: [3, 7], statuses: ['over_limit: 2/5 in minute', 'within_limit: 1/8 in day'], verdict: 'denied, over_limit, 0' },
    { title: 'both deny: the one that ends last is told', ask: [of({ day: 'k' }), of({ minute: 'k' })], used: [8, 5], statuses: ['over_limit: 0/8 in day', 'over_limit: 0/5 in minute'], verdict: 'denied, over_limit, 0' },
    { title: 'a refund is not lost because another is denied', ask: [refund('minute', 2), of({ day: 'k' })], used: [5, 8], statuses: ['within_limit: 2/5 in minute', 'over_limit: 0/8 in day'], verdict: 'denied, over_limit, 1' },
    { title: 'a descriptor without a limit has its place', ask: [of({ x: 'k' }), of({ minute: 'k' }), of({})], used: [0], statuses: ['no_limit', 'within_limit: 4/5 in minute', 'no_limit'], verdict: 'allowed, within_limit, 1' },
  ],
  'rate_limit counts whatever the verdict': [
    { title: 'within', ask: [of({ reference: 'k' })], used: [4], statuses: ['within_limit: 0/5 in hour'], verdict: 'allowed, within_limit, 0' },
    { title: 'over', ask: [of({ reference: 'k' })], used: [5], statuses: ['over_limit: 0/5 in hour'], verdict: 'denied, over_limit, 0' },
    { title: 'crossing: counted in full, nothing left', ask: [cost('reference', 3)], used: [4], statuses: ['over_limit: 0/5 in hour'], verdict: 'denied, over_limit, 0' },
    { title: 'a peek at an exhausted one is not over', ask: [cost('reference', 0)], used: [5], statuses: ['within_limit: 0/5 in hour'], verdict: 'allowed, within_limit, 0' },
    { title: 'a peek at an exceeded one is over', ask: [cost('reference', 0)], used: [6], statuses: ['over_limit: 0/5 in hour'], verdict: 'denied, over_limit, 0' },
    { title: 'counted beside limits that deny', ask: [of({ reference: 'k' }), of({ minute: 'k' })], used: [2, 5], statuses: ['within_limit: 2/5 in hour', 'over_limit: 0/5 in minute'], verdict: 'denied, over_limit, 1' },
    { title: 'denies limits, which are not charged then', ask: [of({ reference: 'k' }), of({ minute: 'k' })], used: [5, 2], statuses: ['over_limit: 0/5 in hour', 'within_limit: 3/5 in minute'], verdict: 'denied, over_limit, 0' },
  ],
  'shadow mode reports and answers OK': [
    { title: 'within: nobody is told', ask: [of({ shadow: 'k' })], used: [0], statuses: ['within_limit: 1/2 in minute'], verdict: 'allowed, within_limit, -1' },
    { title: 'over: nobody is told', ask: [of({ shadow: 'k' })], used: [2], statuses: ['shadowed: 0/2 in minute'], verdict: 'allowed, shadowed, -1' },
    { title: 'over, beside one that is told', ask: [of({ shadow: 'k' }), of({ minute: 'k' })], used: [2, 0], statuses: ['shadowed: 0/2 in minute', 'within_limit: 4/5 in minute'], verdict: 'allowed, shadowed, 1' },
    { title: 'over, beside one that denies', ask: [of({ shadow: 'k' }), of({ minute: 'k' })], used: [2, 5], statuses: ['shadowed: 0/2 in minute', 'over_limit: 0/5 in minute'], verdict: 'denied, over_limit, 1' },
    { title: 'within, beside one that denies: not charged, as if it were enforced', ask: [of({ shadow: 'k' }), of({ minute: 'k' })], used: [0, 5], statuses: ['within_limit: 2/2 in minute', 'over_limit: 0/5 in minute'], verdict: 'denied, over_limit, 1' },
    { title: 'a cost that it could never take', ask: [cost('shadow', 3)], used: [0], statuses: ['shadowed: 2/2 in minute'], verdict: 'allowed, shadowed, -1' },
  ],
  'an overdraft is recorded in full': [
    { title: 'within', ask: [cost('overdraft', 10)], used: [0, 0], statuses: ['within_limit: 0/10 in minute'], verdict: 'allowed, within_limit, 0' },
    { title: 'over: denied, and 0 left', ask: [cost('overdraft', 6)], used: [5, 5], statuses: ['over_limit: 0/10 in minute'], verdict: 'denied, over_limit, 0' },
    { title: 'recorded where another descriptor denies, too', ask: [cost('overdraft', 6), of({ minute: 'k' })], used: [0, 0, 5], statuses: ['within_limit: 4/10 in minute', 'over_limit: 0/5 in minute'], verdict: 'denied, over_limit, 1' },
    { title: 'a peek finds nothing left', ask: [cost('overdraft', 0)], used: [11, 11], statuses: ['over_limit: 0/10 in minute'], verdict: 'denied, over_limit, 0' },
  ],
};

describe.each(Object.entries(rows))('%s', (_, group) => {
  test.each([...group])('$title', ({ ask, used, statuses, verdict }) => {
    const planned = plan(policy, ask);
    const decision = settle(planned, taken(planned, used));
    expect(decision.statuses.map(summary)).toEqual(statuses);
    expect(verdictOf(decision)).toBe(verdict);
  });
});

function summary({ reason, reported }: Status): string {
  if (reported === undefined) return reason;
  return `${reason}: ${reported.remaining}/${reported.window.max} in ${reported.window.unit}`;
}

function verdictOf({ allowed, reason, statuses, deciding }: Decision): string {
  const told = deciding === undefined ? -1 : statuses.indexOf(deciding);
  return `${allowed ? 'allowed' : 'denied'}, ${reason}, ${told}`;
}

describe('a decision', () => {
  test('carries the reading of every window, shortest first, and the clock of the store', () => {
    const planned = plan(policy, [K]);
    const decision = settle(planned, taken(planned, [300, 9_000]));
    expect(decision.nowSeconds).toBe(NOW);
    expect(decision.statuses[0]?.readings).toEqual([
      { window: planned.hits[0]?.windows[0], remaining: 0, endsAt: MINUTE_END, over: true },
      { window: planned.hits[0]?.windows[1], remaining: 1_000, endsAt: DAY_END, over: false },
    ]);
    expect(decision.statuses[0]?.limit).toBe(planned.descriptors[0]?.limit);
  });

  test('follows the window that the store found, where it starts later than the clock says', () => {
    const planned = plan(policy, [of({ minute: 'k' })]);
    const decision = settle(planned, { nowSeconds: NOW, found: foundOf(planned.hits, [MINUTE_END, 5]) });
    expect(decision).toMatchObject({
      allowed: false,
      deciding: { reported: { endsAt: MINUTE_END + 60, remaining: 0 } },
    });
  });

  test('counts a subject that is named twice as the store found it each time', () => {
    const planned = plan(policy, [of({ minute: 'k' }), of({ minute: 'k' })]);
    const decision = settle(planned, taken(planned, [3, 4]));
    expect(decision.statuses.map(summary)).toEqual(['within_limit: 1/5 in minute', 'within_limit: 0/5 in minute']);
    expect(decision.allowed).toBe(true);
  });

  test('without any limit is allowed and told to nobody', () => {
    const planned = plan(policy, [of({ x: 'k' }), of({})]);
    const nothing = { reason: 'no_limit', limit: undefined, readings: [], reported: undefined };
    const expected = {
      allowed: true,
      reason: 'no_limit',
      nowSeconds: NOW,
      statuses: [nothing, nothing],
      deciding: undefined,
    };
    expect(settle(planned, { nowSeconds: NOW, found: [] })).toMatchObject(expected);
  });

  test('is the same with a shadow limit beside it as without, for whom is told', () => {
    const shadowed: DescriptorDefinition = { key: 's', shadow_mode: true, limits: [per(1, 'year')] };
    const both = policyOf([{ key: 'minute', limits: [per(5, 'minute')] }, shadowed]);
    for (const used of [0, 4, 5]) {
      const alone = plan(both, [of({ minute: 'k' })]);
      const beside = plan(both, [of({ minute: 'k' }), of({ s: 'k' })]);
      const expected = settle(alone, taken(alone, [used]));
      const decision = settle(beside, taken(beside, [used, 9]));
      expect([decision.allowed, decision.deciding]).toEqual([expected.allowed, expected.deciding]);
    }
  });
});
