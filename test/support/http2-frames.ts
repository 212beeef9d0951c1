/** HTTP/2 as bytes (RFC 9113 §4): frames made by hand, valid or not, and bytes told apart into frames. Keeps no state. */

export interface Frame {
  /** By its name in RFC 9113 §6; `?` for one that it does not know. */
  readonly type: FrameType | '?';
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** RFC 9113 §6, in the order of their numbers. */
export const FRAME_TYPES = [
  'DATA',
  'HEADERS',
  'PRIORITY',
  'RST_STREAM',
  'SETTINGS',
  'PUSH_PROMISE',
  'PING',
  'GOAWAY',
  'WINDOW_UPDATE',
  'CONTINUATION',
] as const;
export type FrameType = (typeof FRAME_TYPES)[number];

export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const PRIORITY = 0x20;

/** RFC 9113 §7, in the order of their numbers. */
export const ERROR_CODES = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/** RFC 9113 §6.5.2. */
export const SETTING = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** What a frame may hold unless its reader has allowed more. */
export const FRAME_BYTES_MAX = 16_384;
const HEADER_BYTES = 9;
const EMPTY = Buffer.alloc(0);

export function frameBytes(type: FrameType, flags: number, stream: number, payload: Uint8Array = EMPTY): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(FRAME_TYPES.indexOf(type), 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** DATA frames that hold `body` in pieces of so many bytes, the last of them with END_STREAM. */
export function dataFrames(stream: number, body: Uint8Array, pieceBytes = FRAME_BYTES_MAX): Buffer {
  const frames: Buffer[] = [];
  for (let from = 0; from < body.length; from += pieceBytes) {
    const isLast = from + pieceBytes >= body.length;
    frames.push(frameBytes('DATA', isLast ? END_STREAM : 0, stream, body.subarray(from, from + pieceBytes)));
  }
  return frames.length === 0 ? frameBytes('DATA', END_STREAM, stream) : Buffer.concat(frames);
}

/** A HEADERS frame, and CONTINUATION behind it for what does not fit. @param flags beside END_HEADERS */
export function headersFrames(stream: number, block: Uint8Array, flags = 0, pieceBytes = FRAME_BYTES_MAX): Buffer {
  const frames: Buffer[] = [];
  for (let from = 0; from < block.length; from += pieceBytes) {
    const end = from + pieceBytes >= block.length ? END_HEADERS : 0;
    const piece = block.subarray(from, from + pieceBytes);
    frames.push(frameBytes(from === 0 ? 'HEADERS' : 'CONTINUATION', (from === 0 ? flags : 0) | end, stream, piece));
  }
  return Buffer.concat(frames);
}

/** The payload of a frame whose flags say PADDED (RFC 9113 §6.1). */
export function withPadding(payload: Uint8Array, paddingBytes: number): Buffer {
  return Buffer.concat([Buffer.from([paddingBytes]), payload, Buffer.alloc(paddingBytes)]);
}

export function settingsBytes(values: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * values.length);
  values.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, 6 * index);
    payload.writeUInt32BE(value, 6 * index + 2);
  });
  return frameBytes('SETTINGS', 0, 0, payload);
}

export function windowUpdate(stream: number, bytes: number): Buffer {
  return frameBytes('WINDOW_UPDATE', 0, stream, uint32(bytes));
}

export function reset(stream: number, code: ErrorCode): Buffer {
  return frameBytes('RST_STREAM', 0, stream, uint32(ERROR_CODES.indexOf(code)));
}

export function ping(text = '--ping--'): Buffer {
  return frameBytes('PING', 0, 0, Buffer.from(text));
}

export type Fields = Readonly<Record<string, string>> | readonly (readonly [name: string, value: string])[];

/** A header block in which every field is literal and none is indexed (RFC 7541 §6.2.2). */
export function headerBlock(fields: Fields): Buffer {
  const pairs = Array.isArray(fields) ? fields : Object.entries(fields);
  return Buffer.concat(pairs.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

export function errorName(code: number): ErrorCode {
  return ERROR_CODES[code] ?? 'INTERNAL_ERROR';
}

/** Tells apart what a peer sends, however its bytes arrive. */
export class FrameReader {
  #bytes: Buffer = EMPTY;

  read(chunk: Buffer): readonly Frame[] {
    const bytes = Buffer.concat([this.#bytes, chunk]);
    const frames: Frame[] = [];
    let from = 0;
    while (bytes.length - from >= HEADER_BYTES) {
      const start = from + HEADER_BYTES;
      const end = start + bytes.readUIntBE(from, 3);
      if (bytes.length < end) break;
      const type = FRAME_TYPES[bytes.readUInt8(from + 3)] ?? '?';
      const stream = bytes.readUInt32BE(from + 5) & 0x7fff_ffff;
      frames.push({ type, flags: bytes.readUInt8(from + 4), stream, payload: bytes.subarray(start, end) });
      from = end;
    }
    this.#bytes = bytes.subarray(from);
    return frames;
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** RFC 7541 §5.2, without Huffman's code. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([integer(bytes.length), bytes]);
}

/** RFC 7541 §5.1, with a prefix of 7 bits. */
function integer(value: number): Buffer {
  if (value < 0x7f) return Buffer.from([value]);
  const bytes = [0x7f];
  let rest = value - 0x7f;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}
