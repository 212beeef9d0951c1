/** The conditions of requests. */
import { describe, expect, test } from '@jest/globals';
import { IF_MATCH, isKnown, versionsOf } from '../../src/surfaces/keys/conditional.ts';
import { secondsOf } from '../../src/surfaces/keys/seconds.ts';

test.each<[ifMatch: string | undefined, versions: readonly number[] | undefined]>([
  [undefined, undefined],
  ['*', undefined],
  [' * ', undefined],
  ['"1"', [1]],
  ['"1", "22"', [1, 22]],
  [', "1",, "2" ,', [1, 2]],
  ['"1",W/"2"', [1]],
  ['"1"\t , \t, \t"2"\t', [1, 2]],
  ['""', []],
  ['"a,b"', []],
  ['"01"', []],
  ['"1e1"', []],
])('If-Match %s allows %j', (ifMatch, versions) => {
  if (ifMatch !== undefined) expect(ifMatch).toMatch(IF_MATCH);
  expect(versionsOf(ifMatch)).toEqual(versions);
});

test.each(['', '1', '"1', '1"', '"1" "2"', '*, "1"', 'w/"1"', ',', '"a b"'])('If-Match %j is none', (text) => {
  expect(text).not.toMatch(IF_MATCH);
});

test.each([
  ['2030-01-01T00:00:00.000Z', 1_893_456_000],
  ['2030-01-01T00:00:00.0000001Z', 1_893_456_001],
  ['2030-01-01T00:00:00.5+00:00', 1_893_456_001],
  ['2030-01-01T02:30:00+02:30', 1_893_456_000],
])('%s is rounded up to the second %i', (text, seconds) => {
  expect(secondsOf(text)).toBe(seconds);
});

describe('If-None-Match', () => {
  test.each<[ifNoneMatch: string | undefined, known: boolean]>([
    [undefined, false],
    ['*', true],
    ['"1"', true],
    ['W/"1"', true],
    ['"0", W/"1"', true],
    ['"10"', false],
    ['1', false],
    ['', false],
  ])('%s knows "1": %s', (ifNoneMatch, known) => {
    expect(isKnown(ifNoneMatch, '"1"')).toBe(known);
    expect(isKnown(ifNoneMatch, 'W/"1"')).toBe(known);
  });
});
