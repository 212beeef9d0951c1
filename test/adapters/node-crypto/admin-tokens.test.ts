/** What is derived from admin tokens: told apart, sealed for one bearer alone, and never the token itself. */
import { describe, expect, test } from '@jest/globals';
import { adminTokens } from '../../../src/adapters/node-crypto/admin-tokens.ts';
import type { Admin } from '../../../src/ports/admin-tokens.ts';

const tokens = adminTokens(['one-token', 'another-token']);
const one = tokens.adminOf('one-token') as Admin;
const another = tokens.adminOf('another-token') as Admin;

test.each(['', 'one', 'one-token ', 'one-token,another-token', 'One-token'])('%j is no token', (text) => {
  expect(tokens.adminOf(text)).toBeUndefined();
});

test('the fingerprint is that of the token, on every process', () => {
  expect(one.fingerprint).toBe(adminTokens(['x', 'one-token']).adminOf('one-token')?.fingerprint);
  expect(one.fingerprint).toMatch(/^[\w-]{12}$/);
  expect(one.fingerprint).not.toBe(another.fingerprint);
});

describe('a name', () => {
  test.each<[string, string]>([['of the same parts', one.nameOf(['a', 'b'])]])('%s is the same', (_what, name) => {
    expect(name).toBe(one.nameOf(['a', 'b']));
  });

  test.each<[string, string]>([
    ['of another token', another.nameOf(['a', 'b'])],
    ['of other parts', one.nameOf(['a', 'c'])],
    ['of the same text in other parts', one.nameOf(['ab'])],
    ['of parts with a border inside', one.nameOf(['a","b'])],
  ])('%s is another', (_what, name) => {
    expect(name).not.toBe(one.nameOf(['a', 'b']));
  });
});

describe('what was sealed', () => {
  const sealed = one.seal('csk_éinmal', 'context');

  test('is opened by the same token in the same context, on every process', () => {
    expect(adminTokens(['one-token']).adminOf('one-token')?.open(sealed, 'context')).toBe('csk_éinmal');
  });

  test('is sealed differently each time', () => {
    expect(one.seal('csk_éinmal', 'context')).not.toBe(sealed);
  });

  test('does not show its text', () => {
    expect(Buffer.from(sealed, 'base64url').toString('latin1')).not.toContain('csk_');
  });

  test.each<[string, string | undefined]>([
    ['by another token', another.open(sealed, 'context')],
    ['in another context', one.open(sealed, 'other')],
    ['when it is cut short', one.open(sealed.slice(0, -4), 'context')],
    ['when one bit is another', one.open(flipped(sealed), 'context')],
    ['when it is nothing', one.open('', 'context')],
  ])('is not opened %s', (_what, opened) => {
    expect(opened).toBeUndefined();
  });
});

function flipped(sealed: string): string {
  const bytes = Buffer.from(sealed, 'base64url');
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  return bytes.toString('base64url');
}
