/** What answers say of a limit, and what that allows: the cases that only odd timing brings about. */
import { describe, expect, test } from '@jest/globals';
import { Budget } from '../../src/client/budget.ts';

const NOW = 1_800_000_000_000;
const seconds = (count: number): number => NOW + count * 1_000;

function told(limit: number, remaining: number, resetSeconds: number) {
  return { limit, remaining, resetSeconds };
}

describe('a window', () => {
  test('ends by the latest of the ends that its answers tell', () => {
    const budget = new Budget();
    budget.answered(told(100, 50, 5), seconds(0), seconds(0)); // by 5
    budget.answered(told(100, 49, 5), seconds(0), seconds(3)); // by 8
    budget.answered(told(100, 48, 5), seconds(0), seconds(2)); // by 7
    expect(budget.verdict(0, seconds(7.999))).toEqual({ type: 'go' });
    expect(budget.verdict(0, seconds(8))).toEqual({ type: 'ask' });
  });

  test('keeps what an answer tells that may be of this window or of the next', () => {
    const budget = new Budget();
    budget.answered(told(100, 50, 2), seconds(0), seconds(0)); // from 1 to 2
    budget.answered(told(100, 0, 3), seconds(0), seconds(1)); // from 2 to 4
    budget.answered(told(100, 1, 3), seconds(1), seconds(1)); // from 3 to 4
    expect(budget.verdict(0, seconds(1))).toEqual({ type: 'pause', untilMillis: seconds(5) });
  });

  test('is not changed by a late answer of the one before', () => {
    const budget = new Budget();
    budget.answered(told(100, 90, 5), seconds(6), seconds(6)); // the second: from 10 to 11
    budget.answered(told(100, 0, 1), seconds(4), seconds(6)); // the first: by 7
    expect(budget.verdict(0, seconds(6))).toEqual({ type: 'go' });
  });

  test('is known the better, the more answers tell of it', () => {
    const budget = new Budget();
    budget.answered(told(100, 90, 5), seconds(2), seconds(6)); // from 6 to 11
    budget.answered(told(100, 89, 5), seconds(6), seconds(6)); // from 10 to 11
    budget.answered(told(100, 88, 9), seconds(1), seconds(2)); // from 9 to 11
    budget.answered(told(100, 0, 3), seconds(4), seconds(6)); // from 6 to 9: of the one before
    expect(budget.verdict(0, seconds(6))).toEqual({ type: 'go' });
  });

  test('that is told first after its reset replaces the one before', () => {
    const budget = new Budget();
    budget.answered(told(100, 0, 2), seconds(0), seconds(0));
    budget.answered(told(100, 99, 5), seconds(2), seconds(2));
    expect(budget.verdict(0, seconds(2))).toEqual({ type: 'go' });
  });
});

describe('of two windows', () => {
  test('both are kept to: the later pause counts', () => {
    const budget = new Budget();
    budget.answered(told(1_000, 49, 600), NOW, NOW);
    budget.answered(told(100, 4, 60), NOW, NOW);
    expect(budget.verdict(0, NOW)).toEqual({ type: 'pause', untilMillis: seconds(601) });
  });

  test('a call counts in the one that is not told as well', () => {
    const budget = new Budget();
    budget.answered(told(1_000, 51, 600), NOW, NOW);
    budget.answered(told(100, 51, 60), NOW, NOW);
    expect(budget.verdict(0, NOW)).toEqual({ type: 'go' });
    budget.answered(told(100, 50, 60), NOW, NOW);
    expect(budget.verdict(0, NOW)).toEqual({ type: 'pause', untilMillis: seconds(601) });
  });
});

test('a call that failed may have been counted', () => {
  const budget = new Budget();
  budget.answered(told(100, 5, 60), NOW, NOW);
  expect(budget.verdict(0, NOW)).toEqual({ type: 'go' });
  budget.failed();
  expect(budget.verdict(0, NOW)).toEqual({ type: 'pause', untilMillis: seconds(61) });
});

test('an answer that tells no limit uses nothing up', () => {
  const budget = new Budget();
  budget.answered(told(100, 5, 60), NOW, NOW);
  budget.answered(undefined, NOW, NOW);
  expect(budget.verdict(0, NOW)).toEqual({ type: 'go' });
});

test('calls in flight are waited for when they may take the last that is left, until the reset at most', () => {
  const budget = new Budget();
  budget.answered(told(100, 7, 60), NOW, NOW);
  expect(budget.verdict(2, NOW)).toEqual({ type: 'go' });
  expect(budget.verdict(3, NOW)).toEqual({ type: 'wait', atMillis: seconds(61) });
  expect(budget.verdict(3, seconds(61))).toEqual({ type: 'ask' });
});

test('8 windows are known at most: the one known longest is forgotten', () => {
  const budget = new Budget();
  const limits = Array.from({ length: 9 }, (_, index) => 10 + index);
  for (const limit of limits) budget.answered(told(limit, limit === 10 ? 0 : 10, 60), NOW, NOW);
  expect(budget.verdict(0, NOW)).toEqual({ type: 'go' });
});
