import { crc32 } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { KEY_ID, newKey, parseKey, rotatedKey } from '../../src/core/api-key.ts';

const bytes = (seed: number) => (count: number) =>
  Uint8Array.from({ length: count }, (_, at) => (seed * 31 + at * 7) % 256);
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

describe('a new key', () => {
  test.each([
    { type: 'secret', form: /^csk_[0-9A-Za-z]{38}$/ },
    { type: 'publishable', form: /^cpk_[0-9A-Za-z]{38}$/ },
  ] as const)('of type $type is its prefix, 32 random characters and 6 of checksum', ({ type, form }) => {
    const { id, key } = newKey(type, bytes(1));
    expect(key).toMatch(form);
    expect(parseKey(key)).toEqual({ type, id });
    expect(id).toBe(`key_${key.slice(4, 16)}`);
    expect(id).toMatch(KEY_ID);
  });

  test('ends with the CRC-32 of the rest in base62', () => {
    // 0x8993F76D is the CRC-32 of "csk_" and 32 zeros, by zlib; 2308175725 in base62 is 2WCrwj.
    const { key } = newKey('secret', (count) => new Uint8Array(count));
    expect(key).toBe(`csk_${'0'.repeat(32)}2WCrwj`);
  });

  test('takes every character equally often from bytes that are equally frequent', () => {
    let next = 0;
    const every = (count: number) => Uint8Array.from({ length: count }, () => next++ % 256);
    const counts = new Map<string, number>();
    for (let made = 0; made < 31; made++) {
      for (const character of newKey('secret', every).key.slice(4, 36)) {
        counts.set(character, (counts.get(character) ?? 0) + 1);
      }
    }
    expect([...counts.keys()].sort().join('')).toBe([...BASE62].sort().join(''));
    expect(new Set(counts.values())).toEqual(new Set([16]));
  });
});

describe('a rotated key', () => {
  test('keeps type and id, and changes everything else', () => {
    const old = newKey('publishable', bytes(1));
    const key = rotatedKey('publishable', old.id, bytes(2));
    expect(parseKey(key)).toEqual({ type: 'publishable', id: old.id });
    expect(key.slice(16)).not.toBe(old.key.slice(16));
  });
});

describe('a mistyped key is told from a key', () => {
  const { key } = newKey('secret', bytes(3));
  const character = fc.constantFrom(...BASE62);

  test('when any one character is another', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: key.length - 1 }), character, (at, other) => {
        const typed = key.slice(0, at) + other + key.slice(at + 1);
        expect(parseKey(typed) === undefined).toBe(typed !== key);
      }),
    );
  });

  test('when two neighbours are exchanged', () => {
    for (let at = 4; at < key.length - 1; at++) {
      const typed = key.slice(0, at) + key[at + 1] + key[at] + key.slice(at + 2);
      expect(parseKey(typed) === undefined).toBe(typed !== key);
    }
  });

  test.each([
    { title: 'one character short', typed: key.slice(0, -1) },
    { title: 'one character long', typed: `${key}0` },
    { title: 'with a space behind', typed: `${key} ` },
    { title: 'with a line end behind', typed: `${key.slice(0, -1)}\n` },
    { title: 'in the other case', typed: key.toUpperCase() },
    { title: 'of the other type', typed: key.replace('csk_', 'cpk_') },
    { title: 'of no type', typed: key.replace('csk_', 'cxk_') },
    { title: 'empty', typed: '' },
    { title: 'with another alphabet', typed: key.replace(/.$/, 'é') },
  ])('when it is $title', ({ typed }) => {
    expect(parseKey(typed)).toBeUndefined();
  });
});

describe('what is a key', () => {
  const FORM = /^c([sp])k_([0-9A-Za-z]{12})[0-9A-Za-z]{20}([0-9A-Za-z]{6})$/;

  /** The same, in as many looks at the text as it has conditions. */
  function plainlyParsed(text: string): ReturnType<typeof parseKey> {
    const form = FORM.exec(text);
    if (form === null) return undefined;
    let digits = '';
    for (let rest = crc32(text.slice(0, 36)); digits.length < 6; rest = Math.floor(rest / 62)) {
      digits = BASE62.charAt(rest % 62) + digits;
    }
    if (digits !== form[3]) return undefined;
    return { type: form[1] === 's' ? 'secret' : 'publishable', id: `key_${form[2]}` };
  }

  const key = fc
    .tuple(fc.constantFrom('secret' as const, 'publishable' as const), fc.nat(255))
    .map(([type, seed]) => newKey(type, (count) => bytes(seed)(count).map((byte) => byte % 62)).key);
  const unit = fc.constantFrom(...BASE62, '_', '-', ' ', '\n', '\0', '\u007f', 'é', 'ā', '\ud800');
  const changed = fc
    .tuple(key, fc.nat(41), unit)
    .map(([text, at, other]) => text.slice(0, at) + other + text.slice(at + 1));
  const foreign = fc
    .tuple(fc.constantFrom('csk_', 'cpk_', 'cxk_'), fc.string({ unit, minLength: 38, maxLength: 38 }))
    .map(([prefix, rest]) => prefix + rest);

  test('is what a regular expression and another CRC-32 say', () => {
    let keys = 0;
    const check = (text: string): void => {
      const plainly = plainlyParsed(text);
      if (plainly !== undefined) keys += 1;
      expect(parseKey(text)).toEqual(plainly);
    };
    fc.assert(fc.property(fc.oneof(key, changed, foreign), check), { seed: 1, numRuns: 2_000 });
    expect(keys).toBeGreaterThan(500);
  });
});
