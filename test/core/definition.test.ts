import { describe, expect, test } from '@jest/globals';
import { compilePolicy } from '../../src/core/compile-policy.ts';
import type { DescriptorDefinition, PolicyDefinition } from '../../src/core/definition.ts';
import { PolicyError } from '../../src/core/errors.ts';
import { policyOf, thrownBy } from './build.ts';

const minute = { requests: 1, per: 'minute' };
const hourly = { unit: 'hour', requests_per_unit: 5 };
const UNITS = 'expected second, minute, hour, day, week, month, year or a duration such as 90s, 5m, 12h, 7d';

interface Row {
  readonly title: string;
  readonly descriptors: readonly DescriptorDefinition[];
  readonly path: readonly (string | number)[];
  readonly message: string;
}

const classes = (...list: NonNullable<DescriptorDefinition['classes']>): readonly DescriptorDefinition[] => [
  { key: 'a', api_keys: true, limits: [minute], classes: list },
];

const refused: readonly Row[] = [
  {
    title: 'an empty key',
    descriptors: [{ key: 'a' }, { key: '' }],
    path: ['descriptors', 1, 'key'],
    message: 'descriptor has empty key',
  },
  {
    title: 'an empty key further in',
    descriptors: [{ key: 'a', descriptors: [{ key: '' }] }],
    path: ['descriptors', 0, 'descriptors', 0, 'key'],
    message: 'descriptor has empty key',
  },
  {
    title: 'one key twice',
    descriptors: [{ key: 'a' }, { key: 'a' }],
    path: ['descriptors', 1, 'key'],
    message: "duplicate descriptor composite key 'd.a'",
  },
  {
    title: 'one key and value twice',
    descriptors: [{ key: 'a', value: '1' }, { key: 'b' }, { key: 'a', value: '1' }],
    path: ['descriptors', 2, 'key'],
    message: "duplicate descriptor composite key 'd.a_1'",
  },
  {
    title: 'two nodes whose joined names are one',
    descriptors: [{ key: 'p', descriptors: [{ key: 'a_b' }, { key: 'a', value: 'b' }] }],
    path: ['descriptors', 0, 'descriptors', 1, 'key'],
    message: "duplicate descriptor composite key 'd.p.a_b'",
  },
  {
    title: 'limits beside rate_limit',
    descriptors: [{ key: 'a', limits: [minute], rate_limit: hourly }],
    path: ['descriptors', 0, 'limits'],
    message: 'limits and rate_limit exclude each other on one descriptor',
  },
  {
    title: 'classes without limits',
    descriptors: [{ key: 'a', api_keys: true, classes: [{ name: 'c', prefix: 'c_', limits: [minute] }] }],
    path: ['descriptors', 0, 'classes'],
    message: 'classes replace limits, and there are none here',
  },
  {
    title: 'classes without api_keys',
    descriptors: [{ key: 'a', limits: [minute], classes: [{ name: 'c', prefix: 'c_', limits: [minute] }] }],
    path: ['descriptors', 0, 'classes'],
    message: 'classes need api_keys: true on the same descriptor',
  },
  {
    title: 'unknown_keys without api_keys',
    descriptors: [{ key: 'a', limits: [minute], unknown_keys: 'deny' }],
    path: ['descriptors', 0, 'unknown_keys'],
    message: 'unknown_keys needs api_keys: true on the same descriptor',
  },
  {
    title: 'inactive_keys without api_keys',
    descriptors: [{ key: 'a', limits: [minute], inactive_keys: 'deny' }],
    path: ['descriptors', 0, 'inactive_keys'],
    message: 'inactive_keys needs api_keys: true on the same descriptor',
  },
  {
    title: 'a class without prefix and type',
    descriptors: [{ key: 'a', api_keys: true, limits: [minute], classes: [{ name: 'c', limits: [minute] }] }],
    path: ['descriptors', 0, 'classes', 0, 'prefix'],
    message: 'a class is told by its prefix or by its type, one of them',
  },
  {
    title: 'a class with prefix and type',
    descriptors: [
      {
        key: 'a',
        api_keys: true,
        limits: [minute],
        classes: [{ name: 'c', prefix: 'c_', type: 'secret', limits: [minute] }],
      },
    ],
    path: ['descriptors', 0, 'classes', 0, 'prefix'],
    message: 'a class is told by its prefix or by its type, one of them',
  },
  {
    title: 'a rule that some API key would meet in place of its own',
    descriptors: [{ key: 'key', api_keys: true, limits: [minute] }, { key: 'key_owner' }],
    path: ['descriptors', 1, 'key'],
    message: "'key_owner' is also met by entries key, and so a way around their API keys: rename it",
  },
  {
    title: 'a rule with a value that some API key would meet in place of its own',
    descriptors: [
      { key: 'my', value: 'key_x' },
      { key: 'my_key', api_keys: true, limits: [minute] },
    ],
    path: ['descriptors', 0, 'key'],
    message: "'my_key_x' is also met by entries my_key, and so a way around their API keys: rename it",
  },
  {
    title: 'api_keys below api_keys',
    descriptors: [
      { key: 'a', api_keys: true, descriptors: [{ key: 'p', descriptors: [{ key: 'b', api_keys: true }] }] },
    ],
    path: ['descriptors', 0, 'descriptors', 0, 'descriptors', 0, 'api_keys'],
    message: 'a descriptor holds one API key at most, and there is one above',
  },
  {
    title: 'overdraft without limits',
    descriptors: [{ key: 'a', overdraft: true }],
    path: ['descriptors', 0, 'overdraft'],
    message: 'overdraft stands beside limits, and there are none here',
  },
  {
    title: 'overdraft beside rate_limit',
    descriptors: [{ key: 'a', overdraft: true, rate_limit: hourly }],
    path: ['descriptors', 0, 'overdraft'],
    message: 'overdraft stands beside limits, and there are none here',
  },
  {
    title: 'a value beside api_keys',
    descriptors: [{ key: 'a', api_keys: true, value: 'csk_1', limits: [minute] }],
    path: ['descriptors', 0, 'value'],
    message: 'a value beside api_keys: true would put a key in clear into this file',
  },
  {
    title: 'limits without windows',
    descriptors: [{ key: 'a', limits: [] }],
    path: ['descriptors', 0, 'limits'],
    message: 'a limit needs at least one window',
  },
  {
    title: 'an unknown length',
    descriptors: [{ key: 'a', limits: [minute, { requests: 1, per: 'fortnight' }] }],
    path: ['descriptors', 0, 'limits', 1, 'per'],
    message: `unknown unit 'fortnight': ${UNITS}`,
  },
  {
    title: 'two windows of one length, written differently',
    descriptors: [{ key: 'a', limits: [minute, { requests: 2, per: 'day' }, { requests: 3, per: '60s' }] }],
    path: ['descriptors', 0, 'limits', 2, 'per'],
    message: "two windows of one length: 'minute' and '60s'",
  },
  {
    title: 'an unknown unit of a rate_limit, as written',
    descriptors: [{ key: 'a', rate_limit: { unit: 'Fortnight', requests_per_unit: 1 } }],
    path: ['descriptors', 0, 'rate_limit', 'unit'],
    message: "invalid rate limit unit 'Fortnight'",
  },
  {
    title: 'a rate_limit without a unit',
    descriptors: [{ key: 'a', rate_limit: { requests_per_unit: 1 } }],
    path: ['descriptors', 0, 'rate_limit', 'unit'],
    message: "invalid rate limit unit ''",
  },
  {
    title: 'a duration as the unit of a rate_limit',
    descriptors: [{ key: 'a', rate_limit: { unit: '90s', requests_per_unit: 1 } }],
    path: ['descriptors', 0, 'rate_limit', 'unit'],
    message: "invalid rate limit unit '90s'",
  },
  {
    title: 'a class with an empty prefix',
    descriptors: classes({ name: 'c', prefix: '', limits: [minute] }),
    path: ['descriptors', 0, 'classes', 0, 'prefix'],
    message: 'an empty prefix would match every key',
  },
  {
    title: 'two classes of one name',
    descriptors: classes({ name: 'c', prefix: 'c_', limits: [minute] }, { name: 'c', prefix: 'd_', limits: [minute] }),
    path: ['descriptors', 0, 'classes', 1, 'name'],
    message: "two classes are named 'c'",
  },
  {
    title: 'a mistake in the windows of a class',
    descriptors: classes({ name: 'c', prefix: 'c_', limits: [{ requests: 1, per: '0s' }] }),
    path: ['descriptors', 0, 'classes', 0, 'limits', 0, 'per'],
    message: `unknown unit '0s': ${UNITS}`,
  },
];

describe('a policy that contradicts itself is refused by path and message', () => {
  test.each(refused)('$title', ({ descriptors, path, message }) => {
    const error = thrownBy(() => policyOf(descriptors));
    expect(error).toBeInstanceOf(PolicyError);
    expect(error).toMatchObject({ path, message });
  });

  test('an empty domain', () => {
    const error = thrownBy(() => compilePolicy({ domain: '' }));
    expect(error).toMatchObject({ path: ['domain'], message: 'config file cannot have empty domain' });
  });
});

describe('the style of headers', () => {
  const reference: DescriptorDefinition = { key: 'a', rate_limit: hourly };
  const own: DescriptorDefinition = { key: 'b', limits: [minute] };
  test.each<{ title: string; policy: Partial<PolicyDefinition>; style: string }>([
    { title: 'is that of the reference without a policy', policy: {}, style: 'reference' },
    { title: 'is that of the reference for its own files', policy: { descriptors: [reference] }, style: 'reference' },
    {
      title: 'is the documented one where limits are used',
      policy: { descriptors: [reference, own] },
      style: 'documented',
    },
    {
      title: 'is the documented one where they are used further in',
      policy: { descriptors: [{ key: 'p', descriptors: [own] }] },
      style: 'documented',
    },
    { title: 'is what the file says', policy: { headers: 'ietf', descriptors: [reference] }, style: 'ietf' },
    { title: 'is what the file says beside limits, too', policy: { headers: 'off', descriptors: [own] }, style: 'off' },
  ])('$title', ({ policy, style }) => {
    expect(compilePolicy({ domain: 'd', ...policy }).headerStyle).toBe(style);
  });
});

describe('a compiled limit', () => {
  test('has its windows shortest first, named by what the file wrote or by their name', () => {
    const limits = [
      { requests: 10_000, per: 'DAY' },
      { requests: 5, per: '90s' },
      { requests: 300, per: 'minute', name: 'burst' },
    ];
    const limit = policyOf([{ key: 'a', limits }]).root.children.get('a')?.limit;
    expect(limit).toMatchObject({
      policy: 'a',
      charging: 'together',
      overdraft: false,
      shadow: false,
      windows: [
        { name: 'burst', max: 300, seconds: 60, unit: 'minute' },
        { name: '90s', max: 5, seconds: 90, unit: undefined },
        { name: 'day', max: 10_000, seconds: 86_400, unit: 'day' },
      ],
    });
  });

  test('of a rate_limit is one window that counts every request', () => {
    const policy = policyOf([{ key: 'a', value: '1', shadow_mode: true, rate_limit: { unit: 'HOUR', name: 'n' } }]);
    expect(policy.root.children.get('a_1')?.limit).toMatchObject({
      policy: 'a_1',
      charging: 'each',
      overdraft: false,
      shadow: true,
      windows: [{ name: 'n', max: 0, seconds: 3_600, unit: 'hour' }],
    });
  });

  test('of a class takes overdraft and shadow mode from its descriptor, and is labelled by its name', () => {
    const [node] = classes({ name: 'publishable', prefix: 'cpk_', limits: [{ requests: 100, per: 'minute' }] });
    const descriptor = { ...(node as DescriptorDefinition), overdraft: true, shadow_mode: true };
    const policy = policyOf([{ key: 'p', descriptors: [descriptor] }]);
    expect(policy.root.children.get('p')?.children.get('a')).toMatchObject({
      limit: { policy: 'p.a', overdraft: true, shadow: true },
      keys: {
        classes: [{ of: { prefix: 'cpk_' }, limit: { policy: 'p.a.publishable', overdraft: true, shadow: true } }],
        unknown: 'default',
        inactive: 'deny',
      },
    });
  });

  test('is absent from a node that only leads to others', () => {
    expect(policyOf([{ key: 'a', descriptors: [{ key: 'b' }] }]).root.children.get('a')?.limit).toBeUndefined();
  });

  test('a node with an empty value is the default of its key, as in envoyproxy/ratelimit', () => {
    expect([...policyOf([{ key: 'a', value: '', rate_limit: hourly }]).root.children.keys()]).toEqual(['a']);
  });
});
