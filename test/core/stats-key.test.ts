import { describe, expect, test } from '@jest/globals';
import type { DescriptorDefinition } from '../../src/core/definition.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { of, plan, policyOf } from './build.ts';
import { keyOf } from './key-build.ts';

const hour = { rate_limit: { unit: 'hour', requests_per_unit: 5 } };

function nameOf(rules: readonly DescriptorDefinition[], asked: Descriptor): string | undefined {
  return plan(policyOf(rules), [asked]).descriptors[0]?.statsKey;
}

const asked = (key: string): Descriptor => of({ api_key: key });

describe('the statistics of a limit are named', () => {
  const child: DescriptorDefinition = { key: 'c', ...hour };
  test.each<{ title: string; rules: DescriptorDefinition[]; asked: Descriptor; name: string }>([
    {
      title: 'by its nodes',
      rules: [{ key: 'a', value: 'x', descriptors: [child] }],
      asked: of({ a: 'x', c: 'y' }),
      name: 'd.a_x.c',
    },
    { title: 'by its pattern', rules: [{ key: 'a', value: 'x*', ...hour }], asked: of({ a: 'xy' }), name: 'd.a_x*' },
    {
      title: 'by all values with detailed_metric',
      rules: [{ key: 'a', descriptors: [{ ...child, detailed_metric: true }] }],
      asked: of({ a: 'x', c: 'y' }),
      name: 'd.a_x.c_y',
    },
    {
      title: 'by an empty value, too, with detailed_metric',
      rules: [{ key: 'a', detailed_metric: true, ...hour }],
      asked: of({ a: '' }),
      name: 'd.a_',
    },
    {
      title: 'by one value with value_to_metric',
      rules: [{ key: 'a', value_to_metric: true, descriptors: [child] }],
      asked: of({ a: 'x', c: 'y' }),
      name: 'd.a_x.c',
    },
    {
      title: 'without an empty value with value_to_metric',
      rules: [{ key: 'a', value_to_metric: true, ...hour }],
      asked: of({ a: '' }),
      name: 'd.a',
    },
    {
      title: 'by the value in place of its pattern with value_to_metric',
      rules: [{ key: 'a', value: 'x*', value_to_metric: true, ...hour }],
      asked: of({ a: 'xy' }),
      name: 'd.a_xy',
    },
    {
      title: 'as detailed_metric says where both stand',
      rules: [{ key: 'a', value_to_metric: true, descriptors: [{ ...child, detailed_metric: true }] }],
      asked: of({ a: 'x', c: 'y' }),
      name: 'd.a_x.c_y',
    },
    {
      title: 'by the pattern where all its values are one',
      rules: [{ key: 'a', value: 'x*', share_threshold: true, value_to_metric: true, ...hour }],
      asked: of({ a: 'xy' }),
      name: 'd.a_x*',
    },
    {
      title: 'by the pattern where all its values are one, and detailed',
      rules: [{ key: 'a', value: 'x*', share_threshold: true, detailed_metric: true, ...hour }],
      asked: of({ a: 'xy' }),
      name: 'd.a_x*',
    },
    {
      title: 'by the entries of a limit that the request brings',
      rules: [child],
      asked: of({ a: 'x', b: '' }, { override: { requestsPerUnit: 1, unit: 'hour' } }),
      name: 'd.a_x.b',
    },
  ])('$title', ({ rules, asked, name }) => {
    expect(nameOf(rules, asked)).toBe(name);
  });

  test('without an API key that stands where the policy expects none', () => {
    const { key, id } = keyOf('one');
    const detailed: DescriptorDefinition = { key: 'a', detailed_metric: true, ...hour };
    expect(nameOf([detailed], of({ a: key }))).toBe(`d.a_${id}`);
    expect(nameOf([detailed], of({ a: `Bearer ${key}` }))).toBe('d.a_Bearer csk_…');
    const override = { requestsPerUnit: 1, unit: 'hour' } as const;
    expect(nameOf([detailed], of({ b: key }, { override }))).toBe(`d.b_${id}`);
  });

  test('by the class of the key, whether by prefix or by type', () => {
    const { key } = keyOf('one', 'publishable');
    const limits = [{ requests: 1, per: 'hour' }];
    const classes = (of: object) => [{ name: 'pub', limits, ...of }];
    const node = (of: object): DescriptorDefinition => ({
      key: 'api_key',
      api_keys: true,
      limits,
      classes: classes(of),
    });
    const [byType, byPrefix] = [{ type: 'publishable' }, { prefix: 'cpk_' }].map(
      (of) => plan(policyOf([node(of)]), [asked(key)]).descriptors[0],
    );
    expect(byType).toMatchObject({ statsKey: 'd.api_key.pub', unknownStatsKey: 'd.api_key' });
    expect(byPrefix).toMatchObject({ statsKey: 'd.api_key.pub', unknownStatsKey: 'd.api_key.pub' });
  });

  test.each([{ detailed_metric: true }, { value_to_metric: true }])('without an API key: %j', (rest) => {
    const rules = [{ key: 'api_key', api_keys: true, limits: [{ requests: 1, per: 'hour' }], ...rest }];
    const { key, id } = keyOf('one');
    expect(nameOf(rules, of({ api_key: key }))).toBe(`d.api_key_${id}`);
    expect(nameOf(rules, of({ api_key: 'no key at all' }))).toBe('d.api_key_hash of no k');
  });
});
