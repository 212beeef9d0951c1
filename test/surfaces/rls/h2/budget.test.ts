/** Who asks for more than so many a second is told so at the very next one. */
import { beforeEach, expect, test } from '@jest/globals';
import { Budget } from '../../../../src/surfaces/rls/h2/budget.ts';
import { ManualClock } from '../../../support/clock.ts';

const PER_SECOND = 100;
const BURST_MAX = 1_000;
let clock: ManualClock;
let budget: Budget;

beforeEach(() => {
  clock = new ManualClock();
  budget = new Budget({ clock, perSecond: PER_SECOND, burstMax: BURST_MAX });
});

/** How many are had at once, before the first that is not. */
function granted(): number {
  for (let count = 0; ; count++) if (!budget.spend()) return count;
}

test('a burst is granted whole, and not one more', () => {
  expect(granted()).toBe(BURST_MAX);
  expect(budget.spend()).toBe(false);
});

test.each([
  [9, 0],
  [10, 1],
  [1_000, PER_SECOND],
  [9_990, BURST_MAX - 1],
  [10_000, BURST_MAX],
  [86_400_000, BURST_MAX],
])('%d ms after it is used up there are %d more', (millis, more) => {
  granted();
  clock.advance(millis);
  expect(granted()).toBe(more);
});

test('so many a second are granted for ever', () => {
  granted();
  for (let second = 0; second < 100; second++) {
    clock.advance(1_000);
    for (let count = 0; count < PER_SECOND; count++) expect(budget.spend()).toBe(true);
  }
  expect(budget.spend()).toBe(false);
});

test('shares of a millisecond add up', () => {
  granted();
  for (let count = 0; count < 100; count++) {
    clock.advance(10);
    expect(budget.spend()).toBe(true);
  }
});

test('at most two bursts are granted in a moment: the clock is not read before the first is used up', () => {
  for (let count = 0; count < BURST_MAX - 1; count++) budget.spend();
  clock.advance(86_400_000);
  expect(granted()).toBe(BURST_MAX + 1);
});

test('what was earned is granted, too, but no more than a burst at once', () => {
  granted();
  budget.earn(3);
  expect(granted()).toBe(3);
  budget.earn(BURST_MAX + 1);
  expect(granted()).toBe(BURST_MAX);
});
