/** What envoyproxy/ratelimit's rules say beside their numbers: quota, shadow, replaces, unlimited; for one rule and for all. */
import { describe, expect, test } from '@jest/globals';
import { type Decision, settle } from '../../src/core/decision.ts';
import type { DescriptorDefinition } from '../../src/core/definition.ts';
import { answerOf } from '../../src/core/headers.ts';
import { type Modes, NO_MODES, planOf } from '../../src/core/plan.ts';
import { hasherForTest, of, policyOf, request, taken } from './build.ts';

const hour = (requests_per_unit: number, rest: object = {}) => ({
  rate_limit: { unit: 'hour', requests_per_unit, ...rest },
});
const limits = (requests: number) => ({ limits: [{ requests, per: 'hour' }] });
const UNLIMITED = { rate_limit: { unlimited: true } };

const policy = policyOf([
  { key: 'plain', ...hour(5) },
  { key: 'shadow', shadow_mode: true, ...hour(5) },
  { key: 'quota', quota_mode: true, ...hour(5) },
  { key: 'quota2', quota_mode: true, ...hour(5) },
  { key: 'quiet', quota_mode: true, shadow_mode: true, ...hour(5) },
  { key: 'free', ...UNLIMITED },
  { key: 'free_quiet', quota_mode: true, shadow_mode: true, ...UNLIMITED },
  { key: 'own', ...limits(5) },
  { key: 'own_quota', quota_mode: true, ...limits(5) },
]);

/** `plain!` is over its limit, `plain` is not; `none` meets no limit. */
function decide(asked: string, modes: Partial<Modes> = {}): { readonly decision: Decision; readonly charged: string } {
  const names = asked.split(' ');
  const descriptors = names.map((name, at) => of({ [name.replace('!', '')]: String(at) }));
  const plan = planOf(request(descriptors), policy, hasherForTest, { ...NO_MODES, ...modes });
  const counted = names.filter((name) => !/none|free/.test(name));
  const decision = settle(
    plan,
    taken(
      plan,
      counted.map((name) => (name.endsWith('!') ? 5 : 1)),
    ),
  );
  const charged = decision.statuses.map(({ reported }) => (reported === undefined ? '-' : reported.remaining));
  return { decision, charged: charged.join(' ') };
}

function codes({ statuses }: Decision): string {
  return statuses.map(({ reason }) => reason).join(' ');
}

describe('quota mode: what denies', () => {
  test.each([
    { asked: 'quota!', allowed: false },
    { asked: 'quota! quota2!', allowed: false },
    { asked: 'quota! quota2', allowed: true },
    { asked: 'quota! plain', allowed: false },
    { asked: 'quota plain!', allowed: false },
    { asked: 'quota! quota2 plain!', allowed: false },
    { asked: 'quota! none', allowed: false },
    { asked: 'quota! free', allowed: false },
    { asked: 'quota! free_quiet', allowed: false },
    { asked: 'quiet!', allowed: true },
    { asked: 'quota! quiet', allowed: true },
    { asked: 'quota! quiet!', allowed: true },
    { asked: 'own_quota! quota', allowed: true },
    { asked: 'own_quota! quota!', allowed: false },
  ])('$asked: allowed is $allowed', ({ asked, allowed }) => {
    expect(decide(asked).decision.allowed).toBe(allowed);
  });

  test.each([
    { asked: 'plain!', allowed: false },
    { asked: 'plain! plain', allowed: true },
    { asked: 'plain! plain!', allowed: false },
    { asked: 'plain! none', allowed: true },
    { asked: 'plain! free', allowed: false },
    { asked: 'plain! shadow', allowed: true },
    { asked: 'own! plain', allowed: true },
  ])('QUOTA_MODE, $asked: allowed is $allowed', ({ asked, allowed }) => {
    expect(decide(asked, { quota: true }).decision.allowed).toBe(allowed);
  });

  test('a quota that is exceeded says so, though another lets the request pass', () => {
    expect(codes(decide('quota! quota2').decision)).toBe('over_limit within_limit');
  });

  test('`limits` are charged beside a quota that is exceeded and does not deny', () => {
    expect(decide('own quota! quota2').charged).toBe('3 0 3');
    expect(decide('own quota!').charged).toBe('4 0');
  });
});

describe('a limit that the request brings', () => {
  const override = { requestsPerUnit: 1, unit: 'hour' } as const;
  test.each([
    { key: 'own_quota', denies: 'jointly' },
    { key: 'quota', denies: 'alone' },
    { key: 'shadow', denies: 'alone' },
  ])('over $key: denies $denies', ({ key, denies }) => {
    expect(planOf(request([of({ [key]: 'x' }, { override })]), policy, hasherForTest).hits[0]?.denies).toBe(denies);
  });
});

describe('SHADOW_MODE', () => {
  test('lets everything pass, and leaves the statuses as they are', () => {
    const { decision } = decide('plain! own', { shadow: true });
    expect(decision).toMatchObject({ allowed: true, reason: 'shadowed', globallyShadowed: true });
    expect(codes(decision)).toBe('over_limit within_limit');
  });

  test('has hits deny nothing, so that the store charges what fits', () => {
    const asked = request([of({ plain: 'x' }), of({ own: 'x' }), of({ quota: 'x' })]);
    const { hits } = planOf(asked, policy, hasherForTest, { ...NO_MODES, shadow: true });
    expect(hits.map(({ denies }) => denies)).toEqual(['never', 'never', 'never']);
  });

  test('charges `limits` that fit, since the request passes', () => {
    expect(decide('plain! own', { shadow: true }).charged).toBe('0 3');
  });

  test.each([
    { asked: 'plain', globallyShadowed: false },
    { asked: 'shadow!', globallyShadowed: false },
    { asked: 'quota! quota2', globallyShadowed: false },
    { asked: 'quota! quota2!', globallyShadowed: true },
  ])('changed the verdict on $asked: $globallyShadowed', ({ asked, globallyShadowed }) => {
    expect(decide(asked, { shadow: true }).decision.globallyShadowed).toBe(globallyShadowed);
  });

  test('has the last word beside QUOTA_MODE', () => {
    expect(decide('plain!', { shadow: true, quota: true }).decision).toMatchObject({
      allowed: true,
      globallyShadowed: true,
    });
  });
});

describe('STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT', () => {
  test('leaves what fits as it is beside a rate_limit that is exceeded', () => {
    expect(decide('plain! plain', { stopWhenOver: true }).charged).toBe('0 4');
    expect(decide('plain plain', { stopWhenOver: true }).charged).toBe('3 3');
  });

  test('does not concern `limits`', () => {
    expect(decide('own plain', { stopWhenOver: true }).charged).toBe('3 3');
    expect(decide('own! plain', { stopWhenOver: true }).charged).toBe('0 3');
  });
});

describe('unlimited', () => {
  test('passes without a count, and needs no store', () => {
    const plan = planOf(request([of({ free: '1' })]), policy, hasherForTest);
    expect(plan.hits).toEqual([]);
    const decision = settle(plan, { nowSeconds: 0, found: [] });
    expect(decision).toMatchObject({ allowed: true, statuses: [{ limit: { unlimited: true }, readings: [] }] });
  });

  test('refuses nothing, whatever stands beside it', () => {
    const plan = planOf(request([of({ free: '1' }), of({ own: '1' })]), policy, hasherForTest);
    expect(plan.hits).toMatchObject([{ cost: 1 }]);
    expect(settle(plan, taken(plan, [1])).allowed).toBe(true);
  });

  test('gives way to a limit that the request brings', () => {
    const override = { requestsPerUnit: 0, unit: 'hour' } as const;
    const plan = planOf(request([of({ free: '1' }, { override })]), policy, hasherForTest);
    expect(settle(plan, taken(plan, [0])).allowed).toBe(false);
  });
});

describe('replaces', () => {
  const named = (name: string, ...replaces: string[]) => ({
    ...hour(5, { name, replaces: replaces.map((other) => ({ name: other })) }),
  });
  const rules: DescriptorDefinition[] = [
    { key: 'a', ...named('A') },
    { key: 'b', ...named('B', 'A') },
    { key: 'c', ...named('C', 'D') },
    { key: 'd', ...named('D', 'C') },
    { key: 'e', ...named('E', 'B') },
    { key: 'f', rate_limit: { unlimited: true, name: 'F', replaces: [{ name: 'A' }] } },
    { key: 'g', rate_limit: { unlimited: true, name: 'A' } },
    { key: 'h', ...named('A') },
  ];
  const replacing = policyOf(rules);

  test.each([
    { title: 'the one that is named', asked: 'b a', counted: 'b' },
    { title: 'wherever it stands', asked: 'a b', counted: 'b' },
    { title: 'each other: both', asked: 'c d', counted: '' },
    { title: 'though it is replaced itself', asked: 'e b a', counted: 'e' },
    { title: 'though it is unlimited', asked: 'f a', counted: '' },
    { title: 'none that is unlimited', asked: 'b g', counted: 'b' },
    { title: 'all of that name', asked: 'b a h', counted: 'b' },
    { title: 'nothing that the request did not meet', asked: 'a e', counted: 'a e' },
  ])('$title', ({ asked, counted }) => {
    const plan = planOf(request(asked.split(' ').map((key) => of({ [key]: 'x' }))), replacing, hasherForTest);
    const left = plan.descriptors.filter((planned) => planned?.outcome === 'counted');
    expect(left.map((planned) => planned?.limit.policy).join(' ')).toBe(counted);
  });

  test('leaves an unlimited limit of that name unlimited', () => {
    const plan = planOf(request([of({ b: 'x' }), of({ g: 'x' })]), replacing, hasherForTest);
    expect(plan.descriptors[1]?.outcome).toBe('unlimited');
  });

  test('does nothing to a limit that the request brings', () => {
    const override = { requestsPerUnit: 1, unit: 'hour' } as const;
    const plan = planOf(request([of({ a: 'x' }, { override }), of({ b: 'x' })]), replacing, hasherForTest);
    expect(plan.hits).toHaveLength(2);
  });
});

describe('what statistics are told of a status', () => {
  test.each([
    {
      asked: 'plain',
      modes: {},
      counted: { statsKey: 'd.plain', hits: 1, used: 2, max: 5, over: false, shadow: false },
    },
    {
      asked: 'plain!',
      modes: {},
      counted: { statsKey: 'd.plain', hits: 1, used: 6, max: 5, over: true, shadow: false },
    },
    { asked: 'shadow!', modes: {}, counted: { statsKey: 'd.shadow', hits: 1, used: 6, over: true, shadow: true } },
    { asked: 'own!', modes: {}, counted: { statsKey: 'd.own', hits: 1, used: 6, over: true } },
    { asked: 'plain plain!', modes: { stopWhenOver: true }, counted: { hits: 1, used: 1, over: false } },
  ])('$asked $modes', ({ asked, modes, counted }) => {
    expect(decide(asked, modes).decision.statuses[0]?.counted).toMatchObject(counted);
  });

  test('is no hit where something is given back', () => {
    const refund = of({ plain: 'x' }, { hitsAddend: 2, isNegativeHits: true });
    const plan = planOf(request([refund]), policy, hasherForTest);
    expect(settle(plan, taken(plan, [3])).statuses[0]?.counted).toMatchObject({ hits: 0, used: 3, over: false });
  });

  test('is nothing where nothing is counted', () => {
    expect(decide('none free').decision.statuses.map(({ counted }) => counted)).toEqual([undefined, undefined]);
  });
});

describe('a key that is refused, beside others in quota mode', () => {
  const keyed = { api_keys: true, unknown_keys: 'deny', ...limits(5) } as const;
  const mixed = policyOf([
    { key: 'key', quota_mode: true, ...keyed },
    { key: 'plain_key', ...keyed },
    { key: 'quota', quota_mode: true, ...limits(5) },
    { key: 'own', ...limits(5) },
  ]);

  /** `key?`: a key of which no record can be. Of the others, `!` is over its limit. */
  function ask(asked: string, modes: Partial<Modes> = {}): { readonly decision: Decision; readonly costs: number[] } {
    const names = asked.split(' ');
    const descriptors = names.map((name, at) => of({ [name.replace(/[!?]/, '')]: String(at) }));
    const plan = planOf(request(descriptors), mixed, hasherForTest, { ...NO_MODES, ...modes });
    const used = names.filter((name) => !name.endsWith('?')).map((name) => (name.endsWith('!') ? 5 : 1));
    return { decision: settle(plan, taken(plan, used)), costs: plan.hits.map(({ cost }) => cost) };
  }

  test.each([
    { asked: 'key?', allowed: false, reason: 'invalid_api_key', costs: [] },
    { asked: 'key? quota', allowed: true, reason: 'within_limit', costs: [1] },
    { asked: 'key? quota!', allowed: false, reason: 'invalid_api_key', costs: [1] },
    { asked: 'key? own', allowed: false, reason: 'invalid_api_key', costs: [0] },
    { asked: 'plain_key? quota', allowed: false, reason: 'invalid_api_key', costs: [0] },
    { asked: 'key? quota own!', allowed: false, reason: 'over_limit', costs: [1, 1] },
  ])('$asked: $reason', ({ asked, allowed, reason, costs }) => {
    const answered = ask(asked);
    expect(answered.decision).toMatchObject({ allowed, reason });
    expect(answered.costs).toEqual(costs);
  });

  test('an allowed request is told its limits all the same', () => {
    const { decision } = ask('key? quota');
    expect(decision.deciding?.limit?.policy).toBe('quota');
    expect(answerOf(decision, 'documented').headers[0]).toEqual(['RateLimit-Policy', '5;w=3600']);
  });

  test('under SHADOW_MODE nothing is denied, and it is told what would have been', () => {
    expect(ask('key?', { shadow: true }).decision).toMatchObject({ allowed: true, globallyShadowed: true });
    expect(ask('key? quota', { shadow: true }).decision).toMatchObject({ allowed: true, globallyShadowed: false });
    expect(ask('plain_key? own', { shadow: true }).costs).toEqual([1]);
  });
});

test('a quota that is exceeded and does not deny has no say in when to come back', () => {
  const nested = policyOf([
    { key: 'a', limits: [{ requests: 1, per: 'minute' }] },
    { key: 'b', quota_mode: true, limits: [{ requests: 1, per: 'day' }] },
    { key: 'c', quota_mode: true, limits: [{ requests: 9, per: 'day' }] },
  ]);
  const plan = planOf(
    request([of({ a: 'x' }), of({ b: 'x' }, { hitsAddend: 2 }), of({ c: 'x' })]),
    nested,
    hasherForTest,
  );
  const decision = settle(plan, taken(plan, [1, 1, 1]));
  expect(decision).toMatchObject({ allowed: false, reason: 'over_limit', deciding: { limit: { policy: 'a' } } });
  expect(answerOf(decision, 'documented').retryAfterSeconds).toBe(12);
  expect(answerOf(decision, 'ietf').body).toContain('"violated-policies":["minute"]');
});
