/** Bytes to text. Nearly every text is ASCII, and those that name things come again and again: neither is decoded. */
import { decodeText } from './any-bytes.ts';

// A gateway names its domains and keys in its configuration: some dozens. Two that share a slot are only made anew.
const SLOTS = 256; // a power of two
const KNOWN_BYTES_MAX = 32; // longer names are rare, and what is kept stays small

// As in wire-writer.ts.
const { charCodeAt } = String.prototype;

const known: string[] = new Array(SLOTS).fill('');

export function readText(bytes: Buffer, from: number, to: number): string {
  let union = 0;
  for (let at = from; at < to; at++) union |= bytes[at] as number;
  return union < 0x80 ? bytes.toString('latin1', from, to) : decodeText(bytes.subarray(from, to));
}

/** The same text, for names: one that was read lately is found, not made, and maps have its hash already. */
export function readName(bytes: Buffer, from: number, to: number): string {
  const length = to - from;
  if (length > KNOWN_BYTES_MAX) return readText(bytes, from, to);
  let hash = length;
  for (let at = from; at < to; at++) hash = (hash * 31 + (bytes[at] as number)) & 0xffff;
  const slot = (hash ^ (hash >> 8)) & (SLOTS - 1);
  const candidate = known[slot] as string;
  if (isAscii(bytes, from, to, candidate)) return candidate;
  const name = readText(bytes, from, to);
  known[slot] = name;
  return name;
}

/** Whether the bytes are this text in ASCII. */
function isAscii(bytes: Buffer, from: number, to: number, text: string): boolean {
  if (text.length !== to - from) return false;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte >= 0x80 || charCodeAt.call(text, at - from) !== byte) return false;
  }
  return true;
}
