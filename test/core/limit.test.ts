import { describe, expect, test } from '@jest/globals';
import { isUnit, parsePer, UNIT_SECONDS, unitWindow, WINDOW_SECONDS_MAX } from '../../src/core/limit.ts';

describe('a length is a unit or a duration', () => {
  test.each([
    { text: 'second', seconds: 1, unit: 'second' },
    { text: 'minute', seconds: 60, unit: 'minute' },
    { text: 'hour', seconds: 3_600, unit: 'hour' },
    { text: 'day', seconds: 86_400, unit: 'day' },
    { text: 'week', seconds: 604_800, unit: 'week' },
    { text: 'month', seconds: 2_592_000, unit: 'month' },
    { text: 'year', seconds: 31_536_000, unit: 'year' },
    { text: 'MINUTE', seconds: 60, unit: 'minute' },
    { text: 'Day', seconds: 86_400, unit: 'day' },
    { text: '1s', seconds: 1, unit: 'second' },
    { text: '60s', seconds: 60, unit: 'minute' },
    { text: '90s', seconds: 90, unit: undefined },
    { text: '1m', seconds: 60, unit: 'minute' },
    { text: '5m', seconds: 300, unit: undefined },
    { text: '12h', seconds: 43_200, unit: undefined },
    { text: '24h', seconds: 86_400, unit: 'day' },
    { text: '7d', seconds: 604_800, unit: 'week' },
    { text: '30d', seconds: 2_592_000, unit: 'month' },
    { text: '365d', seconds: 31_536_000, unit: 'year' },
    { text: '4294967295s', seconds: WINDOW_SECONDS_MAX, unit: undefined },
    { text: '49710d', seconds: 4_294_944_000, unit: undefined },
  ])('$text is $seconds seconds', ({ text, seconds, unit }) => {
    expect(parsePer(text)).toEqual({ seconds, unit });
  });

  test.each(
    // biome-ignore format: one kind of mistake a line
    [
      '', ' ', 'unknown', 'fortnight', 'seconds', 'minutes',
      's', '60', '0s', '00s', '05m', '-5m', '+5m', '1.5h', '5 m', ' 5m', '5m ', '5m\n', '1h30m', '1e3s', '0x10s',
      '5M', '5S', '5w', '5y', '5ms', '٣s',
      '4294967296s', '49711d', '99999999999s', '9999999999d',
      'constructor', 'toString', '__proto__', 'hasOwnProperty',
    ],
  )('%j is neither', (text) => {
    expect(parsePer(text)).toBeUndefined();
  });
});

test('a unit is one of seven lower-case names, and no name that every object inherits', () => {
  expect(Object.keys(UNIT_SECONDS).every(isUnit)).toBe(true);
  expect(['Minute', 'unknown', '', 'constructor', '__proto__'].some(isUnit)).toBe(false);
});

test('a window of a unit has its length and its name', () => {
  expect(unitWindow(5, 'hour')).toMatchObject({ name: 'hour', max: 5, seconds: 3_600, unit: 'hour' });
});
