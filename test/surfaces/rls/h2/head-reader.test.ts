/** A block that comes again is not read again, and nobody can tell. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { HEADER_LIST_BYTES_MAX, HEADER_TABLE_BYTES_MAX } from '../../../../src/surfaces/rls/h2/bounds.ts';
import { HeadReader } from '../../../../src/surfaces/rls/h2/head-reader.ts';
import { HpackDecoder } from '../../../../src/surfaces/rls/h2/hpack/decoder.ts';
import { RequestHead } from '../../../../src/surfaces/rls/h2/request-head.ts';

const SEED = 9_113;

/** `:method: POST`, `:scheme: http`, `:path: /`, by their indexes in the static table. */
const REQUEST = [0x83, 0x86, 0x84];
/** Fields by the names `a` and `b`, the first of which comes into the table. */
const added = (value: string): number[] => [0x40, 1, 0x61, 1, ...Buffer.from(value)];
const notAdded = (value: string): number[] => [0x00, 1, 0x62, value.length, ...Buffer.from(value)];
const NEWEST = 0xbe;
const EMPTIED = [0x20, 0x3f, 0xe1, 0x1f]; // to 0, and back to 4,096

/** Few, so that they come again. */
const block = fc.oneof(
  fc.constantFrom([NEWEST], [NEWEST + 1], [NEWEST, NEWEST + 1]),
  fc.constantFrom('0', '1').map(added),
  fc.constantFrom('0', '1', 'long'.repeat(30)).map(notAdded),
  fc.constant([NEWEST, ...added('2')]),
  fc.constant([...EMPTIED, ...REQUEST]),
  fc.constant([0x85, NEWEST]),
);

/** @returns undefined for an error */
function attempt(read: () => RequestHead): RequestHead | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

describe('a head reader', () => {
  test('finds in every block of a connection what a decoder finds that reads each anew', () => {
    const check = fc.property(fc.array(fc.tuple(block, fc.boolean()), { maxLength: 30 }), (blocks) => {
      const reader = new HeadReader();
      const decoder = new HpackDecoder({ tableBytesMax: HEADER_TABLE_BYTES_MAX, listBytesMax: HEADER_LIST_BYTES_MAX });
      for (const [fields, isRequest] of blocks) {
        const isFirstEmptied = fields[0] === EMPTIED[0];
        const bytes = Buffer.from(isRequest && !isFirstEmptied ? [...REQUEST, ...fields] : fields);
        const expected = new RequestHead();
        const anew = attempt(() => {
          expected.isWhole = decoder.decode(bytes, 0, bytes.length, expected);
          return expected;
        });
        const head = attempt(() => reader.read(bytes, 0, bytes.length));
        expect(head).toEqual(anew);
        expect(head?.isWellFormed).toBe(anew?.isWellFormed);
        if (anew === undefined) return;
      }
    });
    fc.assert(check, { seed: SEED, numRuns: 2_000 });
  });

  test('reads a block once that comes again, wherever it stands in what was received', () => {
    const reader = new HeadReader();
    const first = reader.read(Buffer.from(REQUEST), 0, REQUEST.length);
    expect(reader.read(Buffer.from([0, 0, ...REQUEST, 0]), 2, 2 + REQUEST.length)).toBe(first);
    expect(first).toMatchObject({ method: 'POST', scheme: 'http', path: '/', isWhole: true });
  });

  test('remembers neither a long block nor the long list of a short one', () => {
    const reader = new HeadReader();
    const read = (bytes: number[]): RequestHead => reader.read(Buffer.from(bytes), 0, bytes.length);
    const longBlock = [
      ...REQUEST,
      ...notAdded('x'.repeat(100)),
      ...notAdded('x'.repeat(120)),
      ...notAdded('x'.repeat(120)),
    ];
    expect(read(longBlock)).not.toBe(read(longBlock));
    read([0x40, 1, 0x61, 0x7f, 0x81, 0x0f, ...Buffer.from('x'.repeat(2_048))]);
    expect(read([NEWEST])).not.toBe(read([NEWEST]));
    expect(read([NEWEST]).fields[1]).toHaveLength(2_048);
  });
});
