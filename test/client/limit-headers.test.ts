/** Reading limits from headers: bare integers of one family count, and nothing else does. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { retryAfterMillis, toldLimit } from '../../src/client/limit-headers.ts';

const NOW = Date.UTC(2026, 10, 23, 12, 0, 0, 250);
const NOW_SECONDS = Math.floor(NOW / 1_000);

type Fields = Readonly<Record<string, string>>;

const ours = (limit: string, remaining: string, reset: string): Fields => ({
  'RateLimit-Limit': limit,
  'RateLimit-Remaining': remaining,
  'RateLimit-Reset': reset,
});
const legacy = (limit: string, remaining: string, reset: string): Fields => ({
  'X-RateLimit-Limit': limit,
  'X-RateLimit-Remaining': remaining,
  'X-RateLimit-Reset': reset,
});
const told = (limit: number, remaining: number, resetSeconds: number) => ({ limit, remaining, resetSeconds });

describe('the limit that is told', () => {
  test.each<[title: string, headers: Fields, expected: object | undefined]>([
    ['nothing', {}, undefined],
    ['RateLimit-*', ours('300', '250', '12'), told(300, 250, 12)],
    ['nothing left', ours('300', '0', '12'), told(300, 0, 12)],
    ['a reset of 0, which would be over already', ours('300', '0', '0'), told(300, 0, 1)],
    ['a limit of 0, of which there is no share', ours('0', '0', '12'), undefined],
    ['X-RateLimit-* with an absolute reset', legacy('300', '250', String(NOW_SECONDS + 12)), told(300, 250, 12)],
    ['X-RateLimit-* with a relative reset', legacy('300', '250', '12'), told(300, 250, 12)],
    ['the largest relative reset', legacy('300', '250', '999999999'), told(300, 250, 999_999_999)],
    ['an absolute reset in the past', legacy('300', '250', '1000000000'), told(300, 250, 1)],
    ['an absolute reset in milliseconds', legacy('300', '250', String(NOW + 12_000)), undefined],
    [
      'an absolute reset of a server whose clock is an hour late',
      { ...legacy('300', '250', String(NOW_SECONDS - 3_600 + 12)), Date: 'Mon, 23 Nov 2026 11:00:00 GMT' },
      told(300, 250, 12),
    ],
    ['both: RateLimit-*', { ...ours('300', '250', '12'), ...legacy('7', '6', '5') }, told(300, 250, 12)],
    ['one of ours missing: X-*', { 'RateLimit-Limit': '300', ...legacy('7', '6', '5') }, told(7, 6, 5)],
    ['two that are of two families', { 'RateLimit-Limit': '300', 'X-RateLimit-Remaining': '6' }, undefined],
    ['a list, as draft-03 has it', ours('300, 300;w=60', '250', '12'), undefined],
    [
      'a list, and X-* beside',
      { ...ours('300, 300;w=60', '250', '12'), ...legacy('300', '250', '12') },
      told(300, 250, 12),
    ],
    ['two lines joined', ours('300, 300', '250', '12'), undefined],
    ['a decimal', ours('300', '250.5', '12'), undefined],
    ['a negative number', ours('300', '-1', '12'), undefined],
    ['an exponent', ours('3e2', '250', '12'), undefined],
    ['hexadecimal', ours('0x12c', '250', '12'), undefined],
    ['words', ours('many', '250', '12'), undefined],
    ['nothing but the name', ours('', '250', '12'), undefined],
    ['more digits than a number holds', ours('9'.repeat(16), '250', '12'), undefined],
    ['a date as a reset', ours('300', '250', 'Mon, 23 Nov 2026 12:00:12 GMT'), undefined],
  ])('%s', (_title, headers, expected) => {
    expect(toldLimit(new Headers(headers), NOW)).toEqual(expected);
  });

  test('three integers are read as they are, whatever they are', () => {
    const natural = fc.nat({ max: 999_999_999 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e15 - 1 }), natural, natural, (limit, remaining, reset) => {
        const headers = new Headers(ours(String(limit), String(remaining), String(reset)));
        expect(toldLimit(headers, NOW)).toEqual(told(limit, remaining, Math.max(reset, 1)));
      }),
    );
  });

  test('no text makes a number that is not a natural one', () => {
    const value = fc.string({ unit: 'grapheme-ascii' }).filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(value, value, value, (limit, remaining, reset) => {
        const found = toldLimit(new Headers(ours(limit, remaining, reset)), NOW);
        for (const number of Object.values(found ?? {})) {
          expect(Number.isSafeInteger(number) && number >= 0).toBe(true);
        }
      }),
    );
  });
});

describe('Retry-After', () => {
  test.each<[value: string, expected: number | undefined]>([
    ['0', 0],
    ['12', 12_000],
    ['Mon, 23 Nov 2026 12:00:12 GMT', 11_750],
    ['Monday, 23-Nov-26 12:00:12 GMT', 11_750],
    ['Mon Nov 23 12:00:12 2026', 11_750],
    ['Mon, 23 Nov 2026 11:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['12 s', undefined],
    ['2026-11-23T12:00:12Z', undefined],
    ['12, 12', undefined],
    ['Mon, 99 Nov 2026 12:00:12 GMT', undefined],
  ])('%s', (value, expected) => {
    expect(retryAfterMillis(new Headers({ 'Retry-After': value }), NOW)).toBe(expected);
  });

  test('none', () => expect(retryAfterMillis(new Headers(), NOW)).toBeUndefined());
});
