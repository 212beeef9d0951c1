/** Frames as a client reads and writes them. Knows no states. */

import { encodeField } from '../../../../src/surfaces/rls/h2/hpack/encoder.ts';
import { WriteBuffer } from '../../../../src/surfaces/rls/h2/write-buffer.ts';

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

const HEADER_BYTES = 9;

export function frameOf(type: number, flags: number, streamId: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

/** Whole frames, and how many bytes they have; a beginning of one is left. */
export function framesIn(bytes: Buffer): { frames: Frame[]; end: number } {
  const frames: Frame[] = [];
  let at = 0;
  while (bytes.length - at >= HEADER_BYTES) {
    const end = at + HEADER_BYTES + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    const payload = Buffer.from(bytes.subarray(at + HEADER_BYTES, end));
    frames.push({
      type: bytes.readUInt8(at + 3),
      flags: bytes.readUInt8(at + 4),
      streamId: bytes.readUInt32BE(at + 5),
      payload,
    });
    at = end;
  }
  return { frames, end: at };
}

export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
}

export function settingsOf(...settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const bytes = Buffer.alloc(6 * settings.length);
  for (const [index, [id, value]] of settings.entries()) {
    bytes.writeUInt16BE(id, 6 * index);
    bytes.writeUInt32BE(value, 6 * index + 2);
  }
  return bytes;
}

/** A header block without the table and without Huffman codes. */
export function blockOf(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  const out = new WriteBuffer(64);
  for (const [name, value] of fields) encodeField(out, name, value);
  return Buffer.from(out.bytes.subarray(0, out.length));
}
