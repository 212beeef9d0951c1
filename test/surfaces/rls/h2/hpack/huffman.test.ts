/** The Huffman code, read as RFC 7541 appendix B lists it. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeHuffman } from '../../../../../src/surfaces/rls/h2/hpack/huffman.ts';
import { bytesOfBits, CODES, huffmanEncoded } from './appendix-b.ts';

const BROKEN = -1;
const EOS = CODES[256]!;

/** @returns the bytes, or BROKEN */
function read(bytes: Uint8Array): Buffer | number {
  const out = Buffer.alloc(2 * bytes.length);
  const length = decodeHuffman(bytes, 0, bytes.length, out);
  return length === BROKEN ? BROKEN : out.subarray(0, length);
}

describe('a Huffman code', () => {
  test('of every byte is the one that appendix B lists', () => {
    expect(CODES).toHaveLength(257);
    for (let byte = 0; byte < 256; byte++) {
      expect({ byte, read: read(huffmanEncoded(Uint8Array.of(byte))) }).toEqual({ byte, read: Buffer.of(byte) });
    }
  });

  test('of any two bytes in a row is read, wherever the second one begins', () => {
    for (let pair = 0; pair < 65_536; pair++) {
      const bytes = Buffer.of(pair >> 8, pair & 0xff);
      if (!bytes.equals(read(huffmanEncoded(bytes)) as Buffer)) expect(pair).toBe('read');
    }
  });

  test('of any bytes is read back', () => {
    const check = fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(read(huffmanEncoded(bytes))).toEqual(Buffer.from(bytes));
    });
    fc.assert(check, { seed: 7_541, numRuns: 1_000 });
  });

  test('is read from within other bytes, and nothing beside it', () => {
    const bytes = Buffer.concat([Buffer.of(0xff), huffmanEncoded(Buffer.from('302')), Buffer.of(0xff)]);
    const out = Buffer.alloc(8);
    expect(decodeHuffman(bytes, 1, 3, out)).toBe(3);
    expect(out.toString('latin1', 0, 3)).toBe('302');
  });

  test('is counted, but not kept, where there is no more room', () => {
    const bytes = huffmanEncoded(Buffer.from('www.example.com'));
    const out = Buffer.alloc(3);
    expect(decodeHuffman(bytes, 0, bytes.length, out)).toBe(15);
    expect(out.toString('latin1')).toBe('www');
    expect(decodeHuffman(bytes, 0, bytes.length, Buffer.alloc(0))).toBe(15);
  });

  test('may have no byte at all', () => {
    expect(read(Buffer.alloc(0))).toEqual(Buffer.alloc(0));
  });
});

describe('the end of a Huffman code', () => {
  // By the code before it: a whole number of bytes and so many bits.
  const before = ['', CODES[0x61]!, CODES[0x30]!.repeat(3), CODES[0x58]!, CODES[0x0a]!];

  test('is filled up with ones: up to seven', () => {
    for (const bits of before) expect(read(bytesOfBits(bits))).not.toBe(BROKEN);
    const lengths = Array.from({ length: 8 }, (_, count) => (5 * count) % 8);
    expect(new Set(lengths).size).toBe(8);
    for (let count = 0; count < 8; count++) {
      expect(read(huffmanEncoded(Buffer.alloc(count, 'a')))).toEqual(Buffer.alloc(count, 'a'));
    }
  });

  test('with eight ones or more is broken', () => {
    for (const bits of before) {
      for (const more of ['ff', 'ffff', 'ffffff']) {
        expect(read(Buffer.concat([bytesOfBits(bits), Buffer.from(more, 'hex')]))).toBe(BROKEN);
      }
    }
  });

  test('with any zero that begins no code is broken', () => {
    for (const padding of ['110', '101', '011', '000', '001']) {
      expect(read(bytesOfBits(CODES[0x61]!, padding))).toBe(BROKEN);
    }
  });

  test('in the middle of a code is broken', () => {
    expect(read(bytesOfBits(CODES[0]!.slice(0, 8)))).toBe(BROKEN);
    expect(read(bytesOfBits(CODES[0x0a]!.slice(0, 24)))).toBe(BROKEN);
  });

  test('as a code, EOS, is broken: alone, before and behind other codes', () => {
    for (const [front, back] of [
      ['', ''],
      ['', CODES[0x3f]!],
      [CODES[0x61]!, ''],
      [CODES[0x61]!.repeat(2), CODES[0x61]!.repeat(40)],
    ]) {
      expect(read(bytesOfBits(front + EOS + back))).toBe(BROKEN);
    }
  });
});
