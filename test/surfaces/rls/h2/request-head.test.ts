/** Which lists of fields are a request, and which trailers (RFC 9113 §8). */
import { describe, expect, test } from '@jest/globals';
import { RequestHead } from '../../../../src/surfaces/rls/h2/request-head.ts';

type Fields = readonly (readonly [name: string, value: string])[];

const TARGET: Fields = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/a'],
];

function headOf(fields: Fields): RequestHead {
  const head = new RequestHead();
  for (const [name, value] of fields) head.field(name, value);
  return head;
}

describe('a request is well-formed', () => {
  test.each<[what: string, fields: Fields]>([
    ['with its three pseudo-header fields, in any order', [...TARGET].reverse()],
    ['with an authority', [[':authority', 'a'], ...TARGET]],
    ['with te: trailers', [...TARGET, ['te', 'trailers']]],
    ['with a content-length', [...TARGET, ['content-length', '0']]],
    ['with a content-length that is said twice', [...TARGET, ['content-length', '7'], ['content-length', '7']]],
    ['with a name of every kind of character', [...TARGET, ["a0!#$%&'*+-.^_`|~", '\u00ff']]],
    ['with crumbs of a cookie', [...TARGET, ['cookie', 'a=1'], ['cookie', 'b=2']]],
  ])('%s', (_what, fields) => {
    expect(headOf(fields).isWellFormed).toBe(true);
  });
});

describe('a request is malformed', () => {
  const without = (name: string): Fields => TARGET.filter(([each]) => each !== name);
  test.each<[what: string, fields: Fields]>([
    ['without a method', without(':method')],
    ['without a scheme', without(':scheme')],
    ['without a path, so CONNECT too', without(':path')],
    ['with an empty method', [...without(':method'), [':method', '']]],
    ['with an empty scheme', [...without(':scheme'), [':scheme', '']]],
    ['with an empty path', [...without(':path'), [':path', '']]],
    ['with an empty path and another', [[':path', ''], ...TARGET]],
    ['with an empty authority', [...TARGET, [':authority', '']]],
    ['with two methods', [...TARGET, [':method', 'POST']]],
    ['with two schemes', [...TARGET, [':scheme', 'http']]],
    ['with two paths', [...TARGET, [':path', '/a']]],
    ['with two authorities', [...TARGET, [':authority', 'a'], [':authority', 'a']]],
    ['with a pseudo-header field of responses', [...TARGET, [':status', '200']]],
    ['with a pseudo-header field that nobody knows', [...TARGET, [':protocol', 'x']]],
    ['with a pseudo-header field behind others', [...without(':path'), ['x', 'y'], [':path', '/a']]],
    ['with a capital letter', [...TARGET, ['X-a', 'y']]],
    ['with a capital letter in a name that is known', [...TARGET, ['Te', 'trailers']]],
    ['with an empty name', [...TARGET, ['', 'y']]],
    ['with a space in a name', [...TARGET, ['a b', 'y']]],
    ['with a name that is not ASCII', [...TARGET, ['\u00e4', 'y']]],
    ['with te of anything else', [...TARGET, ['te', 'gzip']]],
    ['with connection', [...TARGET, ['connection', 'close']]],
    ['with keep-alive', [...TARGET, ['keep-alive', '1']]],
    ['with proxy-connection', [...TARGET, ['proxy-connection', 'close']]],
    ['with transfer-encoding', [...TARGET, ['transfer-encoding', 'chunked']]],
    ['with upgrade', [...TARGET, ['upgrade', 'h2c']]],
    ['with an empty content-length', [...TARGET, ['content-length', '']]],
    ['with a content-length that is no number', [...TARGET, ['content-length', '-1']]],
    ['with a content-length that no number holds', [...TARGET, ['content-length', '1'.repeat(16)]]],
    ['with two content-lengths', [...TARGET, ['content-length', '7'], ['content-length', '8']]],
  ])('%s', (_what, fields) => {
    expect(headOf(fields).isWellFormed).toBe(false);
  });
});

test.each<[what: string, fields: Fields, isWellFormed: boolean]>([
  ['of fields are well-formed', [['x', 'y']], true],
  ['of nothing are well-formed', [], true],
  ...[...TARGET, [':authority', 'a'], [':path', ''], [':status', '200'], ['X', 'y'], ['upgrade', 'x']].map(
    ([name = '', value = '']): [string, Fields, boolean] => [`with ${name}: ${value} are not`, [[name, value]], false],
  ),
])('trailers %s', (_what, fields, isWellFormed) => {
  expect(headOf(fields).isWellFormedTrailer).toBe(isWellFormed);
});

test('what a request says is at hand', () => {
  const head = headOf([
    ...TARGET,
    [':authority', 'me'],
    ['content-type', 'application/grpc'],
    ['content-length', '12'],
    ['grpc-timeout', '1S'],
    ['grpc-encoding', 'gzip'],
    ['a', 'first'],
    ['a', 'second'],
  ]);
  expect(head).toMatchObject({ method: 'POST', scheme: 'http', path: '/a', authority: 'me', contentLength: 12 });
  expect(head).toMatchObject({ contentType: 'application/grpc', timeoutMillis: 1_000, encoding: 'gzip' });
  expect(head.get('a')).toBe('first');
  expect(head.get('b')).toBeUndefined();
  expect(head.fields.slice(0, 4)).toEqual(['content-type', 'application/grpc', 'content-length', '12']);
});

test('a list is as long as RFC 9113 §6.5.2 counts it, pseudo-header fields included', () => {
  expect(headOf([]).listBytes).toBe(0);
  expect(headOf([[':path', '/a']]).listBytes).toBe(5 + 2 + 32);
  expect(
    headOf([
      [':path', '/a'],
      ['x', ''],
    ]).listBytes,
  ).toBe(5 + 2 + 32 + 1 + 32);
});
