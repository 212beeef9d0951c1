/**
 * Protobuf's wire format, written in place: every function is told where to begin, and says where to go on. Room is the
 * callers' matter. https://protobuf.dev/programming-guides/encoding/
 */

/** The tag and the length of a text or a message. */
export const TEXT_HEAD_BYTES_MAX = 6;
/** What one UTF-16 unit takes. */
export const UTF8_BYTES_MAX = 3;

/** Beyond, copying by hand is slower than a call of the platform's. */
const COPIED_CHARS_MAX = 64;

// Texts are of many kinds within the engine, by how they were made: to it, `text.charCodeAt` is a look-up for each character.
const { charCodeAt } = String.prototype;

/** @param value an integer from 0 to 2^53 - 1 */
export function putVarint(bytes: Buffer, from: number, value: number): number {
  let at = from;
  let rest = value;
  while (rest > 0xffff_ffff) {
    bytes[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

export function putText(bytes: Buffer, from: number, tag: number, text: string): number {
  bytes[from] = tag;
  const end = text.length <= COPIED_CHARS_MAX ? copyAscii(bytes, from + 1, text) : from;
  if (end > from) return end;
  const at = putVarint(bytes, from + 1, Buffer.byteLength(text));
  return at + bytes.write(text, at);
}

/** @returns 0 unless all of it is ASCII */
function copyAscii(bytes: Buffer, from: number, text: string): number {
  const { length } = text;
  bytes[from] = length;
  const begin = from + 1;
  for (let index = 0; index < length; index++) {
    const code = charCodeAt.call(text, index);
    if (code > 0x7f) return 0;
    bytes[begin + index] = code;
  }
  return begin + length;
}

/**
 * Writes the length of a message into the byte before it, which is room enough for nearly every one; a longer message
 * moves on by the bytes that its length needs more. @returns its end
 */
export function closeMessage(bytes: Buffer, begin: number, end: number): number {
  const length = end - begin;
  if (length < 0x80) {
    bytes[begin - 1] = length;
    return end;
  }
  const moved = begin + varintBytes(length) - 1;
  bytes.copyWithin(moved, begin, end);
  putVarint(bytes, begin - 1, length);
  return moved + length;
}

function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) count++;
  return count;
}
