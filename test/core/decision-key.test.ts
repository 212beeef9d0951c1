import { describe, expect, test } from '@jest/globals';
import { failsFor, settle } from '../../src/core/decision.ts';
import type { DescriptorDefinition } from '../../src/core/definition.ts';
import { answerOf } from '../../src/core/headers.ts';
import type { Standing } from '../../src/core/key-record.ts';
import type { Plan } from '../../src/core/plan.ts';
import type { Found, Taken } from '../../src/core/verdict.ts';
import { NOW, of, plan, policyOf, windowOf } from './build.ts';
import { keyOf } from './key-build.ts';

const per = (requests: number, length: string) => ({ requests, per: length });
const { key } = keyOf('k');
const node: DescriptorDefinition = { key: 'api_key', api_keys: true, limits: [per(300, 'minute')] };
const minute = { key: 'minute', limits: [per(5, 'minute')] };

/** What a store answers for the first hit of this standing, and of the others that nothing is used. */
function takenWith({ hits }: Plan, standing: Standing, windows: Found['windows'] | undefined): Taken {
  const found = hits.map((hit, index): Found => {
    const own = index === 0 ? (windows ?? hit.windows) : hit.windows;
    return {
      standing: index === 0 ? standing : undefined,
      windows: own,
      counts: own.flatMap(({ seconds }) => [NOW - (NOW % seconds), 0]),
    };
  });
  return { nowSeconds: NOW, found };
}

const REFUSED: Found['windows'] = [];
const INVALID = '{"error":{"code":"INVALID_API_KEY","message":"The API key is not valid.","status":401,"details":{}}}';

function failsIn(planned: Plan, found: Taken): boolean {
  return failsFor(planned, found, settle(planned, found));
}

describe('a refused key', () => {
  test.each([
    { title: 'one without a record', standing: 'unknown' },
    { title: 'an inactive one', standing: 'inactive' },
  ] as const)('denies with a reason and a body of its own: $title', ({ standing }) => {
    const planned = plan(policyOf([node]), [of({ api_key: key })]);
    const decision = settle(planned, takenWith(planned, standing, REFUSED));
    expect(decision).toMatchObject({ allowed: false, reason: 'invalid_api_key', statuses: [{ readings: [] }] });
    expect(answerOf(decision, 'documented')).toEqual({
      headers: [
        ['content-type', 'application/json'],
        ['cache-control', 'no-store'],
      ],
      body: INVALID,
      retryAfterSeconds: undefined,
    });
  });

  test('is told in the words of RFC 9457 where headers are in the style of the draft', () => {
    const planned = plan(policyOf([node]), [of({ api_key: key })]);
    const answer = answerOf(settle(planned, takenWith(planned, 'unknown', REFUSED)), 'ietf');
    expect(answer.headers[0]).toEqual(['content-type', 'application/problem+json']);
    expect(JSON.parse(answer.body as string)).toEqual({
      type: 'about:blank',
      title: 'The API key is not valid',
      status: 401,
    });
  });

  test('is told before any limit that is over: waiting does not mend it', () => {
    const planned = plan(policyOf([node, minute]), [of({ api_key: key }), of({ minute: 'x' }, { hitsAddend: 9 })]);
    const decision = settle(planned, takenWith(planned, 'unknown', REFUSED));
    expect(decision.reason).toBe('invalid_api_key');
    expect(decision.deciding).toBe(decision.statuses[0]);
    expect(decision.statuses.map(({ reason }) => reason)).toEqual(['invalid_api_key', 'cost_exceeds_limit']);
  });

  test('leaves what is left of other limits as it was', () => {
    const planned = plan(policyOf([node, minute]), [of({ api_key: key }), of({ minute: 'x' })]);
    const decision = settle(planned, takenWith(planned, 'unknown', REFUSED));
    expect(decision.statuses[1]).toMatchObject({ reason: 'within_limit', reported: { remaining: 5 } });
  });

  test('is refused by its form alone with the same answer, and no store was asked', () => {
    const planned = plan(policyOf([{ ...node, unknown_keys: 'deny' }]), [of({ api_key: 'mistyped' })]);
    const decision = settle(planned, { nowSeconds: NOW, found: [] });
    expect(decision.allowed).toBe(false);
    expect(answerOf(decision, 'documented').body).toBe(INVALID);
  });

  test('by its form alone leaves what is left of other limits as it was', () => {
    const policy = policyOf([minute, { ...node, unknown_keys: 'deny' }]);
    const planned = plan(policy, [of({ minute: 'x' }), of({ api_key: 'mistyped' })]);
    const decision = settle(planned, takenWith(planned, 'active', undefined));
    expect(decision.statuses[0]).toMatchObject({ reason: 'within_limit', reported: { remaining: 5 } });
    expect(decision.statuses[1]?.reason).toBe('invalid_api_key');
  });

  test('passes in shadow mode, and callers are told nothing', () => {
    const planned = plan(policyOf([{ ...node, shadow_mode: true }]), [of({ api_key: key })]);
    const decision = settle(planned, takenWith(planned, 'inactive', REFUSED));
    expect(decision).toMatchObject({ allowed: true, reason: 'shadowed', deciding: undefined });
    expect(answerOf(decision, 'documented').headers).toEqual([]);
  });
});

test.each([
  { standing: 'active', policy: 'api_key.issued' },
  { standing: 'inactive', policy: 'api_key.issued' },
  { standing: 'unknown', policy: 'api_key' },
  { standing: 'replaced', policy: 'api_key' },
] as const)('a key that is $standing is reported under the limit $policy', ({ standing, policy }) => {
  const classes = [{ name: 'issued', type: 'secret' as const, limits: [per(9, 'minute')] }];
  const planned = plan(policyOf([{ ...node, classes }]), [of({ api_key: key })]);
  const decision = settle(planned, takenWith(planned, standing, undefined));
  expect(decision.statuses[0]?.limit?.policy).toBe(policy);
});

describe('a key with numbers of its own', () => {
  const limits = [per(300, 'minute'), per(10_000, 'day')];
  const planned = plan(policyOf([{ ...node, limits }]), [of({ api_key: key })]);
  const policyFieldOf = (windows: Found['windows']) =>
    answerOf(settle(planned, takenWith(planned, 'active', windows)), 'documented').headers[0]?.[1];

  test('is told those numbers, in every field', () => {
    const windows = [windowOf(7, 'minute'), windowOf(10_000, 'day')];
    const { headers } = answerOf(settle(planned, takenWith(planned, 'active', windows)), 'documented');
    expect(Object.fromEntries(headers)).toMatchObject({
      'RateLimit-Policy': '7;w=60, 10000;w=86400',
      'RateLimit-Limit': '7',
      'RateLimit-Remaining': '6',
    });
  });

  test('is not told of a window that its numbers keep from ever binding', () => {
    expect(policyFieldOf([windowOf(10_000, 'minute'), windowOf(10_000, 'day')])).toBe('10000;w=86400');
  });
});

test('a made-up key with somebody’s id is denied, not failed, where keys without a record are denied', () => {
  const strict: DescriptorDefinition = { ...node, unknown_keys: 'deny', inactive_keys: 'error' };
  const planned = plan(policyOf([strict]), [of({ api_key: key })]);
  expect(failsIn(planned, takenWith(planned, 'replaced', REFUSED))).toBe(false);
  expect(failsIn(planned, takenWith(planned, 'inactive', REFUSED))).toBe(true);
});

test.each([
  { standing: 'inactive', rule: 'error', fails: true },
  { standing: 'replaced', rule: 'error', fails: true },
  { standing: 'inactive', rule: 'deny', fails: false },
  { standing: 'unknown', rule: 'error', fails: false },
  { standing: 'active', rule: 'error', fails: false },
] as const)('a call with an $standing key fails under inactive_keys: $rule: $fails', ({ standing, rule, fails }) => {
  const planned = plan(policyOf([minute, { ...node, inactive_keys: rule }]), [
    of({ api_key: key }),
    of({ minute: '1' }),
  ]);
  const windows = standing === 'inactive' || standing === 'replaced' ? REFUSED : undefined;
  expect(failsIn(planned, takenWith(planned, standing, windows))).toBe(fails);
});

test('an inactive key fails nothing that passes without it: in quota mode, beside a quota that is left', () => {
  const quotas = policyOf([
    { ...node, quota_mode: true, inactive_keys: 'error' },
    { ...minute, quota_mode: true },
  ]);
  const planned = plan(quotas, [of({ api_key: key }), of({ minute: '1' })]);
  const found = takenWith(planned, 'inactive', REFUSED);
  expect(settle(planned, found).allowed).toBe(true);
  expect(failsIn(planned, found)).toBe(false);
});

test.each([
  { standing: 'active', statsKey: 'd.api_key.secrets' },
  { standing: 'unknown', statsKey: 'd.api_key' },
] as const)(
  'statistics of a key that is $standing are those of the limit that it came to',
  ({ standing, statsKey }) => {
    const classes = [{ name: 'secrets', type: 'secret', limits: [per(9, 'minute')] }] as const;
    const planned = plan(policyOf([{ ...node, classes }]), [of({ api_key: key })]);
    expect(settle(planned, takenWith(planned, standing, undefined)).statuses[0]?.counted?.statsKey).toBe(statsKey);
  },
);
