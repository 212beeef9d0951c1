/** draft-ietf-httpapi-ratelimit-headers-10, read back by a strict parser of RFC 9651. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { settle } from '../../src/core/decision.ts';
import type { DescriptorDefinition } from '../../src/core/definition.ts';
import { type Answer, answerOf, sfString } from '../../src/core/headers.ts';
import { DAY_END, NOW, of, plan, policyOf, taken } from './build.ts';
import { parseList } from './structured-field.ts';

function answer(
  descriptors: readonly DescriptorDefinition[],
  keys: readonly string[],
  used: readonly number[],
): Answer {
  const policy = policyOf(descriptors, { headers: 'ietf' });
  const planned = plan(
    policy,
    keys.map((key) => of({ [key]: 'v' })),
  );
  return answerOf(settle(planned, taken(planned, used)), policy.headerStyle);
}

const minuteAndDay: DescriptorDefinition = {
  key: 'key',
  limits: [
    { requests: 300, per: 'minute' },
    { requests: 10_000, per: 'day' },
  ],
};

describe('the style of the current draft', () => {
  test('tells every window twice: as a policy and as what is left of it', () => {
    expect(answer([minuteAndDay], ['key'], [49, 9_991])).toEqual({
      headers: [
        ['RateLimit-Policy', '"minute";q=300;w=60, "day";q=10000;w=86400'],
        ['RateLimit', `"minute";r=250;t=12, "day";r=8;t=${DAY_END - NOW}`],
      ],
      body: undefined,
      retryAfterSeconds: undefined,
    });
  });

  test('calls a limit by its unit if its name is nothing that a field can carry', () => {
    for (const name of ['x\r\nEvil: y', 'Größe', 'n'.repeat(65)]) {
      const rule: DescriptorDefinition = { key: 'key', rate_limit: { unit: 'minute', requests_per_unit: 5, name } };
      expect(answer([rule], ['key'], [1]).headers[0]).toEqual(['RateLimit-Policy', '"minute";q=5;w=60']);
    }
  });

  test('of a denial adds Retry-After and a problem that names the violated policies', () => {
    const denied = answer([minuteAndDay], ['key'], [300, 700]);
    expect(denied.headers).toEqual([
      ['RateLimit-Policy', '"minute";q=300;w=60, "day";q=10000;w=86400'],
      ['RateLimit', `"minute";r=0;t=12, "day";r=9300;t=${DAY_END - NOW}`],
      ['Retry-After', '12'],
      ['content-type', 'application/problem+json'],
      ['cache-control', 'no-store'],
    ]);
    expect(denied.retryAfterSeconds).toBe(12);
    expect(JSON.parse(denied.body as string)).toEqual({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Request cannot be satisfied as assigned quota has been exceeded',
      status: 429,
      'violated-policies': ['minute'],
    });
  });

  test('of a double exhaustion names both policies, and the time that satisfies both', () => {
    const denied = answer([minuteAndDay], ['key'], [300, 10_000]);
    expect(JSON.parse(denied.body as string)).toMatchObject({ 'violated-policies': ['minute', 'day'] });
    expect(Object.fromEntries(denied.headers)).toMatchObject({ 'Retry-After': String(DAY_END - NOW) });
  });

  test('says nothing of a limit in shadow mode, nor names it among the violated', () => {
    const shadow = { key: 's', shadow_mode: true, limits: [{ requests: 1, per: 'hour' }] };
    const denied = answer([shadow, minuteAndDay], ['s', 'key'], [1, 300, 0]);
    expect(JSON.stringify(denied)).not.toContain('hour');
  });

  test('is silent where no limit applies', () => {
    expect(answer([minuteAndDay], ['other'], []).headers).toEqual([]);
  });

  test('names a rate_limit without a name by its unit: the name is what ties the two fields together', () => {
    const { headers } = answer([{ key: 'r', rate_limit: { unit: 'hour', requests_per_unit: 5 } }], ['r'], [0]);
    expect(headers[0]).toEqual(['RateLimit-Policy', '"hour";q=5;w=3600']);
  });
});

describe('names of any kind', () => {
  const printable = fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code));
  const character = fc.oneof(
    { weight: 3, arbitrary: printable },
    { weight: 1, arbitrary: fc.constantFrom('"', '\\', ',', ';', '=') },
  );
  const name = fc.array(character, { minLength: 1, maxLength: 64 }).map((characters) => characters.join(''));

  test('are written as strings that a strict parser reads back', () => {
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 5 }), (names) => {
        expect(parseList(names.map(sfString).join(', '))).toEqual(names.map((value) => ({ value, parameters: {} })));
      }),
      { numRuns: 1_000 },
    );
  });

  test('leave both fields well-formed, and the numbers beside them intact', () => {
    const numbers = fc.integer({ min: 0, max: 4_294_967_295 });
    fc.assert(
      fc.property(name, name, numbers, numbers, (minuteName, dayName, minute, day) => {
        const limits = [
          { requests: minute, per: 'minute', name: minuteName },
          { requests: day, per: 'day', name: dayName },
        ];
        const { headers, body } = answer([{ key: 'key', limits }], ['key'], [0, minute]);
        const fields = Object.fromEntries(headers);
        expect(parseList(fields['RateLimit-Policy'] as string)).toEqual([
          { value: minuteName, parameters: { q: minute, w: 60 } },
          { value: dayName, parameters: { q: day, w: 86_400 } },
        ]);
        expect(parseList(fields.RateLimit as string)).toMatchObject([
          { value: minuteName, parameters: { t: 12 } },
          { value: dayName, parameters: { t: DAY_END - NOW } },
        ]);
        if (body !== undefined) {
          expect([minuteName, dayName]).toEqual(
            expect.arrayContaining((JSON.parse(body) as { 'violated-policies': string[] })['violated-policies']),
          );
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('the parser that these tests trust', () => {
  test.each([
    { text: '"a";q=1;w=60', items: [{ value: 'a', parameters: { q: 1, w: 60 } }] },
    {
      text: '"a\\"b\\\\", tok;x',
      items: [
        { value: 'a"b\\', parameters: {} },
        { value: { token: 'tok' }, parameters: { x: true } },
      ],
    },
    {
      text: '  -5;a=?0\t,\t7',
      items: [
        { value: -5, parameters: { a: false } },
        { value: 7, parameters: {} },
      ],
    },
    { text: '', items: [] },
  ])('reads $text', ({ text, items }) => {
    expect(parseList(text)).toEqual(items);
  });

  test.each([
    '"a',
    '"a\\b"',
    '"grün"',
    '"a\n"',
    '"a" "b"',
    '"a",',
    '"a";Q=1',
    '"a";q=',
    '"a";q=1.5',
    '1234567890123456',
    '"a";q=1;q=2',
    ',',
    'a;;',
  ])('refuses %j', (text) => {
    expect(() => parseList(text)).toThrow();
  });
});
