import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  checkRequest,
  DESCRIPTORS_MAX,
  ENTRIES_MAX,
  type LimitRequest,
  TEXT_BYTES_MAX,
} from '../../src/core/descriptor.ts';
import { InvalidRequest } from '../../src/core/errors.ts';
import { REQUESTS_MAX } from '../../src/core/limit.ts';
import { COST_MAX } from '../../src/core/window.ts';
import { of, request, thrownBy } from './build.ts';

const good = of({ a: '1' });
const entries = (count: number) => Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value: '' }));
// Three bytes of UTF-8 each: the most that one UTF-16 unit can take.
const euros = (bytes: number) => '€'.repeat(bytes / 3);
const LONE = '\ud800';

interface Row {
  readonly title: string;
  readonly asked: LimitRequest;
  readonly field: string;
  readonly message: string;
}

const refused: readonly Row[] = [
  {
    title: 'an empty domain',
    asked: request([good], { domain: '' }),
    field: 'domain',
    message: 'rate limit domain must not be empty',
  },
  {
    title: 'no descriptors',
    asked: request([]),
    field: 'descriptors',
    message: 'rate limit descriptor list must not be empty',
  },
  {
    title: 'an empty domain before an empty list, as envoyproxy/ratelimit does',
    asked: request([], { domain: '' }),
    field: 'domain',
    message: 'rate limit domain must not be empty',
  },
  {
    title: 'too many descriptors',
    asked: request(Array.from({ length: DESCRIPTORS_MAX + 1 }, () => good)),
    field: 'descriptors',
    message: 'descriptors: at most 4096, got 4097',
  },
  {
    title: 'too many entries',
    asked: request([good, { entries: entries(ENTRIES_MAX + 1), isNegativeHits: false }]),
    field: 'descriptors[1].entries',
    message: 'descriptors[1].entries: at most 64, got 65',
  },
  {
    title: 'a domain that is too long',
    asked: request([good], { domain: 'd'.repeat(TEXT_BYTES_MAX + 1) }),
    field: 'domain',
    message: 'domain: at most 8192 bytes, got 8193',
  },
  {
    title: 'a key that is too long',
    asked: request([of({ ['k'.repeat(TEXT_BYTES_MAX + 1)]: '' })]),
    field: 'descriptors[0].entries[0].key',
    message: 'descriptors[0].entries[0].key: at most 8192 bytes, got 8193',
  },
  {
    title: 'a value that is too long',
    asked: request([of({ a: 'v'.repeat(20_000) })]),
    field: 'descriptors[0].entries[0].value',
    message: 'descriptors[0].entries[0].value: at most 8192 bytes, got 20000',
  },
  {
    title: 'a value whose bytes, not characters, are too many',
    asked: request([of({ a: euros(8_193) })]),
    field: 'descriptors[0].entries[0].value',
    message: 'descriptors[0].entries[0].value: at most 8192 bytes, got 8193',
  },
  {
    title: 'a value of four-byte characters that is too long',
    asked: request([of({ a: '𝕏'.repeat(2_049) })]),
    field: 'descriptors[0].entries[0].value',
    message: 'descriptors[0].entries[0].value: at most 8192 bytes, got 8196',
  },
  {
    title: 'a lone surrogate in the domain',
    asked: request([good], { domain: LONE }),
    field: 'domain',
    message: 'domain is not well-formed Unicode',
  },
  {
    title: 'a lone surrogate in a key',
    asked: request([of({ [`a${LONE}`]: '1' })]),
    field: 'descriptors[0].entries[0].key',
    message: 'descriptors[0].entries[0].key is not well-formed Unicode',
  },
  {
    title: 'a lone surrogate in a value',
    asked: request([of({ a: LONE })]),
    field: 'descriptors[0].entries[0].value',
    message: 'descriptors[0].entries[0].value is not well-formed Unicode',
  },
  {
    title: 'a lone surrogate in a value near the bound',
    asked: request([of({ a: 'v'.repeat(8_000) + LONE })]),
    field: 'descriptors[0].entries[0].value',
    message: 'descriptors[0].entries[0].value is not well-formed Unicode',
  },
  ...[-1, 0.5, COST_MAX + 1, 2 ** 63, Number.NaN, Number.POSITIVE_INFINITY].flatMap((cost) => [
    {
      title: `the cost ${cost}`,
      asked: request([good], { hitsAddend: cost }),
      field: 'hits_addend',
      message: 'hits_addend must be an integer from 0 to 9007199254740991',
    },
    {
      title: `the cost ${cost} of one descriptor`,
      asked: request([good, of({ a: '1' }, { hitsAddend: cost })]),
      field: 'descriptors[1].hits_addend',
      message: 'descriptors[1].hits_addend must be an integer from 0 to 9007199254740991',
    },
  ]),
  ...[-1, 0.5, REQUESTS_MAX + 1, Number.NaN].map((requestsPerUnit) => ({
    title: `an override of ${requestsPerUnit} requests`,
    asked: request([good, of({ a: '1' }, { override: { requestsPerUnit, unit: 'hour' } })]),
    field: 'descriptors[1].limit.requests_per_unit',
    message: 'descriptors[1].limit.requests_per_unit must be an integer from 0 to 4294967295',
  })),
];

describe('a request that no policy could decide is refused by field and message', () => {
  test.each(refused)('$title', ({ asked, field, message }) => {
    const error = thrownBy(() => checkRequest(asked));
    expect(error).toBeInstanceOf(InvalidRequest);
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', field, message });
  });
});

describe('a request at the bounds is taken', () => {
  test.each<{ title: string; asked: LimitRequest }>([
    { title: 'as many descriptors', asked: request(Array.from({ length: DESCRIPTORS_MAX }, () => good)) },
    { title: 'as many entries', asked: request([{ entries: entries(ENTRIES_MAX), isNegativeHits: false }]) },
    { title: 'no entries', asked: request([of({})]) },
    { title: 'an empty value', asked: request([of({ a: '' })]) },
    { title: 'any bytes in a value', asked: request([of({ a: '\0\r\n\u007f\u0080\ufffd\uffff' })]) },
    { title: 'as long a domain', asked: request([good], { domain: 'd'.repeat(TEXT_BYTES_MAX) }) },
    { title: 'as long a value', asked: request([of({ a: 'v'.repeat(TEXT_BYTES_MAX) })]) },
    { title: 'as many bytes', asked: request([of({ a: `${euros(8_190)}vv` })]) },
    { title: 'as many bytes in pairs', asked: request([of({ a: '𝕏'.repeat(2_048) })]) },
    { title: 'no cost', asked: request([of({ a: '1' }, { hitsAddend: 0 })]) },
    { title: 'the largest cost', asked: request([of({ a: '1' }, { hitsAddend: COST_MAX })], { hitsAddend: COST_MAX }) },
    { title: 'an override of 0', asked: request([of({ a: '1' }, { override: { requestsPerUnit: 0, unit: 'day' } })]) },
    {
      title: 'the largest override',
      asked: request([of({ a: '1' }, { override: { requestsPerUnit: REQUESTS_MAX, unit: 'day' } })]),
    },
  ])('$title', ({ asked }) => {
    expect(() => checkRequest(asked)).not.toThrow();
  });
});

test('a cost passes exactly if it is an integer from 0 to 2^53 - 1', () => {
  const near = fc.integer({ min: -4, max: 4 });
  const cost = fc.oneof(
    fc.double(),
    near,
    near.map((off) => 2 ** 53 + 2 * off),
    near.map((off) => COST_MAX + off),
    near.map((off) => 2 ** 63 + off * 2_048),
    fc.integer({ min: 0, max: COST_MAX }),
  );
  fc.assert(
    fc.property(cost, (hitsAddend) => {
      const passes = Number.isSafeInteger(hitsAddend) && hitsAddend >= 0;
      const check = () => checkRequest(request([of({ a: '1' }, { hitsAddend })]));
      if (passes) expect(check).not.toThrow();
      else expect(check).toThrow(InvalidRequest);
    }),
    { numRuns: 1_000 },
  );
});

test('the length of a text is counted in bytes of UTF-8', () => {
  // Long enough that the cheap test does not settle it, on both sides of the bound.
  const value = fc
    .tuple(fc.constantFrom('a', 'é', '€', '𝕏'), fc.integer({ min: 2_000, max: 8_300 }), fc.string({ unit: 'grapheme' }))
    .map(([character, times, rest]) => character.repeat(times) + rest);
  fc.assert(
    fc.property(value, (text) => {
      const check = () => checkRequest(request([of({ a: text })]));
      if (Buffer.byteLength(text) <= TEXT_BYTES_MAX) expect(check).not.toThrow();
      else expect(check).toThrow(`at most 8192 bytes, got ${Buffer.byteLength(text)}`);
    }),
  );
});
