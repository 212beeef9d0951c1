/** The lines of /rlconfig: every limit in force has one for each of its windows, and nothing else has any. */
import { expect, test } from '@jest/globals';
import { compilePolicy } from '../../src/core/compile-policy.ts';
import type { DescriptorDefinition } from '../../src/core/definition.ts';
import { limitLines } from '../../src/surfaces/debug/rlconfig.ts';

const per = (unit: string, requests_per_unit: number) => ({ unit, requests_per_unit });
const OFF = 'shadow_mode: false, quota_mode: false';

function linesOf(domains: Readonly<Record<string, readonly DescriptorDefinition[]>>): string[] {
  const policies = Object.entries(domains).map(([domain, descriptors]) => compilePolicy({ domain, descriptors }));
  return [...limitLines(new Map(policies.map((policy) => [policy.domain, policy])))];
}

test('nodes without a limit have no line, those below them have', () => {
  const below = { key: 'b', value: 'v', rate_limit: per('Week', 0) };
  expect(linesOf({ d: [{ key: 'free' }, { key: 'a', descriptors: [below] }] })).toEqual([
    `d.a.b_v: unit=WEEK requests_per_unit=0, ${OFF}\n`,
  ]);
});

test('domains come by name, limits as in the file, windows shortest first', () => {
  const limits = [
    { requests: 100, per: 'day' },
    { requests: 10, per: '90s' },
    { requests: 5, per: '60s' },
  ];
  expect(linesOf({ z: [{ key: 'b', limits }], a: [{ key: 'z', rate_limit: per('second', 4_294_967_295) }] })).toEqual([
    `a.z: unit=SECOND requests_per_unit=4294967295, ${OFF}\n`,
    `z.b: unit=MINUTE requests_per_unit=5, ${OFF}\n`,
    `z.b: unit=90s requests_per_unit=10, ${OFF}\n`,
    `z.b: unit=DAY requests_per_unit=100, ${OFF}\n`,
  ]);
});

test('modes are told, of a limit with wildcards and of one that is unlimited, too', () => {
  const descriptors = [
    { key: 'a', value: 'x*', quota_mode: true, rate_limit: per('year', 1) },
    { key: 'a', shadow_mode: true, rate_limit: { unlimited: true } },
  ];
  expect(linesOf({ d: descriptors })).toEqual([
    'd.a_x*: unit=YEAR requests_per_unit=1, shadow_mode: false, quota_mode: true\n',
    'd.a: unit=UNKNOWN requests_per_unit=0, shadow_mode: true, quota_mode: false\n',
  ]);
});

test('every class of API keys has its own', () => {
  const limits = [{ requests: 300, per: 'minute' }];
  const classes = [{ name: 'publishable', prefix: 'cpk_', limits: [{ requests: 100, per: 'minute' }] }];
  expect(linesOf({ d: [{ key: 'k', api_keys: true, limits, classes }] })).toEqual([
    `d.k: unit=MINUTE requests_per_unit=300, ${OFF}\n`,
    `d.k.publishable: unit=MINUTE requests_per_unit=100, ${OFF}\n`,
  ]);
});

test('a key with a line feed in it does not look like another limit', () => {
  expect(linesOf({ d: [{ key: 'a\nd.b', rate_limit: per('hour', 1) }] })).toEqual([
    `d.a%0Ad.b: unit=HOUR requests_per_unit=1, ${OFF}\n`,
  ]);
});

test('without policies there is none', () => {
  expect(linesOf({})).toEqual([]);
});
