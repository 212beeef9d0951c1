/** HPACK (RFC 7541), written: without a dynamic table and without Huffman codes, so that a field's bytes are always the same. */
import type { WriteBuffer } from '../write-buffer.ts';
import { STATIC_NAMES, STATIC_VALUES } from './static-table.ts';

const INDEXED = 0x80; // RFC 7541 §6.1
const LITERAL = 0x00; // RFC 7541 §6.2.2: no table of the client's changes
const LITERAL_PREFIX = 0x0f;
const STRING_PREFIX = 0x7f;

/** Lengths and indexes have no more than 32 bits. */
const NUMBER_BYTES_MAX = 6;

/** By name. Where a name has several, the first one. */
const INDEXES = new Map(STATIC_NAMES.map((name, index) => [name, index] as const).reverse());
const STATUS_INDEX = INDEXES.get(':status') as number;
/** By the status, where the static table has the whole field. */
const STATUS_INDEXES = new Map(
  STATIC_VALUES.flatMap((value, index) => (STATIC_NAMES[index] === ':status' ? [[Number(value), index] as const] : [])),
);

/** @param name in lower case. Both are latin1: each character one byte. */
export function encodeField(out: WriteBuffer, name: string, value: string): void {
  out.reserve(3 * NUMBER_BYTES_MAX + name.length + value.length);
  const index = INDEXES.get(name) ?? 0;
  writeNumber(out, LITERAL, LITERAL_PREFIX, index);
  if (index === 0) writeString(out, name);
  writeString(out, value);
}

/** @param status of three digits */
export function encodeStatus(out: WriteBuffer, status: number): void {
  const index = STATUS_INDEXES.get(status);
  out.reserve(2 * NUMBER_BYTES_MAX + 3);
  if (index !== undefined) {
    out.bytes[out.length++] = INDEXED | index;
    return;
  }
  writeNumber(out, LITERAL, LITERAL_PREFIX, STATUS_INDEX);
  writeString(out, String(status));
}

/** RFC 7541 §5.1 */
function writeNumber(out: WriteBuffer, pattern: number, prefix: number, value: number): void {
  if (value < prefix) {
    out.bytes[out.length++] = pattern | value;
    return;
  }
  out.bytes[out.length++] = pattern | prefix;
  let rest = value - prefix;
  while (rest > 0x7f) {
    out.bytes[out.length++] = 0x80 | (rest & 0x7f);
    rest >>>= 7;
  }
  out.bytes[out.length++] = rest;
}

/** RFC 7541 §5.2 */
function writeString(out: WriteBuffer, text: string): void {
  writeNumber(out, 0, STRING_PREFIX, text.length);
  out.length += out.bytes.write(text, out.length, 'latin1');
}
