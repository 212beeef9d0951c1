/** Fields are written so that any reader of HPACK has them, and in the bytes that RFC 7541 shows. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { HpackDecoder } from '../../../../../src/surfaces/rls/h2/hpack/decoder.ts';
import { encodeField, encodeStatus } from '../../../../../src/surfaces/rls/h2/hpack/encoder.ts';
import { WriteBuffer } from '../../../../../src/surfaces/rls/h2/write-buffer.ts';
import { decoded, type Field, tableOf } from './reference-encoder.ts';

/** From a buffer that is too small for anything. */
function written(write: (out: WriteBuffer) => void): Buffer {
  const out = new WriteBuffer(1);
  write(out);
  return Buffer.from(out.bytes.subarray(0, out.length));
}

function hexOf(write: (out: WriteBuffer) => void): string {
  return written(write).toString('hex');
}

function decoderOf(): HpackDecoder {
  return new HpackDecoder({ tableBytesMax: 4_096, listBytesMax: 10_000_000 });
}

describe('a field', () => {
  test.each<[string, Field, string]>([
    ['whose name has an index', [':path', '/sample/path'], '040c2f73616d706c652f70617468'],
    [
      'whose name has an index of two bytes',
      ['content-type', 'application/grpc'],
      '0f1010' + '6170706c69636174696f6e2f67727063',
    ],
    ['whose name has the last index of one byte', [':status', '200'], '0803323030'],
    ['whose name has the first index of two bytes', ['accept-charset', ''], '0f0000'],
    ['whose name has none', ['grpc-status', '0'], '000b677270632d7374617475730130'],
    ['that is empty', ['', ''], '000000'],
  ])('%s is written as the RFC says', (_, [name, value], hex) => {
    expect(hexOf((out) => encodeField(out, name, value))).toBe(hex);
  });

  test.each([126, 127, 128, 254, 255, 16_510, 16_511, 100_000, 2_200_000])('of %d bytes is read back', (length) => {
    const value = 'x'.repeat(length);
    const bytes = written((out) => encodeField(out, 'x', value));
    expect(decoded(decoderOf(), bytes)).toEqual({ fields: [['x', value]], isWhole: true });
  });

  test('of any bytes is read back, one behind the other, and no table is touched', () => {
    const text = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
    const name = fc.oneof(text, fc.constantFrom('server', 'content-type', 'www-authenticate', ':authority'));
    const check = fc.property(fc.array(fc.tuple(name, text)), (fields) => {
      const decoder = decoderOf();
      const bytes = written((out) => {
        for (const [each, value] of fields) encodeField(out, each, value);
      });
      expect(decoded(decoder, bytes).fields).toEqual(fields);
      expect(tableOf(decoder)).toEqual([]);
    });
    fc.assert(check, { seed: 7_541, numRuns: 500 });
  });

  test('is written behind what there is', () => {
    const out = new WriteBuffer(4);
    out.append(Buffer.from('ff', 'hex'));
    encodeField(out, 'a', 'b');
    encodeStatus(out, 200);
    expect(out.bytes.toString('hex', 0, out.length)).toBe('ff0001610162' + '88');
  });
});

describe('a status', () => {
  test.each([
    [200, '88'],
    [204, '89'],
    [206, '8a'],
    [304, '8b'],
    [400, '8c'],
    [404, '8d'],
    [500, '8e'],
    [503, '0803353033'],
    [429, '0803343239'],
  ])('%d is written by index where it has one', (status, hex) => {
    expect(hexOf((out) => encodeStatus(out, status))).toBe(hex);
  });

  test('of any three digits is read back', () => {
    for (let status = 100; status < 1_000; status++) {
      const bytes = written((out) => encodeStatus(out, status));
      expect(decoded(decoderOf(), bytes).fields).toEqual([[':status', String(status)]]);
    }
  });
});
