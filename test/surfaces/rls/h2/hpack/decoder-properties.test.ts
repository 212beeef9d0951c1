/** Whatever an encoder may write is read as it was meant; whatever it may not, ends in an HpackError and nothing else. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { HpackDecoder, HpackError } from '../../../../../src/surfaces/rls/h2/hpack/decoder.ts';
import { STATIC_NAMES, STATIC_VALUES } from '../../../../../src/surfaces/rls/h2/hpack/static-table.ts';
import { decoded, type Field, fieldBytes, ReferenceEncoder, tableOf, type Way } from './reference-encoder.ts';

const SEED = 7_541;

const latin1 = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes).toString('latin1'));

/** Few, so that indexes are used; some of them long, so that tables are full. */
const field: fc.Arbitrary<Field> = fc.oneof(
  fc.nat(60).map((at): Field => [STATIC_NAMES[at + 1]!, STATIC_VALUES[at + 1]!]),
  fc.tuple(
    fc.constantFrom(':path', 'te', 'x-a', 'x-b'),
    fc.constantFrom('', '1', 'trailers', '/a.b/C', 'z'.repeat(200)),
  ),
  fc.tuple(latin1(20), latin1(60)),
  fc.tuple(fc.constant('long'), latin1(600)),
);

const way: fc.Arbitrary<Way> = fc.record({
  byIndex: fc.boolean(),
  nameByIndex: fc.boolean(),
  literal: fc.constantFrom('added', 'added', 'not added', 'never added'),
  huffmanName: fc.boolean(),
  huffmanValue: fc.boolean(),
});

/** Table sizes as shares of the announced one, and fields in the way they are written. */
const block = fc.record({
  sizes: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 2 }),
  fields: fc.array(fc.tuple(field, way), { maxLength: 12 }),
});

const connection = fc.record({
  tableBytesMax: fc.constantFrom(0, 31, 32, 33, 64, 100, 256, 1_000, 4_096),
  listBytesMax: fc.constantFrom(0, 50, 200, 1_000, 100_000),
  blocks: fc.array(block, { minLength: 1, maxLength: 10 }),
});

type Block = typeof block extends fc.Arbitrary<infer T> ? T : never;

function written(encoder: ReferenceEncoder, { sizes, fields }: Block, tableBytesMax: number): Buffer {
  const updates = sizes.map((share) => encoder.resize(Math.floor(share * tableBytesMax)));
  return Buffer.concat([...updates, ...fields.map(([each, how]) => encoder.field(each, how))]);
}

/** What of a list may be passed on. */
function within(fields: readonly Field[], listBytesMax: number): readonly Field[] {
  let bytes = 0;
  const end = fields.findIndex((each) => {
    bytes += fieldBytes(each);
    return bytes > listBytesMax;
  });
  return end < 0 ? fields : fields.slice(0, end);
}

/** @returns true if the connection may go on */
function survives(decoder: HpackDecoder, bytes: Buffer): boolean {
  try {
    decoded(decoder, bytes);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(HpackError);
    return false;
  }
}

function tableBytesOf(decoder: HpackDecoder): number {
  return tableOf(decoder).reduce((sum, each) => sum + fieldBytes(each), 0);
}

describe('blocks of one connection', () => {
  test('are read as they were written, and leave the table that the encoder has', () => {
    const check = fc.property(connection, ({ tableBytesMax, listBytesMax, blocks }) => {
      const encoder = new ReferenceEncoder(tableBytesMax);
      const decoder = new HpackDecoder({ tableBytesMax, listBytesMax });
      // It reads the table in one list.
      const wholeTable = new HpackDecoder({ tableBytesMax, listBytesMax: 1e9 });
      for (const each of blocks) {
        const bytes = written(encoder, each, tableBytesMax);
        const fields = each.fields.map(([one]) => one);
        const passed = within(fields, listBytesMax);
        expect(decoded(decoder, bytes)).toEqual({ fields: passed, isWhole: passed.length === fields.length });
        expect(decoded(wholeTable, bytes)).toEqual({ fields, isWhole: true });
        expect(tableOf(wholeTable)).toEqual(encoder.table);
      }
    });
    fc.assert(check, { seed: SEED, numRuns: 300 });
  });

  test('are read from within other bytes, which do not matter', () => {
    const check = fc.property(
      block,
      fc.uint8Array({ maxLength: 9 }),
      fc.uint8Array({ maxLength: 9 }),
      (each, front, back) => {
        const bytes = written(new ReferenceEncoder(4_096), each, 4_096);
        const decoder = new HpackDecoder({ tableBytesMax: 4_096, listBytesMax: 100_000 });
        const all = Buffer.concat([front, bytes, back]);
        const { fields } = decoded(decoder, all, front.length, front.length + bytes.length);
        expect(fields).toEqual(each.fields.map(([one]) => one));
      },
    );
    fc.assert(check, { seed: SEED, numRuns: 200 });
  });
});

describe('broken bytes', () => {
  test('that are random are read or refused, and the table stays within its bound', () => {
    const blocks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 80 }), { maxLength: 8 });
    const check = fc.property(fc.constantFrom(0, 64, 256, 4_096), blocks, (tableBytesMax, given) => {
      const decoder = new HpackDecoder({ tableBytesMax, listBytesMax: 1e9 });
      for (const bytes of given) {
        if (!survives(decoder, Buffer.from(bytes))) return;
        expect(tableBytesOf(decoder)).toBeLessThanOrEqual(tableBytesMax);
      }
    });
    fc.assert(check, { seed: SEED, numRuns: 1_500 });
  });

  test('that were a good connection before are read or refused, too', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    const check = fc.property(connection, changes, fc.nat(), ({ tableBytesMax, listBytesMax, blocks }, edits, cut) => {
      const encoder = new ReferenceEncoder(tableBytesMax);
      const decoder = new HpackDecoder({ tableBytesMax, listBytesMax });
      for (const each of blocks) {
        const bytes = written(encoder, each, tableBytesMax);
        for (const [at, byte] of edits) if (bytes.length > 0) bytes[at % bytes.length] = byte;
        const shorter = cut % 4 === 0 ? bytes.subarray(0, cut % (bytes.length + 1)) : bytes;
        if (!survives(decoder, shorter)) return;
      }
    });
    fc.assert(check, { seed: SEED, numRuns: 1_000 });
  });
});
