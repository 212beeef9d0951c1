import { describe, expect, test } from '@jest/globals';
import type { DescriptorDefinition } from '../../src/core/definition.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import type { Hit } from '../../src/core/hit.ts';
import { planOf } from '../../src/core/plan.ts';
import { COST_MAX } from '../../src/core/window.ts';
import { hasherForTest, of, plan, policyOf, request } from './build.ts';

const policy = policyOf([
  {
    key: 'own',
    limits: [
      { requests: 300, per: 'minute' },
      { requests: 10_000, per: 'day' },
    ],
  },
  { key: 'reference', rate_limit: { unit: 'hour', requests_per_unit: 5, name: 'n' } },
  { key: 'overdraft', overdraft: true, limits: [{ requests: 10, per: 'hour' }] },
  { key: 'shadow', shadow_mode: true, limits: [{ requests: 10, per: 'hour' }] },
  { key: 'shadow_reference', shadow_mode: true, rate_limit: { unit: 'hour', requests_per_unit: 5 } },
  { key: 'passes' },
]);

interface Cost {
  readonly title: string;
  readonly key: string;
  readonly requestHits?: number;
  readonly descriptor?: Partial<Descriptor>;
  readonly cost: number;
  readonly need: number;
  readonly charging: Hit['charging'];
}

const REFUND = -COST_MAX;

describe('what a descriptor charges', () => {
  const cases: readonly Cost[] = [
    { title: 'nothing said: 1', key: 'own', cost: 1, need: 1, charging: 'together' },
    { title: 'the request says 0: 1', key: 'own', requestHits: 0, cost: 1, need: 1, charging: 'together' },
    { title: 'the request says 5: 5', key: 'own', requestHits: 5, cost: 5, need: 5, charging: 'together' },
    {
      title: 'the descriptor wins over the request',
      key: 'own',
      requestHits: 5,
      descriptor: { hitsAddend: 2 },
      cost: 2,
      need: 2,
      charging: 'together',
    },
    {
      title: 'a descriptor of 0 is a peek: it asks whether one more would fit',
      key: 'own',
      requestHits: 5,
      descriptor: { hitsAddend: 0 },
      cost: 0,
      need: 1,
      charging: 'together',
    },
    {
      title: 'the largest cost',
      key: 'own',
      descriptor: { hitsAddend: COST_MAX },
      cost: COST_MAX,
      need: COST_MAX,
      charging: 'together',
    },
    {
      title: 'a refund gives back, fits always, and is never lost',
      key: 'own',
      descriptor: { hitsAddend: 3, isNegativeHits: true },
      cost: -3,
      need: REFUND,
      charging: 'always',
    },
    {
      title: 'a refund without its own cost gives back that of the request',
      key: 'own',
      requestHits: 4,
      descriptor: { isNegativeHits: true },
      cost: -4,
      need: REFUND,
      charging: 'always',
    },
    { title: 'rate_limit: counted whatever the verdict', key: 'reference', cost: 1, need: 1, charging: 'always' },
    {
      title: 'rate_limit: a peek asks whether the limit was exceeded',
      key: 'reference',
      descriptor: { hitsAddend: 0 },
      cost: 0,
      need: 0,
      charging: 'always',
    },
    { title: 'rate_limit: the request says 7', key: 'reference', requestHits: 7, cost: 7, need: 7, charging: 'always' },
    {
      title: 'rate_limit: a refund',
      key: 'reference',
      descriptor: { hitsAddend: 2, isNegativeHits: true },
      cost: -2,
      need: REFUND,
      charging: 'always',
    },
    {
      title: 'overdraft: recorded in full',
      key: 'overdraft',
      descriptor: { hitsAddend: 50 },
      cost: 50,
      need: 50,
      charging: 'always',
    },
    {
      title: 'overdraft: a peek asks whether one more would fit',
      key: 'overdraft',
      descriptor: { hitsAddend: 0 },
      cost: 0,
      need: 1,
      charging: 'always',
    },
    { title: 'shadow: charged as if it were enforced', key: 'shadow', cost: 1, need: 1, charging: 'together' },
  ];
  test.each(cases)('$title', ({ key, requestHits = 0, descriptor, cost, need, charging }) => {
    const { hits } = plan(policy, [of({ [key]: 'x' }, descriptor)], { hitsAddend: requestHits });
    expect(hits).toHaveLength(1);
    expect(hits[0]).toMatchObject({ cost, need, charging });
  });
});

describe('whether a descriptor is enforced', () => {
  test.each([
    { key: 'own', denies: 'alone' },
    { key: 'reference', denies: 'alone' },
    { key: 'overdraft', denies: 'alone' },
    { key: 'shadow', denies: 'never' },
    { key: 'shadow_reference', denies: 'never' },
  ])('$key: $denies', ({ key, denies }) => {
    expect(plan(policy, [of({ [key]: 'x' })]).hits[0]?.denies).toBe(denies);
  });
});

describe('a plan', () => {
  test('has one place per descriptor, in request order, and a hit for each that meets a limit', () => {
    const asked = [of({ none: '1' }), of({ own: '1' }), of({ passes: '1' }), of({}), of({ reference: '1' })];
    const { descriptors, hits } = plan(policy, asked);
    expect(descriptors.map((planned) => planned?.limit.policy)).toEqual([
      undefined,
      'own',
      undefined,
      undefined,
      'reference',
    ]);
    expect(descriptors.map((planned) => planned?.hitAt)).toEqual([undefined, 0, undefined, undefined, 1]);
    expect(hits).toHaveLength(2);
    expect(hits[0]?.windows.map(({ max, seconds }) => [max, seconds])).toEqual([
      [300, 60],
      [10_000, 86_400],
    ]);
  });

  test('of an unknown domain charges nothing, though a descriptor brings its own limit', () => {
    const asked = [of({ own: '1' }), of({ own: '1' }, { override: { requestsPerUnit: 1, unit: 'hour' } })];
    expect(plan(undefined, asked)).toEqual({
      descriptors: [undefined, undefined],
      hits: [],
      shadow: false,
    });
  });

  test('names one subject for one caller and another for every other', () => {
    const asked = [of({ own: 'a' }), of({ own: 'b' }), of({ own: 'a' }), of({ reference: 'a' })];
    const [first, second, third, fourth] = plan(policy, asked).hits.map(({ subject }) => subject);
    expect(third).toBe(first);
    expect(new Set([first, second, fourth]).size).toBe(3);
  });

  test('counts the same entries of two domains apart', () => {
    const other = policyOf([{ key: 'own', limits: [{ requests: 1, per: 'hour' }] }], { domain: 'e' });
    const [one] = plan(policy, [of({ own: 'a' })]).hits;
    const [two] = planOf(request([of({ own: 'a' })], { domain: 'e' }), other, hasherForTest).hits;
    expect(one?.subject).not.toBe(two?.subject);
  });

  test('knows an API key by its hash only', () => {
    const keyed: DescriptorDefinition = { key: 'api_key', api_keys: true, limits: [{ requests: 1, per: 'hour' }] };
    const { hits } = planOf(request([of({ api_key: 'csk_secret' })]), policyOf([keyed]), {
      ...hasherForTest,
      hash: () => 'HASH',
    });
    expect(hits[0]?.subject).toBe('1:d7:api_keyk4:HASH');
  });
});

describe("a descriptor's own limit", () => {
  const override = { requestsPerUnit: 7, unit: 'day' } as const;
  const day = [{ max: 7, seconds: 86_400, unit: 'day' }];

  test('replaces all windows of its node, which is still counted in its own way', () => {
    const asked = [of({ own: '1' }, { override }), of({ overdraft: '1' }, { override })];
    const { descriptors, hits } = plan(policy, asked);
    expect(descriptors).toMatchObject([
      { limit: { policy: 'own', windows: day } },
      { limit: { policy: 'overdraft', windows: day } },
    ]);
    expect(hits.map(({ charging }) => charging)).toEqual(['together', 'always']);
  });

  test('needs no node, and then counts as envoyproxy/ratelimit does', () => {
    const { descriptors, hits } = plan(policy, [of({ none: '1' }, { override }), of({}, { override })]);
    const limit = { policy: 'override', windows: day, charging: 'each' };
    expect(descriptors).toMatchObject([{ limit }, { limit }]);
    expect(hits).toMatchObject([
      { charging: 'always', cost: 1 },
      { charging: 'always', cost: 1 },
    ]);
  });

  test('shares the subject of its node, and so the counter of a window of one length', () => {
    const { hits } = plan(policy, [of({ own: '1' }), of({ own: '1' }, { override })]);
    expect(hits[1]?.subject).toBe(hits[0]?.subject);
  });

  test('of 0 lets nothing pass', () => {
    const { hits } = plan(policy, [of({ own: '1' }, { override: { requestsPerUnit: 0, unit: 'hour' } })]);
    expect(hits[0]?.windows).toMatchObject([{ max: 0 }]);
  });

  test('ignores the shadow mode of a rate_limit, as envoyproxy/ratelimit does', () => {
    const { descriptors, hits } = plan(policy, [of({ shadow_reference: '1' }, { override })]);
    expect(descriptors[0]).toMatchObject({ limit: { shadow: false } });
    expect(hits[0]).toMatchObject({ denies: 'alone' });
  });
});
