/** What a block may not hold, and what a large one costs: an HpackError at once, or a list that is cut, never more. */
import { describe, expect, test } from '@jest/globals';
import { HpackDecoder, HpackError } from '../../../../../src/surfaces/rls/h2/hpack/decoder.ts';
import { decoded, type Field, number, string, tableOf } from './reference-encoder.ts';

const TABLE_BYTES_MAX = 4_096;
const LIST_BYTES_MAX = 8_192;

function decoderOf({ tableBytesMax = TABLE_BYTES_MAX, listBytesMax = LIST_BYTES_MAX } = {}): HpackDecoder {
  return new HpackDecoder({ tableBytesMax, listBytesMax });
}

function read(hex: string, decoder = decoderOf()) {
  return decoded(decoder, Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

/** Added to the table. */
function added(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0x40), string(name, false), string(value, false)]);
}

describe('a block is refused', () => {
  test.each([
    ['index 0', '80', 'a field without an index'],
    ['the first index of an empty table', 'be', 'an index beyond the table'],
    ['an index that no table has', 'ff8001', 'an index beyond the table'],
    ['an index behind the only field of the table', '40016101 62 bf', 'an index beyond the table'],
    ['a name by the first index of an empty table, added', '7e0161', 'an index beyond the table'],
    ['a name by the first index of an empty table, not added', '0f2f0161', 'an index beyond the table'],
    ['a name by the first index of an empty table, never added', '1f2f0161', 'an index beyond the table'],
    ['a number of 2^31', 'ff81ffffff07', 'a number too large'],
    ['a number of five bytes more', 'ff8080808000', 'a number too large'],
    ['a number without an end', `ff${'80'.repeat(1_000)}`, 'a number too large'],
    ['a number of all ones', `ff${'ff'.repeat(1_000)}`, 'a number too large'],
    ['a length of 2^31', '007f81ffffff07', 'a number too large'],
    ['a table size of 2^32', '3fe1ffffff0f', 'a number too large'],
    ['a table size above what was announced', '3fe21f', 'a table larger than announced'],
    ['a table size behind a field', '8220', 'a table size after a field'],
    ['the announced table size behind a field', '823fe11f', 'a table size after a field'],
    ['a table size between two fields', '822082', 'a table size after a field'],
    ['a Huffman code of EOS', '00 84ffffffff 0161', 'a broken Huffman code'],
    ['a Huffman code with a whole byte of padding', '00 821fff 0161', 'a broken Huffman code'],
    ['a Huffman code whose padding has a zero', '00 8118 0161', 'a broken Huffman code'],
    ['a value in a broken Huffman code', '000161 8118', 'a broken Huffman code'],
    ['a name longer than the block', '00 0561', 'a string that goes on behind the block'],
    ['a value longer than the block', '000161 0562', 'a string that goes on behind the block'],
    ['a Huffman code longer than the block', '000161 85ff', 'a string that goes on behind the block'],
    ['a value of 256 MiB', '000161 7f80ffff7f', 'a string that goes on behind the block'],
    ['a block without the rest of an index', 'ff', 'the block ends within a field'],
    ['a block without the rest of a long index', 'ff80', 'the block ends within a field'],
    ['a block without the rest of a table size', '3f', 'the block ends within a field'],
    ['a block without a name', '00', 'the block ends within a field'],
    ['a block without a value', '000161', 'the block ends within a field'],
    ['a block without the value of an indexed name', '44', 'the block ends within a field'],
    ['a block without the rest of a length', '007f', 'the block ends within a field'],
  ])('that has %s', (_, hex, message) => {
    expect(() => read(hex)).toThrow(new HpackError(message));
  });

  test('that ends anywhere within a field, though the bytes behind it would complete it', () => {
    const field = Buffer.from('400a637573746f6d2d6b65790c637573746f6d2d76616c7565', 'hex');
    for (let to = 1; to < field.length; to++) {
      expect(() => decoded(decoderOf(), field, 0, to)).toThrow(HpackError);
    }
  });
});

describe('a block may have', () => {
  test.each<[string, string, readonly Field[]]>([
    ['no field at all', '', []],
    ['a table size and no field', '20', []],
    ['several table sizes before its first field', '20 3fe11f 30 82', [[':method', 'GET']]],
    ['the table size that was announced', '3fe11f 82', [[':method', 'GET']]],
    ['zeros at the end of a number', `04 7f808000${'61'.repeat(127)}`, [[':path', 'a'.repeat(127)]]],
    ['an empty value', '04 00', [[':path', '']]],
    ['an empty value in the Huffman code', '04 80', [[':path', '']]],
    // HTTP/2 calls it malformed, which ends the stream alone: HPACK has no rule against it.
    ['an empty name', '00 00 0161', [['', 'a']]],
    ['a field that is never to be added', '10 0161 0162', [['a', 'b']]],
    ['bytes that are no ASCII', '00 0161 0280ff', [['a', '\x80\xff']]],
  ])('%s', (_, hex, fields) => {
    expect(read(hex)).toEqual({ fields, isWhole: true });
  });
});

describe('the table', () => {
  test('takes what is added alone, and gives it back by index', () => {
    const decoder = decoderOf();
    read('40016101 62 000163 0164 100165 0166', decoder);
    expect(tableOf(decoder)).toEqual([['a', 'b']]);
  });

  test('is emptied by a field larger than itself, which is passed on all the same', () => {
    const decoder = decoderOf({ tableBytesMax: 64 });
    decoded(decoder, added('a', 'b'));
    const value = 'x'.repeat(32);
    expect(decoded(decoder, added('a', value)).fields).toEqual([['a', value]]);
    expect(tableOf(decoder)).toEqual([]);
    expect(decoded(decoder, added('a', value.slice(1))).fields).toEqual([['a', value.slice(1)]]);
    expect(tableOf(decoder)).toEqual([['a', value.slice(1)]]);
  });

  test('still gives the name to a field that evicts it', () => {
    const decoder = decoderOf({ tableBytesMax: 40 });
    decoded(decoder, added('name', '1'));
    expect(decoded(decoder, Buffer.concat([number(0x40, 6, 62), string('2222', false)])).fields).toEqual([
      ['name', '2222'],
    ]);
    expect(tableOf(decoder)).toEqual([['name', '2222']]);
  });

  test('is emptied by size 0 and may grow again, up to what was announced', () => {
    const decoder = decoderOf({ tableBytesMax: 100 });
    decoded(decoder, Buffer.concat([added('a', '1'), added('b', '2')]));
    decoded(decoder, Buffer.concat([number(0x20, 5, 0), number(0x20, 5, 34)]));
    expect(tableOf(decoder)).toEqual([]);
    decoded(decoder, Buffer.concat([added('c', '3'), added('d', '4')]));
    expect(tableOf(decoder)).toEqual([['d', '4']]);
    decoded(decoder, Buffer.concat([number(0x20, 5, 100), added('e', '5')]));
    expect(tableOf(decoder)).toEqual([
      ['e', '5'],
      ['d', '4'],
    ]);
  });

  test('of size 0 takes nothing', () => {
    const decoder = decoderOf({ tableBytesMax: 0 });
    expect(decoded(decoder, added('', '')).fields).toEqual([['', '']]);
    expect(tableOf(decoder)).toEqual([]);
  });
});

describe('a list longer than may be', () => {
  test('is cut before the field that makes it so, to the byte', () => {
    const fields = Buffer.concat([added('a', 'b'), added('c', 'd')]);
    expect(decoded(decoderOf({ listBytesMax: 68 }), fields)).toMatchObject({ isWhole: true });
    const cut = decoderOf({ listBytesMax: 67 });
    expect(decoded(cut, fields)).toEqual({ fields: [['a', 'b']], isWhole: false });
    expect(tableOf(cut).length).toBe(2);
  });

  test('stays cut, though later fields would fit', () => {
    const fields = Buffer.concat([added('a', 'x'.repeat(100)), Buffer.from('82', 'hex')]);
    expect(decoded(decoderOf({ listBytesMax: 100 }), fields)).toEqual({ fields: [], isWhole: false });
  });

  test('adds to the table whatever an encoder adds, so the next block is read as it was written', () => {
    const decoder = decoderOf({ listBytesMax: 40 });
    const long = 'x'.repeat(1_000);
    const block = Buffer.concat([
      added('long', long),
      added('short', 'y'),
      Buffer.from('00016101', 'hex'),
      Buffer.of(0x7a),
    ]);
    expect(decoded(decoder, block)).toEqual({ fields: [], isWhole: false });
    expect(decoded(decoder, number(0x80, 7, 62))).toEqual({ fields: [['short', 'y']], isWhole: true });
    expect(decoded(decoderOf({ listBytesMax: 1_036 }), block).fields).toEqual([['long', long]]);
  });

  test('still is an error where it is broken behind the cut', () => {
    for (const broken of ['80', 'c0', '00016105', '0001618118', '20']) {
      const block = Buffer.concat([added('a', 'x'.repeat(100)), Buffer.from(broken, 'hex')]);
      expect(() => decoded(decoderOf({ listBytesMax: 40 }), block)).toThrow(HpackError);
    }
  });

  test('begins anew with the next block', () => {
    const decoder = decoderOf({ listBytesMax: 42 });
    for (let count = 0; count < 3; count++)
      expect(read('82', decoder)).toEqual({ fields: [[':method', 'GET']], isWhole: true });
  });
});

describe('a large block is cheap', () => {
  const MIB = 1_048_576;

  function heapBytesOf(run: () => void): number {
    const before = process.memoryUsage();
    run();
    const after = process.memoryUsage();
    return after.heapUsed - before.heapUsed + (after.external - before.external);
  }

  test('of a million references to a field of 4 KiB: two are passed on, and no more', () => {
    const decoder = decoderOf();
    decoded(decoder, added('a', 'x'.repeat(4_000)));
    let calls = 0;
    const bomb = Buffer.alloc(MIB, 0xbe);
    const isWhole = decoder.decode(bomb, 0, bomb.length, { field: () => calls++ });
    expect({ isWhole, calls }).toEqual({ isWhole: false, calls: 2 });
  });

  // A million zeros, and the Huffman code of 1.6 million: that of one has five bits, all of them zero.
  const texts = [
    Buffer.concat([number(0, 7, MIB), Buffer.alloc(MIB, '0')]),
    Buffer.concat([number(0x80, 7, 5 * 209_715), Buffer.alloc(5 * 209_715)]),
  ];

  test.each([
    ['added', 0x44],
    ['not added', 0x04],
    ['never added', 0x14],
  ])('of one string that is %s: nothing is made of what neither list nor table may hold', (_, first) => {
    for (const text of texts) {
      const block = Buffer.concat([Buffer.of(first), text]);
      const decoder = decoderOf();
      let answer: unknown;
      const heapBytes = heapBytesOf(() => {
        answer = decoded(decoder, block);
      });
      expect(answer).toEqual({ fields: [], isWhole: false });
      expect(heapBytes).toBeLessThan(MIB / 4);
    }
  });
});

describe('a path that is written as the one before', () => {
  const path = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
  const other = path.replace('Should', 'Would');

  function written(text: string, huffman: boolean): Buffer {
    return Buffer.concat([Buffer.of(0x04), string(text, huffman)]);
  }

  test('is the same path, and one that differs in any byte is not', () => {
    const decoder = decoderOf();
    for (const text of [path, path, other, path, `${path}/`, path, path.slice(1), path, '', path]) {
      for (const huffman of [true, true, false]) {
        expect(decoded(decoder, written(text, huffman)).fields).toEqual([[':path', text]]);
      }
    }
  });

  test('is added to the table where the client says so', () => {
    const decoder = decoderOf();
    const block = written(path, true);
    decoded(decoder, block);
    block[0] = 0x44;
    decoded(decoder, block);
    expect(tableOf(decoder)).toEqual([[':path', path]]);
  });

  test('but ends with the block is an error', () => {
    const decoder = decoderOf();
    const block = written(path, true);
    decoded(decoder, block);
    for (let to = 1; to < block.length; to++) expect(() => decoded(decoder, block, 0, to)).toThrow(HpackError);
    expect(decoded(decoder, block).fields).toEqual([[':path', path]]);
  });

  test('counts as long as it is, and is not passed on where the list is too long for it', () => {
    const decoder = decoderOf({ listBytesMax: 200 });
    const twice = Buffer.concat([written(path, true), written(path, true), written(path, true)]);
    expect(decoded(decoder, twice)).toEqual({
      fields: [
        [':path', path],
        [':path', path],
      ],
      isWhole: false,
    });
    const between = Buffer.concat([written(path, true), Buffer.from('0001610162', 'hex'), written(path, true)]);
    expect(decoded(decoder, between)).toEqual({
      fields: [
        [':path', path],
        ['a', 'b'],
      ],
      isWhole: false,
    });
    const long = `/${'x'.repeat(1_000)}`;
    expect(decoded(decoder, written(long, false))).toEqual({ fields: [], isWhole: false });
    expect(decoded(decoder, written(long, false))).toEqual({ fields: [], isWhole: false });
  });
});
