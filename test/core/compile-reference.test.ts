/** What a policy says in envoyproxy/ratelimit's words beside its numbers: accepted, merged, and refused with its messages. */
import { describe, expect, test } from '@jest/globals';
import { compilePolicy, PolicyCompiler } from '../../src/core/compile-policy.ts';
import type { DescriptorDefinition, PolicyDefinition } from '../../src/core/definition.ts';
import { PolicyError } from '../../src/core/errors.ts';
import { match } from '../../src/core/policy.ts';
import { of, thrownBy } from './build.ts';

const hour = { rate_limit: { unit: 'hour', requests_per_unit: 5 } };
const keyed: DescriptorDefinition = { key: 'api_key', api_keys: true, limits: [{ requests: 1, per: 'hour' }] };
const definition = (...descriptors: DescriptorDefinition[]): PolicyDefinition => ({ domain: 'd', descriptors });

function refusal(...descriptors: DescriptorDefinition[]): { path: string; message: string } {
  const error = thrownBy(() => compilePolicy(definition(...descriptors)));
  if (!(error instanceof PolicyError)) throw error;
  return { path: error.path.join('.'), message: error.message };
}

describe('is refused, named by its key', () => {
  test.each<{ title: string; rules: DescriptorDefinition[]; path: string; message: string }>([
    {
      title: 'share_threshold without a wildcard',
      rules: [{ key: 'k', value: 'v', share_threshold: true, ...hour }],
      path: 'descriptors.0.share_threshold',
      message: "share_threshold can only be used with wildcard values (containing '*'), but found key 'k_v'",
    },
    {
      title: 'a unit beside unlimited',
      rules: [{ key: 'k', rate_limit: { unlimited: true, unit: 'Hour' } }],
      path: 'descriptors.0.rate_limit.unit',
      message: 'should not specify rate limit unit when unlimited',
    },
    {
      title: 'a replaced limit without a name',
      rules: [{ key: 'k', rate_limit: { ...hour.rate_limit, replaces: [{ name: 'a' }, {}] } }],
      path: 'descriptors.0.rate_limit.replaces.1',
      message: 'should not have an empty replaces entry',
    },
    {
      title: 'a limit that replaces itself',
      rules: [{ key: 'k', rate_limit: { ...hour.rate_limit, name: 'a', replaces: [{ name: 'a' }] } }],
      path: 'descriptors.0.rate_limit.replaces.0',
      message: 'replaces should not contain name of same descriptor',
    },
    {
      title: 'one pattern twice',
      rules: [
        { key: 'k', value: 'a*', ...hour },
        { key: 'k', value: 'a*' },
      ],
      path: 'descriptors.1.key',
      message: "duplicate descriptor composite key 'd.k_a*'",
    },
    {
      title: 'a pattern that some keys would meet',
      rules: [keyed, { key: 'api_k*', ...hour }],
      path: 'descriptors.1.key',
      message: "'api_k*' is also met by entries api_key, and so a way around their API keys: rename it",
    },
    {
      title: 'a pattern that begins with the name of the keys',
      rules: [{ key: 'api_key', value: 'csk*', ...hour }, keyed],
      path: 'descriptors.0.key',
      message: "'api_key_csk*' is also met by entries api_key, and so a way around their API keys: rename it",
    },
    {
      title: 'a wildcard for API keys',
      rules: [{ ...keyed, key: 'api*' }],
      path: 'descriptors.0.key',
      message: 'a wildcard beside api_keys: true would be met by parts of keys',
    },
  ])('$title', ({ rules, path, message }) => {
    expect(refusal(...rules)).toEqual({ path, message });
  });
});

describe('is accepted', () => {
  test('an invalid unit beside unlimited', () => {
    const policy = compilePolicy(definition({ key: 'k', rate_limit: { unlimited: true, unit: 'fortnight' } }));
    expect(match(policy, of({ k: 'v' })).node?.limit).toMatchObject({ unlimited: true, windows: [] });
  });

  test('a pattern beside API keys that none of them meets', () => {
    expect(() => compilePolicy(definition(keyed, { key: 'path', value: '/*', ...hour }))).not.toThrow();
  });
});

describe('of two files of one domain', () => {
  const first = compilePolicy(definition({ key: 'a', ...hour }, { key: 'w', value: 'x*', ...hour }));

  test('the policy holds the rules of both, wildcards in the order of the files', () => {
    const both = compilePolicy(definition({ key: 'b', ...hour }, { key: 'w', value: '*', ...hour }), first);
    const met = (asked: Record<string, string>) => match(both, of(asked)).node?.limit?.policy;
    expect([met({ a: '1' }), met({ b: '1' }), met({ w: 'xy' }), met({ w: 'y' })]).toEqual(['a', 'b', 'w_x*', 'w_*']);
  });

  test('the first stays as it is', () => {
    compilePolicy(definition({ key: 'b', ...hour }), first);
    expect(match(first, of({ b: '1' })).node).toBeUndefined();
  });

  test('no rule may stand in both', () => {
    expect(() => compilePolicy(definition({ key: 'a', ...hour }), first)).toThrow(
      "duplicate descriptor composite key 'd.a'",
    );
  });

  test.each([
    { title: 'a name', around: { key: 'api_key_x' }, name: 'api_key_x' },
    { title: 'a name with a value', around: { key: 'api', value: 'key_' }, name: 'api_key_' },
    { title: 'a wildcard', around: { key: 'api_*' }, name: 'api_*' },
    { title: 'a wildcard in a value', around: { key: 'api_key', value: 'x*' }, name: 'api_key_x*' },
  ])('a rule may not be a way around the API keys of the other, whichever is first: $title', ({ around, name }) => {
    const message = `'${name}' is also met by entries api_key, and so a way around their API keys: rename it`;
    const files = [{ key: 'a_b_c' }, { ...around, ...hour }, { key: 'z_*' }, keyed];
    for (const order of [files, files.toReversed()]) {
      const compiler = new PolicyCompiler('d');
      const add = () => {
        for (const rule of order) compiler.add({ descriptors: [rule] });
      };
      expect(thrownBy(add)).toMatchObject({ message, path: ['descriptors', 0, 'key'] });
    }
  });

  test('a name that comes after both is looked at, too', () => {
    const compiler = new PolicyCompiler('d');
    for (const rule of [{ key: 'a_b' }, keyed, { key: 'token', api_keys: true, ...hour }, { key: 'token2_b' }])
      compiler.add({ descriptors: [rule] });
    expect(() => compiler.add({ descriptors: [{ key: 'b', api_keys: true }, { key: 'token_x' }] })).toThrow(
      "'token_x' is also met by entries token",
    );
  });

  test.each([
    { one: {}, other: {}, style: 'reference' },
    { one: { headers: 'ietf' }, other: {}, style: 'ietf' },
    { one: {}, other: { headers: 'off' }, style: 'off' },
    { one: { descriptors: [{ key: 'l', limits: [{ requests: 1, per: 'hour' }] }] }, other: {}, style: 'documented' },
    { one: {}, other: { descriptors: [{ key: 'l', limits: [{ requests: 1, per: 'hour' }] }] }, style: 'documented' },
  ] as const)('$one and $other have the style $style', ({ one, other, style }) => {
    expect(compilePolicy({ domain: 'd', ...other }, compilePolicy({ domain: 'd', ...one })).headerStyle).toBe(style);
  });

  test('two styles contradict each other', () => {
    const ietf = compilePolicy({ domain: 'd', headers: 'ietf' });
    expect(() => compilePolicy({ domain: 'd', headers: 'off' }, ietf)).toThrow(
      'another file of the domain says headers: ietf',
    );
  });
});
