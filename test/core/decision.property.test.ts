import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Decision, mostRestrictive, settle, type WindowReading } from '../../src/core/decision.ts';
import type { DescriptorDefinition } from '../../src/core/definition.ts';
import type { Plan } from '../../src/core/plan.ts';
import { COST_MAX, windowStart } from '../../src/core/window.ts';
import { foundOf, NOW, of, plan, policyOf, windowOf } from './build.ts';

// Few values, so that ties of all kinds are frequent.
const few = fc.integer({ min: 0, max: 3 });
const reading: fc.Arbitrary<WindowReading> = fc.record({
  window: few.map((max) => windowOf(max, 'hour')),
  remaining: few,
  endsAt: few.map((later) => NOW + 1 + later),
  over: fc.boolean(),
});

/** The definition of the design, word for word, by sorting: no shortcut that could hide a tie. */
function plainly(readings: readonly WindowReading[]): { remaining: number; endsAt: number } | undefined {
  const denying = readings.filter(({ over }) => over);
  const lastToEnd = (a: WindowReading, b: WindowReading) => b.endsAt - a.endsAt;
  const least = (a: WindowReading, b: WindowReading) => a.remaining - b.remaining || lastToEnd(a, b);
  return denying.length > 0 ? denying.sort(lastToEnd)[0] : [...readings].sort(least)[0];
}

describe('the most restrictive window', () => {
  test('is the one of the plain definition, in any order of windows', () => {
    fc.assert(
      fc.property(fc.array(reading, { maxLength: 5 }), (readings) => {
        const found = mostRestrictive(readings);
        const expected = plainly(readings);
        expect(found?.endsAt).toBe(expected?.endsAt);
        // Among windows that deny and end together, any may be told: what to wait for is the same.
        if (!readings.some(({ over }) => over)) expect(found?.remaining).toBe(expected?.remaining);
        else expect(found?.over).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});

const length = fc.constantFrom('second', '7s', 'minute', '90s', 'hour', 'day', 'week', 'month', 'year');
const most = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constant(4_294_967_295));
const definition = (key: string): fc.Arbitrary<DescriptorDefinition> =>
  fc
    .record({
      lengths: fc.uniqueArray(length, { minLength: 1, maxLength: 4 }),
      maxes: fc.array(most, { minLength: 4, maxLength: 4 }),
      overdraft: fc.boolean(),
      shadow_mode: fc.boolean(),
    })
    .map(({ lengths, maxes, overdraft, shadow_mode }) => ({
      key,
      overdraft,
      shadow_mode,
      limits: lengths.map((per, index) => ({ requests: maxes[index] as number, per })),
    }));
const reference = fc.record({
  key: fc.constant('c'),
  rate_limit: fc.record({ unit: fc.constantFrom('second', 'hour', 'year'), requests_per_unit: most }),
});
const amount = fc.oneof(fc.integer({ min: 0, max: 14 }), fc.constantFrom(COST_MAX - 1, COST_MAX));
const asked = fc.array(
  fc.record({ key: fc.constantFrom('a', 'b', 'c'), hitsAddend: amount, isNegativeHits: fc.boolean() }),
  { minLength: 1, maxLength: 4 },
);
const found = fc.record({
  used: fc.array(amount, { minLength: 16, maxLength: 16 }),
  // A clock that stepped back leaves windows that start later.
  lateness: fc.array(fc.constantFrom(0, 0, 0, 1, 2), { minLength: 16, maxLength: 16 }),
});

interface Situation {
  readonly planned: Plan;
  readonly counts: readonly number[];
  readonly decision: Decision;
}

const situation: fc.Arbitrary<Situation> = fc
  .tuple(definition('a'), definition('b'), reference, asked, found)
  .map(([a, b, c, asks, { used, lateness }]) => {
    const planned = plan(
      policyOf([a, b, c]),
      asks.map(({ key, ...rest }) => of({ [key]: 'x' }, rest)),
    );
    const windows = planned.hits.flatMap((hit) => hit.windows);
    const counts = windows.flatMap(({ seconds }, index) => [
      windowStart(NOW, seconds) + (lateness[index] as number) * seconds,
      used[index] as number,
    ]);
    return { planned, counts, decision: settle(planned, { nowSeconds: NOW, found: foundOf(planned.hits, counts) }) };
  });

function always(expectation: (situation: Situation) => void): void {
  fc.assert(fc.property(situation, expectation), { numRuns: 500 });
}

/** Every window of every hit that is told to the caller, as it was found. */
function toldReadings({ statuses }: Decision): readonly WindowReading[] {
  return statuses.filter(({ limit }) => limit?.shadow === false).flatMap(({ readings }) => readings);
}

describe('whatever was found and asked', () => {
  test('there is one status per descriptor, in request order', () => {
    always(({ planned, decision }) => {
      expect(decision.statuses.map(({ limit }) => limit)).toEqual(planned.descriptors.map((each) => each?.limit));
    });
  });

  test('remaining is never negative and never above max', () => {
    always(({ decision }) => {
      for (const { remaining, window } of decision.statuses.flatMap(({ readings }) => readings)) {
        expect(remaining).toBeGreaterThanOrEqual(0);
        expect(remaining).toBeLessThanOrEqual(window.max);
      }
    });
  });

  test('every window ends at least a second from now', () => {
    always(({ decision }) => {
      for (const { endsAt } of decision.statuses.flatMap(({ readings }) => readings)) {
        expect(endsAt - decision.nowSeconds).toBeGreaterThanOrEqual(1);
        expect(Number.isInteger(endsAt)).toBe(true);
      }
    });
  });

  test('it is denied exactly if an enforced hit does not fit into one of its windows', () => {
    always(({ planned, counts, decision }) => {
      let at = 0;
      let denied = false;
      for (const { windows, need, denies } of planned.hits) {
        for (const { max } of windows) {
          const over = BigInt(counts[at + 1] as number) + BigInt(need) > BigInt(max);
          if (over && denies === 'alone') denied = true;
          at += 2;
        }
      }
      expect(decision.allowed).toBe(!denied);
    });
  });

  test('an allowed caller is told of the window with the least left, among equals of the one that resets later', () => {
    always(({ decision }) => {
      fc.pre(decision.allowed);
      const expected = plainly(toldReadings(decision).map((each) => ({ ...each, over: false })));
      const reported = decision.deciding?.reported;
      expect([reported?.remaining, reported?.endsAt]).toEqual([expected?.remaining, expected?.endsAt]);
    });
  });

  test('a denied caller is told of the last end among the windows that deny', () => {
    always(({ decision }) => {
      fc.pre(!decision.allowed);
      const ends = toldReadings(decision).flatMap(({ over, endsAt }) => (over ? [endsAt] : []));
      expect(decision.deciding?.reported?.endsAt).toBe(Math.max(...ends));
    });
  });

  test('a shadow limit is told to nobody and never denies', () => {
    always(({ decision }) => {
      expect(decision.deciding?.limit?.shadow ?? false).toBe(false);
      for (const { limit, reason } of decision.statuses) {
        if (limit?.shadow === true) expect(['within_limit', 'shadowed']).toContain(reason);
        else expect(reason).not.toBe('shadowed');
      }
    });
  });
});
