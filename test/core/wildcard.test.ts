import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compileWildcard, matchesWildcard } from '../../src/core/wildcard.ts';

function matches(pattern: string, text: string): boolean {
  return matchesWildcard(compileWildcard(pattern), text);
}

describe('a wildcard', () => {
  test.each([
    ['k_a*', 'k_abc', true],
    ['k_a*', 'k_a', true],
    ['k_a*', 'k_b', false],
    ['*', '', true],
    ['*b', 'ab', true],
    ['*b', 'ba', false],
    ['a*b', 'ab', true],
    ['a*b', 'axxb', true],
    ['aa*aa', 'aaa', false],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'acb', false],
    ['a*b*b', 'ab', false],
    ['a*b*b', 'abb', true],
    ['*ab*bc*', 'abc', false],
    ['*ab*bc*', 'abbc', true],
    ['a**b', 'ab', true],
    ['a.c*', 'abc', false],
    ['k_*', 'K_x', false],
  ])('%s and %j: %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  test('matches what the regular expression with `.*` for every star matches', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 8 });
    const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 6 });
    fc.assert(
      fc.property(patterns, letters, (pattern, text) => {
        fc.pre(pattern.includes('*'));
        const plain = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
        expect(matches(pattern, text)).toBe(plain.test(text));
      }),
      { numRuns: 2_000 },
    );
  });
});
