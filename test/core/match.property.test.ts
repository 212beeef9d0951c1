/** The compiled tree finds what a plain walk through the policy as it is written finds. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type DescriptorDefinition, nameOf } from '../../src/core/definition.ts';
import type { Entry } from '../../src/core/descriptor.ts';
import { match } from '../../src/core/policy.ts';
import { policyOf } from './build.ts';

type Rule = Pick<DescriptorDefinition, 'key' | 'value' | 'rate_limit'> & { readonly descriptors: readonly Rule[] };

/** Short texts over few letters, so that rules and entries often meet, `_` included, since names are joined by it. */
const text = (letters: readonly string[], minLength: number) =>
  fc.string({ unit: fc.constantFrom(...letters), minLength, maxLength: 3 });

const { rules } = fc.letrec<{ rules: Rule[]; rule: Rule }>((tie) => ({
  rules: fc.uniqueArray(tie('rule'), { maxLength: 6, selector: nameOf, depthIdentifier: 'levels' }),
  rule: fc
    .record({
      key: text(['a', 'b', '_', '*'], 1),
      value: fc.option(text(['a', 'b', '_', '*'], 0), { nil: undefined }),
      isLimited: fc.boolean(),
      descriptors: fc.oneof({ depthIdentifier: 'levels' }, fc.constant([]), tie('rules')),
    })
    .map(({ isLimited, ...rest }) => ({
      ...rest,
      ...(isLimited ? { rate_limit: { unit: 'hour', requests_per_unit: 1 } } : {}),
    })),
}));

const entries = fc.array(fc.record({ key: text(['a', 'b', '_', '*'], 1), value: text(['a', 'b', '_', '*'], 0) }), {
  minLength: 1,
  maxLength: 3,
});

/** The names of the rules that the entries meet, by envoyproxy/ratelimit's rules; undefined where one meets none. */
function walk(level: readonly Rule[], [entry, ...rest]: readonly Entry[]): readonly string[] | undefined {
  if (entry === undefined) return [];
  const joined = `${entry.key}_${entry.value}`;
  const met =
    level.find((rule) => nameOf(rule) === joined) ??
    level.find((rule) => nameOf(rule).includes('*') && isLike(nameOf(rule), joined)) ??
    level.find((rule) => nameOf(rule) === entry.key);
  const below = met && walk(met.descriptors, rest);
  return met && below && [nameOf(met), ...below];
}

function isLike(pattern: string, text: string): boolean {
  return new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(text);
}

test('the compiled tree and a plain walk of the rules agree, wildcards included', () => {
  let met = 0;
  fc.assert(
    fc.property(rules, fc.array(entries, { minLength: 5, maxLength: 20 }), (written, requests) => {
      const policy = policyOf(written);
      for (const asked of requests) {
        const names = walk(written, asked);
        const { node } = match(policy, { entries: asked, isNegativeHits: false });
        expect(node === undefined).toBe(names === undefined);
        if (node === undefined || names === undefined) continue;
        met += 1;
        expect(nameOf({ ...node.entry })).toBe(names.at(-1));
        expect(node.limit?.policy).toBe(node.limit && names.join('.'));
      }
    }),
    { numRuns: 2_000 },
  );
  expect(met).toBeGreaterThan(2_000);
});
