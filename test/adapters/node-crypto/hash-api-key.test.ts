import { describe, expect, test } from '@jest/globals';
import { keyHasher } from '../../../src/adapters/node-crypto/hash-api-key.ts';

const KEY = 'csk_0123456789';
const hashWith = (secret: string | undefined) => keyHasher({ secret, previousSecret: undefined }).hash;

describe('an API key', () => {
  test('is known by its SHA-256 without a secret', () => {
    // FIPS 180-4's own example, so that nothing here depends on the code under test.
    expect(hashWith(undefined)('abc')).toBe(
      Buffer.from('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', 'hex').toString('base64url'),
    );
  });

  test('is known by its HMAC-SHA-256 with one', () => {
    // RFC 4231 §4.3, test case 2.
    expect(hashWith('Jefe')('what do ya want for nothing?')).toBe(
      Buffer.from('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', 'hex').toString('base64url'),
    );
  });

  test.each([{ secret: undefined }, { secret: 'pepper' }])(
    'is 43 characters of base64url, whatever it is: $secret',
    ({ secret }) => {
      for (const key of ['', KEY, 'ключ', 'x'.repeat(8_192), '\0']) {
        expect(hashWith(secret)(key)).toMatch(/^[\w-]{43}$/);
      }
    },
  );

  test('is hashed alike on all replicas with one secret, and otherwise with every other', () => {
    const hashes = [undefined, 'a', 'b'].map((secret) => hashWith(secret)(KEY));
    expect(new Set(hashes).size).toBe(3);
    expect(hashWith('a')(KEY)).toBe(hashes[1]);
  });

  test('is told from one that differs in case, or in one character', () => {
    const hash = hashWith(undefined);
    expect(new Set([KEY, KEY.toUpperCase(), `${KEY} `, KEY.slice(1)].map(hash)).size).toBe(4);
  });
});
