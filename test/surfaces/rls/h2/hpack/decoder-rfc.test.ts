/** Every example of RFC 7541 appendix C, read: the fields, and the table that is left. */
import { describe, expect, test } from '@jest/globals';
import { HpackDecoder } from '../../../../../src/surfaces/rls/h2/hpack/decoder.ts';
import { decoded, type Field, fieldBytes, tableOf } from './reference-encoder.ts';

const LIST_BYTES_MAX = 8_192;

interface Step {
  readonly hex: string;
  readonly fields: readonly Field[];
  readonly table: readonly Field[];
  readonly tableBytes: number;
}

function decoderOf(tableBytesMax = 4_096): HpackDecoder {
  return new HpackDecoder({ tableBytesMax, listBytesMax: LIST_BYTES_MAX });
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');
}

/** One block after the other, on one connection. */
function expectSteps(decoder: HpackDecoder, steps: readonly Step[]): void {
  for (const { hex, fields, table, tableBytes } of steps) {
    expect(decoded(decoder, bytesOf(hex))).toEqual({ fields, isWhole: true });
    expect(tableOf(decoder)).toEqual(table);
    expect(table.reduce((sum, field) => sum + fieldBytes(field), 0)).toBe(tableBytes);
  }
}

describe('C.1, numbers', () => {
  // A table size has five bits in its first byte. That it was read is told by which table is too small for it.
  test.each([
    ['C.1.1', 10, '2a'],
    ['C.1.2', 1_337, '3f9a0a'],
  ])('%s: %d begins within a byte', (_, size, hex) => {
    expect(() => decoded(decoderOf(size), bytesOf(hex))).not.toThrow();
    expect(() => decoded(decoderOf(size - 1), bytesOf(hex))).toThrow('a table larger than announced');
  });

  test('C.1.3: 42 is one whole byte', () => {
    const value = 'x'.repeat(42);
    expect(decoded(decoderOf(), Buffer.concat([bytesOf('042a'), Buffer.from(value)])).fields).toEqual([
      [':path', value],
    ]);
  });
});

describe('C.2, single fields', () => {
  test.each<[string, string, Field, boolean]>([
    [
      'C.2.1',
      '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
      ['custom-key', 'custom-header'],
      true,
    ],
    ['C.2.2', '040c 2f73 616d 706c 652f 7061 7468', [':path', '/sample/path'], false],
    ['C.2.3', '1008 7061 7373 776f 7264 0673 6563 7265 74', ['password', 'secret'], false],
    ['C.2.4', '82', [':method', 'GET'], false],
  ])('%s', (_, hex, field, isAdded) => {
    const decoder = decoderOf();
    expect(decoded(decoder, bytesOf(hex))).toEqual({ fields: [field], isWhole: true });
    expect(tableOf(decoder)).toEqual(isAdded ? [field] : []);
  });
});

const authority: Field = [':authority', 'www.example.com'];
const noCache: Field = ['cache-control', 'no-cache'];
const custom: Field = ['custom-key', 'custom-value'];

function requests(hex: readonly [string, string, string]): readonly Step[] {
  const get: Field = [':method', 'GET'];
  const http: Field = [':scheme', 'http'];
  const https: Field = [':scheme', 'https'];
  return [
    { hex: hex[0], fields: [get, http, [':path', '/'], authority], table: [authority], tableBytes: 57 },
    {
      hex: hex[1],
      fields: [get, http, [':path', '/'], authority, noCache],
      table: [noCache, authority],
      tableBytes: 110,
    },
    {
      hex: hex[2],
      fields: [get, https, [':path', '/index.html'], authority, custom],
      table: [custom, noCache, authority],
      tableBytes: 164,
    },
  ];
}

describe('requests on one connection', () => {
  test('C.3: without Huffman codes', () => {
    const steps = requests([
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ]);
    expectSteps(decoderOf(), steps);
  });

  test('C.4: with Huffman codes', () => {
    const steps = requests([
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ]);
    expectSteps(decoderOf(), steps);
  });
});

function responses(hex: readonly [string, string, string]): readonly Step[] {
  const found: Field = [':status', '302'];
  const moved: Field = [':status', '307'];
  const secret: Field = ['cache-control', 'private'];
  const at21: Field = ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'];
  const at22: Field = ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'];
  const location: Field = ['location', 'https://www.example.com'];
  const gzip: Field = ['content-encoding', 'gzip'];
  const cookie: Field = ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'];
  return [
    { hex: hex[0], fields: [found, secret, at21, location], table: [location, at21, secret, found], tableBytes: 222 },
    { hex: hex[1], fields: [moved, secret, at21, location], table: [moved, location, at21, secret], tableBytes: 222 },
    {
      hex: hex[2],
      fields: [[':status', '200'], secret, at22, location, gzip, cookie],
      table: [cookie, gzip, at22],
      tableBytes: 215,
    },
  ];
}

describe('responses on one connection whose table of 256 bytes evicts', () => {
  test('C.5: without Huffman codes', () => {
    const steps = responses([
      `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
       2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
      '4803 3330 37c1 c0bf',
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
       54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
       5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
    ]);
    expectSteps(decoderOf(256), steps);
  });

  test('C.6: with Huffman codes', () => {
    const steps = responses([
      `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
       2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
      '4883 640e ffc1 c0bf',
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
       77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
       9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
    ]);
    expectSteps(decoderOf(256), steps);
  });
});
