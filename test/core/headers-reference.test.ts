/** The header triple of envoyproxy/ratelimit: which of several limits it tells. */
import { describe, expect, test } from '@jest/globals';
import { settle } from '../../src/core/decision.ts';
import { answerOf } from '../../src/core/headers.ts';
import { NO_MODES, planOf } from '../../src/core/plan.ts';
import { DAY_END, hasherForTest, NOW, of, policyOf, request, taken } from './build.ts';

const NAMES = { limit: 'L', remaining: 'R', reset: 'S' };
const policy = policyOf([
  { key: 'ten', rate_limit: { unit: 'day', requests_per_unit: 10 } },
  { key: 'twenty', rate_limit: { unit: 'day', requests_per_unit: 20 } },
  { key: 'quota', quota_mode: true, rate_limit: { unit: 'day', requests_per_unit: 30 } },
  { key: 'shadow', shadow_mode: true, rate_limit: { unit: 'day', requests_per_unit: 40 } },
  { key: 'free', rate_limit: { unlimited: true } },
]);

/** `ten:3`: three were used before. @returns limit/remaining */
function told(asked: string, shadow = false): string {
  const pairs = asked.split(' ').map((pair) => pair.split(':') as [string, string | undefined]);
  const plan = planOf(request(pairs.map(([key], at) => of({ [key]: String(at) }))), policy, hasherForTest, {
    ...NO_MODES,
    shadow,
  });
  const used = pairs.flatMap(([, count]) => (count === undefined ? [] : [Number(count)]));
  const { headers } = answerOf(settle(plan, taken(plan, used)), policy.headerStyle, NAMES);
  const [limit, remaining, reset] = headers.map(([, value]) => value);
  if (headers.length > 0) expect(reset).toBe(String(DAY_END - NOW));
  return `${limit}/${remaining}`;
}

describe('of several limits the headers tell', () => {
  test.each([
    { title: 'the only one', asked: 'ten:3', expected: '10/6' },
    { title: 'the one with the least left', asked: 'twenty:3 ten:3', expected: '10/6' },
    { title: 'the first of two with as much left', asked: 'twenty:13 ten:3', expected: '20/6' },
    { title: 'the last that is over limit', asked: 'ten:10 twenty:20 ten:1', expected: '20/0' },
    { title: 'one over limit rather than one with nothing left', asked: 'twenty:20 ten:9', expected: '20/0' },
    { title: 'a quota that is exceeded like one with nothing left', asked: 'quota:30 ten:9', expected: '30/0' },
    { title: 'one over limit rather than a quota that is exceeded', asked: 'ten:10 quota:30', expected: '10/0' },
    { title: 'a limit in shadow mode, too', asked: 'shadow:40 ten:3', expected: '40/0' },
    { title: 'none that is unlimited', asked: 'free ten:3', expected: '10/6' },
  ])('$title', ({ asked, expected }) => {
    expect(told(asked)).toBe(expected);
  });

  test('nothing where no limit applies', () => {
    expect(told('free')).toBe('undefined/undefined');
  });

  test('the same under SHADOW_MODE', () => {
    expect(told('twenty:3 ten:10', true)).toBe('10/0');
  });

  test('nothing without names for them', () => {
    const plan = planOf(request([of({ ten: 'x' })]), policy, hasherForTest);
    expect(answerOf(settle(plan, taken(plan, [3])), 'reference').headers).toEqual([]);
  });
});
