import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { settle } from '../../src/core/decision.ts';
import type { DescriptorDefinition, PolicyDefinition } from '../../src/core/definition.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { type Answer, answerOf, bindingWindows, errorBody } from '../../src/core/headers.ts';
import type { Window } from '../../src/core/limit.ts';
import type { HeaderStyle } from '../../src/core/policy.ts';
import { DAY_END, MINUTE_END, NOW, of, plan, policyOf, taken, windowOf } from './build.ts';

const per = (requests: number, length: string) => ({ requests, per: length });
const documented: DescriptorDefinition = { key: 'key', limits: [per(300, 'minute'), per(10_000, 'day')] };

/** @param used of each window of each descriptor that meets a limit, shortest first */
function answer(
  descriptors: readonly DescriptorDefinition[],
  ask: readonly Descriptor[],
  used: readonly number[],
  rest: Partial<PolicyDefinition> = {},
): Answer {
  const policy = policyOf(descriptors, rest);
  const planned = plan(policy, ask);
  return answerOf(settle(planned, taken(planned, used)), policy.headerStyle);
}

const K = of({ key: 'k' });
const body = (seconds: number) =>
  `{"error":{"code":"RATE_LIMITED","message":"Rate limit exceeded.","status":429,"details":{"retry_after_seconds":${seconds}}}}`;

describe('the documented headers', () => {
  test('of an allowed request tell the most restrictive window, and nothing of a denial', () => {
    expect(answer([documented], [K], [49, 9_991])).toEqual({
      headers: [
        ['RateLimit-Policy', '300;w=60, 10000;w=86400'],
        ['RateLimit-Limit', '10000'],
        ['RateLimit-Remaining', '8'],
        ['RateLimit-Reset', String(DAY_END - NOW)],
        ['X-RateLimit-Limit', '10000'],
        ['X-RateLimit-Remaining', '8'],
        ['X-RateLimit-Reset', String(DAY_END)],
      ],
      body: undefined,
      retryAfterSeconds: undefined,
    });
  });

  test('name the instant of each decision, whatever the decisions before it were told', () => {
    const policy = policyOf([documented]);
    const planned = plan(policy, [K]);
    const resetsAt = (nowSeconds: number) => {
      const fields = new Map(answerOf(settle(planned, taken(planned, [0, 0], nowSeconds)), 'documented').headers);
      return [fields.get('RateLimit-Reset'), fields.get('X-RateLimit-Reset')];
    };
    expect(resetsAt(NOW)).toEqual(['12', String(MINUTE_END)]);
    expect(resetsAt(NOW + 1)).toEqual(['11', String(MINUTE_END)]);
    // As far from its end, a minute later.
    expect(resetsAt(NOW + 61)).toEqual(['11', String(MINUTE_END + 60)]);
    expect(resetsAt(NOW)).toEqual(['12', String(MINUTE_END)]);
  });

  test('of a denied request tell when to come back, in four spellings of one instant', () => {
    expect(answer([documented], [K], [300, 700])).toEqual({
      headers: [
        ['RateLimit-Policy', '300;w=60, 10000;w=86400'],
        ['RateLimit-Limit', '300'],
        ['RateLimit-Remaining', '0'],
        ['RateLimit-Reset', '12'],
        ['X-RateLimit-Limit', '300'],
        ['X-RateLimit-Remaining', '0'],
        ['X-RateLimit-Reset', String(MINUTE_END)],
        ['Retry-After', '12'],
        ['content-type', 'application/json'],
        ['cache-control', 'no-store'],
      ],
      body: body(12),
      retryAfterSeconds: 12,
    });
  });

  test('of a double exhaustion tell the day: waiting for it satisfies both windows', () => {
    const { headers, retryAfterSeconds } = answer([documented], [K], [300, 10_000]);
    expect(Object.fromEntries(headers)).toMatchObject({
      'RateLimit-Limit': '10000',
      'Retry-After': String(DAY_END - NOW),
    });
    expect(retryAfterSeconds).toBe(DAY_END - NOW);
  });

  test('of a denial with something left tell what is left', () => {
    const { headers } = answer([documented], [of({ key: 'k' }, { hitsAddend: 20 })], [290, 0]);
    expect(Object.fromEntries(headers)).toMatchObject({ 'RateLimit-Limit': '300', 'RateLimit-Remaining': '10' });
  });

  test('of a cost that can never pass say so in the body, in addition to the documented members', () => {
    const denied = answer([documented], [of({ key: 'k' }, { hitsAddend: 301 })], [0, 0]);
    expect(JSON.parse(denied.body as string)).toEqual({
      error: {
        code: 'RATE_LIMITED',
        message: 'Rate limit exceeded.',
        status: 429,
        details: { retry_after_seconds: 12, reason: 'cost_exceeds_limit' },
      },
    });
  });

  test('are absent where no limit applies', () => {
    expect(answer([documented], [of({ other: 'k' })], [])).toEqual({
      headers: [],
      body: undefined,
      retryAfterSeconds: undefined,
    });
  });

  test('are absent where only a limit in shadow mode applies, though it is exceeded', () => {
    const shadow = { ...documented, shadow_mode: true };
    expect(answer([shadow], [K], [300, 10_000])).toMatchObject({ headers: [], body: undefined });
  });

  test('say nothing of a limit in shadow mode beside one that is enforced', () => {
    const shadow = { key: 's', shadow_mode: true, limits: [per(1, 'hour')] };
    const { headers } = answer([documented, shadow], [of({ s: 'k' }), K], [1, 0, 0]);
    expect(headers[0]).toEqual(['RateLimit-Policy', '300;w=60, 10000;w=86400']);
    expect(Object.fromEntries(headers)).toMatchObject({ 'RateLimit-Limit': '300', 'RateLimit-Remaining': '299' });
  });

  test('tell an overridden window alone', () => {
    const ask = of({ key: 'k' }, { override: { requestsPerUnit: 7, unit: 'hour' } });
    const { headers } = answer([documented], [ask], [2]);
    expect(headers[0]).toEqual(['RateLimit-Policy', '7;w=3600']);
    expect(Object.fromEntries(headers)).toMatchObject({ 'RateLimit-Limit': '7', 'RateLimit-Remaining': '4' });
  });
});

describe('RateLimit-Policy', () => {
  interface Row {
    readonly title: string;
    readonly limits: readonly (readonly ReturnType<typeof per>[])[];
    readonly policy: string;
  }
  const cases: readonly Row[] = [
    {
      title: 'lists windows shortest first',
      limits: [[per(10_000, 'day'), per(300, 'minute')]],
      policy: '300;w=60, 10000;w=86400',
    },
    { title: 'tells a duration in seconds', limits: [[per(5, '90s'), per(70, '12h')]], policy: '5;w=90, 70;w=43200' },
    {
      title: 'leaves out a minute that never binds before the day of the same number',
      limits: [[per(10_000, 'minute'), per(10_000, 'day')]],
      policy: '10000;w=86400',
    },
    {
      title: 'leaves out a minute that never binds before a smaller day',
      limits: [[per(500, 'minute'), per(300, 'day')]],
      policy: '300;w=86400',
    },
    {
      title: 'leaves out each window that cannot bind',
      limits: [[per(5, 'second'), per(4, 'minute'), per(9, 'hour'), per(9, 'day')]],
      policy: '4;w=60, 9;w=86400',
    },
    {
      title: 'leaves out a window that only a later one undercuts',
      limits: [[per(50, 'second'), per(90, 'minute'), per(20, 'hour')]],
      policy: '20;w=3600',
    },
    {
      title: 'keeps a window that reaches beyond the longer one, and so can bind when that has just begun',
      limits: [[per(120, 'week'), per(100, 'month')]],
      policy: '120;w=604800, 100;w=2592000',
    },
    { title: 'tells a limit of 0', limits: [[per(0, 'minute')]], policy: '0;w=60' },
    {
      title: 'lists the windows of all descriptors',
      limits: [[per(300, 'minute')], [per(5, 'second'), per(900, 'hour')]],
      policy: '5;w=1, 300;w=60, 900;w=3600',
    },
    {
      title: 'lists a number once though two descriptors have it: the longer window',
      limits: [[per(300, 'minute')], [per(300, 'hour')]],
      policy: '300;w=3600',
    },
    {
      title: 'lists that number once whichever comes first',
      limits: [[per(300, 'hour')], [per(300, 'minute')]],
      policy: '300;w=3600',
    },
    {
      title: 'lists equal windows of two descriptors once',
      limits: [[per(300, 'minute')], [per(300, 'minute')]],
      policy: '300;w=60',
    },
    {
      title: 'keeps windows of one length with two numbers',
      limits: [[per(300, 'minute')], [per(60, 'minute')]],
      policy: '60;w=60, 300;w=60',
    },
  ];
  test.each(cases)('$title', ({ limits, policy }) => {
    const descriptors = limits.map((windows, index) => ({ key: `k${index}`, limits: windows }));
    const { headers } = answer(
      descriptors,
      descriptors.map(({ key }) => of({ [key]: 'v' })),
      limits.flat().map(() => 0),
    );
    expect(headers[0]).toEqual(['RateLimit-Policy', policy]);
  });

  test('never has one number twice, and always that of RateLimit-Limit where windows nest', () => {
    // Each of these lengths divides the next: then a longer window always holds the count of a shorter one.
    const lengths = ['second', 'minute', 'hour', 'day', 'week'];
    const limit = fc
      .subarray(lengths, { minLength: 1 })
      .chain((chosen) =>
        fc
          .array(fc.integer({ min: 0, max: 5 }), { minLength: chosen.length, maxLength: chosen.length })
          .map((maxes) => chosen.map((length, index) => per(maxes[index] as number, length))),
      );
    const limits = fc.array(limit, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(limits, fc.array(fc.nat(6), { minLength: 15, maxLength: 15 }), (each, used) => {
        const descriptors = each.map((windows, index) => ({ key: `k${index}`, limits: windows }));
        const counts = each.flatMap((windows) =>
          windows.map((_, index) => used.slice(0, index + 1).reduce((a, b) => a + b)),
        );
        const asks = descriptors.map(({ key }) => of({ [key]: 'v' }));
        const fields = Object.fromEntries(answer(descriptors, asks, counts).headers);
        const numbers = (fields['RateLimit-Policy'] as string).split(', ').map((text) => text.split(';')[0]);
        expect(new Set(numbers).size).toBe(numbers.length);
        expect(numbers).toContain(fields['RateLimit-Limit']);
      }),
      { numRuns: 500 },
    );
  });

  test('of windows that bind keeps exactly those below every longer one', () => {
    const windows = [windowOf(5, 'second'), windowOf(4, 'minute'), windowOf(9, 'hour'), windowOf(9, 'day')];
    expect(bindingWindows(windows)).toEqual([windows[1], windows[3]]);
    expect(bindingWindows([])).toEqual([]);
  });
});

test('RateLimit-Policy tells the numbers that decided, whichever were told before', () => {
  const policy = policyOf([documented]);
  const planned = plan(policy, [K]);
  const { nowSeconds, found } = taken(planned, [1, 1]);
  const policyField = (windows: readonly Window[]): string | undefined => {
    const decision = settle(planned, { nowSeconds, found: found.map((each) => ({ ...each, windows })) });
    return answerOf(decision, policy.headerStyle).headers[0]?.[1];
  };
  const ownNumbers = (max: number): Window[] => [windowOf(max, 'minute'), windowOf(10_000, 'day')];
  const theirs = planned.hits[0]?.windows as readonly Window[];
  const [first, second] = [ownNumbers(7), ownNumbers(8)];
  expect([theirs, first, second, first, theirs].map(policyField)).toEqual([
    '300;w=60, 10000;w=86400',
    '7;w=60, 10000;w=86400',
    '8;w=60, 10000;w=86400',
    '7;w=60, 10000;w=86400',
    '300;w=60, 10000;w=86400',
  ]);
});

describe('the sample governor of the documentation', () => {
  test('reads every header with int() and never sleeps 0 seconds', () => {
    const windows = fc.integer({ min: 1, max: 4_294_967_295 });
    fc.assert(
      fc.property(windows, windows, fc.nat(), fc.nat(), (minute, day, usedMinute, usedDay) => {
        const limits = [per(minute, 'minute'), per(day, 'day')];
        const { headers } = answer([{ key: 'key', limits }], [K], [usedMinute, usedDay]);
        const fields = Object.fromEntries(headers);
        for (const [name, value] of headers) {
          if (/Limit-(Limit|Remaining|Reset)$/.test(name)) expect(value).toMatch(/^\d+$/);
        }
        expect(new Set(headers.map(([name]) => name.toLowerCase())).size).toBe(headers.length);
        expect(Number(fields['RateLimit-Reset'])).toBeGreaterThanOrEqual(1);
        expect(NOW + Number(fields['RateLimit-Reset'])).toBe(Number(fields['X-RateLimit-Reset']));
        expect(fields['X-RateLimit-Limit']).toBe(fields['RateLimit-Limit']);
        expect(fields['X-RateLimit-Remaining']).toBe(fields['RateLimit-Remaining']);
        expect(fields['Retry-After'] ?? fields['RateLimit-Reset']).toBe(fields['RateLimit-Reset']);
      }),
    );
  });
});

describe.each<HeaderStyle>(['off', 'reference'])('the style %s', (headers) => {
  test('tells nothing of an allowed request', () => {
    expect(answer([documented], [K], [0, 0], { headers })).toEqual({
      headers: [],
      body: undefined,
      retryAfterSeconds: undefined,
    });
  });

  test('sends no header with a denial either, and still knows when to come back', () => {
    expect(answer([documented], [K], [300, 0], { headers })).toMatchObject({ headers: [], retryAfterSeconds: 12 });
  });
});

test('every error of the documented API has one envelope', () => {
  expect(errorBody('NOT_FOUND', 'No such key.', 404, { id: 'k' })).toBe(
    '{"error":{"code":"NOT_FOUND","message":"No such key.","status":404,"details":{"id":"k"}}}',
  );
});
