/** The conditions of requests. */
import { describe, expect, test } from '@jest/globals';
import { IF_MATCH, isKnown, versionsOf } from '../../src/surfaces/keys/conditional.ts';

test.each<[ifMatch: string | undefined, versions: readonly number[] | undefined]>([
  [undefined, undefined],
  ['*', undefined],
  [' * ', undefined],
  ['"1"', [1]],
  ['"1", "22"', [1, 22]],
  [', "1",, "2" ,', [1, 2]],
  ['"1",W/"2"', [1]],
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

test('what is no If-Match is told so in a time that grows with its length alone', () => {
  const startedAt = performance.now();
  for (const text of [',\t'.repeat(8_000), '"",'.repeat(5_000), `${'"a" , '.repeat(2_600)}x`]) IF_MATCH.test(text);
  expect(performance.now() - startedAt).toBeLessThan(500);
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
