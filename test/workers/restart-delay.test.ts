/** How long the successor of a worker that died is waited with. */
import { expect, test } from '@jest/globals';
import { DELAY_MILLIS_MAX, RestartDelay, STEADY_MILLIS } from '../../src/workers/restart-delay.ts';

function delays(livedMillis: readonly number[]): number[] {
  const delay = new RestartDelay();
  return livedMillis.map((lived) => delay.millisAfter(lived));
}

test('the first death, be it at the start, is not waited for', () => {
  expect(delays([0])).toEqual([0]);
});

test('deaths in a row are waited with twice as long each time, up to a bound', () => {
  expect(delays([1, 1, 1, 1, 1, 1, 1, 1, 1])).toEqual([0, 250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  expect(delays(Array.from({ length: 2_000 }, () => 0)).at(-1)).toBe(DELAY_MILLIS_MAX);
});

test('whoever has lived for long enough is no longer one of a row', () => {
  expect(delays([1, 1, STEADY_MILLIS, 1, 1, STEADY_MILLIS - 1])).toEqual([0, 250, 0, 250, 500, 1_000]);
});
