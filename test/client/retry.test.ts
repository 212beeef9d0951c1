/** What is sent again, and when: the rules as rows. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { factsOf, type GovernedInit, type GovernedInput, originAndKey, repeatOf } from '../../src/client/request.ts';
import { askedMillis, backoffMillis, isRetried } from '../../src/client/retry.ts';

const URL_TEXT = 'https://api.example/things';
const stream = (): ReadableStream => new ReadableStream();
async function* chunks(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array();
}

describe('whether a request may be sent again', () => {
  test.each<[title: string, input: GovernedInput, init: GovernedInit, repeat: string]>([
    ['GET', URL_TEXT, {}, 'always'],
    ['GET of a URL', new URL(URL_TEXT), {}, 'always'],
    ['GET of a Request', new Request(URL_TEXT), {}, 'always'],
    ['HEAD', URL_TEXT, { method: 'HEAD' }, 'always'],
    ['OPTIONS', URL_TEXT, { method: 'OPTIONS' }, 'always'],
    ['get', URL_TEXT, { method: 'get' }, 'always'],
    ['GET that is to be sent once', URL_TEXT, { retry: false }, 'never'],
    ['POST', URL_TEXT, { method: 'POST' }, 'unprocessed'],
    ['PUT', URL_TEXT, { method: 'PUT' }, 'unprocessed'],
    ['DELETE', URL_TEXT, { method: 'DELETE' }, 'unprocessed'],
    ['POST that is marked', URL_TEXT, { method: 'POST', retry: true }, 'always'],
    ['POST with an Idempotency-Key', URL_TEXT, { method: 'POST', headers: { 'idempotency-key': 'a' } }, 'always'],
    [
      'a Request with an Idempotency-Key',
      new Request(URL_TEXT, { method: 'POST', headers: { 'idempotency-key': 'a' } }),
      {},
      'always',
    ],
    ['POST of text', URL_TEXT, { method: 'POST', body: 'a' }, 'unprocessed'],
    ['POST of bytes', URL_TEXT, { method: 'POST', body: new Uint8Array(3) }, 'unprocessed'],
    ['POST of a buffer', URL_TEXT, { method: 'POST', body: new ArrayBuffer(3) }, 'unprocessed'],
    ['POST of a form', URL_TEXT, { method: 'POST', body: new FormData() }, 'unprocessed'],
    ['POST of parameters', URL_TEXT, { method: 'POST', body: new URLSearchParams('a=b') }, 'unprocessed'],
    ['POST of a blob', URL_TEXT, { method: 'POST', body: new Blob(['a']), retry: true }, 'always'],
    ['a stream', URL_TEXT, { method: 'POST', body: stream() }, 'never'],
    ['a stream that is marked', URL_TEXT, { method: 'POST', body: stream(), retry: true }, 'never'],
    ['chunks', URL_TEXT, { method: 'POST', body: chunks() as never }, 'never'],
    ['a Request with a body', new Request(URL_TEXT, { method: 'POST', body: 'a' }), {}, 'never'],
    ['a Request whose body is replaced', new Request(URL_TEXT, { method: 'POST' }), { body: 'a' }, 'unprocessed'],
    ['an address that is none', 'nowhere', {}, 'never'],
  ])('%s', (_title, input, init, repeat) => {
    expect(repeatOf(input, init, factsOf(input, init))).toBe(repeat);
  });
});

describe('whether a call is made again', () => {
  // What happened, and for whom it is a reason: `always`, or those besides of which the API says it did nothing.
  test.each<[status: number | 'network', always: boolean, unprocessed: boolean]>([
    ['network', true, false],
    [429, true, true],
    [502, true, false],
    [503, true, false],
    [504, true, false],
    [200, false, false],
    [304, false, false],
    [400, false, false],
    [401, false, false],
    [404, false, false],
    [408, false, false],
    [500, false, false],
    [501, false, false],
  ])('%s', (status, always, unprocessed) => {
    const response = status === 'network' ? undefined : new Response(null, { status });
    expect(isRetried('always', response)).toBe(always);
    expect(isRetried('unprocessed', response)).toBe(unprocessed);
    expect(isRetried('never', response)).toBe(false);
  });
});

describe('how long it waits before', () => {
  test.each<[status: number, retryAfter: string | undefined, millis: number]>([
    [429, '12', 12_000],
    [503, '12', 12_000],
    [502, '12', 0],
    [504, '12', 0],
    [429, undefined, 0],
    [429, 'soon', 0],
  ])('status %s with Retry-After %s asks for %s ms', (status, retryAfter, millis) => {
    const headers = retryAfter === undefined ? {} : { 'Retry-After': retryAfter };
    expect(askedMillis(new Response(null, { status, headers }), 0)).toBe(millis);
  });

  const backoff = { baseMillis: 500, maxMillis: 30_000 };

  test.each<[attempt: number, longest: number]>([
    [1, 500],
    [2, 1_000],
    [3, 2_000],
    [6, 16_000],
    [7, 30_000],
    [2_000, 30_000],
  ])('after attempt %s: anything up to %s ms', (attempt, longest) => {
    expect(backoffMillis(backoff, attempt, 0)).toBe(0);
    expect(backoffMillis(backoff, attempt, 0.5)).toBe(longest / 2);
    expect(backoffMillis(backoff, attempt, 1 - Number.EPSILON)).toBeLessThanOrEqual(longest);
  });

  test('the whole range is used, and never left', () => {
    const dice = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), dice, (attempt, random) => {
        const millis = backoffMillis(backoff, attempt, random);
        expect(millis).toBeGreaterThanOrEqual(0);
        expect(millis).toBeLessThanOrEqual(Math.min(30_000, 500 * 2 ** (attempt - 1)));
      }),
    );
  });
});

describe('whose limit a request counts against', () => {
  test.each<[title: string, input: GovernedInput, init: GovernedInit, key: string]>([
    ["nobody's", URL_TEXT, {}, 'https://api.example '],
    ["an API key's", URL_TEXT, { headers: { 'x-api-key': 'a' } }, 'https://api.example a'],
    ["a token's", URL_TEXT, { headers: { authorization: 'Bearer b' } }, 'https://api.example Bearer b'],
    [
      "the API key's, of both",
      URL_TEXT,
      { headers: { authorization: 'b', 'x-api-key': 'a' } },
      'https://api.example a',
    ],
    ["a Request's", new Request(URL_TEXT, { headers: { 'x-api-key': 'a' } }), {}, 'https://api.example a'],
    ['of another port', 'https://api.example:8443/', {}, 'https://api.example:8443 '],
  ])('%s', (_title, input, init, key) => {
    expect(originAndKey(factsOf(input, init))).toBe(key);
  });
});
