import { describe, expect, test } from '@jest/globals';
import type { DescriptorDefinition } from '../../src/core/definition.ts';
import { countersOf } from '../../src/core/key-counters.ts';
import { of, plan, policyOf } from './build.ts';
import { keyOf, keyRecord } from './key-build.ts';

const per = (requests: number, length: string) => ({ requests, per: length });
const { key, id } = keyOf('k', 'publishable');
const keyed: DescriptorDefinition = {
  key: 'api_key',
  api_keys: true,
  limits: [per(300, 'minute'), per(10_000, 'day')],
};
const record = keyRecord({ id, type: 'publishable', rateLimitPerMinute: 7 });

describe('where a key is counted', () => {
  test('is what a decision charges, at the key and below it, in every domain', () => {
    const one = policyOf([{ ...keyed, descriptors: [{ key: 'path', value: '/a', limits: [per(5, 'hour')] }] }]);
    const other = policyOf([{ key: 'plan', value: 'gold', descriptors: [keyed] }], { domain: 'e' });
    const charged = [
      ...plan(one, [of({ api_key: key }), of({ api_key: key, path: '/a' })]).hits,
      ...plan(other, [of({ plan: 'gold', api_key: key })], { domain: 'e' }).hits,
    ];
    const counters = countersOf(
      new Map([
        ['d', one],
        ['e', other],
      ]),
      record,
    );
    expect(counters.map(({ hit }) => [hit.subject, hit.record])).toEqual(
      charged.map(({ subject, record: slot }) => [subject, slot]),
    );
    expect(counters.map(({ domain, policy }) => [domain, policy])).toEqual([
      ['d', 'api_key'],
      ['d', 'api_key.path_/a'],
      ['e', 'plan_gold.api_key'],
    ]);
  });

  test('is known below a wildcard only if all values that meet it are counted as one', () => {
    const rule = { key: 'path', limits: [per(5, 'hour')] };
    const policy = policyOf([
      {
        ...keyed,
        descriptors: [
          { ...rule, value: '/a*' },
          { ...rule, value: '/b*', share_threshold: true },
          { key: 'path', value: '/free', rate_limit: { unlimited: true } },
        ],
      },
    ]);
    const [charged] = plan(policy, [of({ api_key: key, path: '/b1' })]).hits;
    const counters = countersOf(new Map([['d', policy]]), record);
    expect(counters.map((counter) => counter.policy)).toEqual(['api_key', 'api_key.path_/b*']);
    expect(counters[1]?.hit.subject).toBe(charged?.subject);
  });

  test('is read and never charged or denied', () => {
    for (const { hit } of countersOf(new Map([['d', policyOf([keyed])]]), record)) {
      expect(hit).toMatchObject({ cost: 0, charging: 'always', denies: 'never' });
      expect(hit.key).toBeUndefined();
    }
  });

  test('has the numbers of the record where they replace the policy’s, and only there', () => {
    const below: DescriptorDefinition = { key: 'path', value: '/', limits: [per(5, 'minute')] };
    const policies = new Map([['d', policyOf([{ ...keyed, descriptors: [below] }])]]);
    expect(countersOf(policies, record).map(({ hit }) => hit.windows.map(({ max }) => max))).toEqual([
      [7, 10_000],
      [5],
    ]);
  });

  test.each([
    { title: 'of its type', of: { type: 'publishable' } as const },
    { title: 'of its prefix', of: { prefix: 'cpk_' } },
    { title: 'of a longer prefix', of: { prefix: key.slice(0, 16) } },
  ])('has the limit of the class $title', ({ of: which }) => {
    const classes = [{ name: 'c', limits: [per(1, 'day')], ...which }];
    const [counter] = countersOf(new Map([['d', policyOf([{ ...keyed, classes }])]]), record);
    expect(counter).toMatchObject({ policy: 'api_key.c', hit: { windows: [{ max: 1 }] } });
  });

  test('leaves out what only a request can name, and what no key has to do with', () => {
    const policy = policyOf([
      { key: 'remote_address', limits: [per(1, 'day')], descriptors: [keyed] },
      { key: 'plan', value: 'gold', limits: [per(1, 'day')] },
    ]);
    expect(countersOf(new Map([['d', policy]]), record)).toEqual([]);
  });
});
