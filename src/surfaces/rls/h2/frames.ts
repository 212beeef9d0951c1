/** The numbers of HTTP/2 frames (RFC 9113), and how their headers are written. */
import type { WriteBuffer } from './write-buffer.ts';

export const FRAME_HEADER_BYTES = 9; // RFC 9113 §4.1

/** RFC 9113 §6. */
export const FRAME = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

export const FLAG = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** RFC 9113 §7. */
export const ERROR = {
  none: 0x0,
  protocol: 0x1,
  internal: 0x2,
  flowControl: 0x3,
  streamClosed: 0x5,
  frameSize: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compression: 0x9,
  enhanceYourCalm: 0xb,
} as const;

/** RFC 9113 §6.5.2. */
export const SETTING = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
} as const;

/** Number and value of one. */
export const SETTING_BYTES = 6; // RFC 9113 §6.5.1

/** What holds until a peer's SETTINGS say otherwise. */
export const INITIAL_WINDOW_BYTES = 65_535; // RFC 9113 §6.9.2
export const INITIAL_FRAME_BYTES_MAX = 16_384; // RFC 9113 §6.5.2
export const FRAME_BYTES_CEILING = 16_777_215;
export const INITIAL_TABLE_BYTES = 4_096; // RFC 9113 §6.5.2
export const WINDOW_BYTES_CEILING = 2 ** 31 - 1; // RFC 9113 §6.9.1
export const STREAM_ID_MAX = 2 ** 31 - 1;

/** RFC 9113 §3.4. */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export function writeFrameHeader(
  out: WriteBuffer,
  payloadBytes: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  out.reserve(FRAME_HEADER_BYTES);
  putFrameHeader(out.bytes, out.length, payloadBytes, type, flags, streamId);
  out.length += FRAME_HEADER_BYTES;
}

/** As `writeFrameHeader`, where room was left for it. */
export function putFrameHeader(
  bytes: Buffer,
  at: number,
  payloadBytes: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  bytes[at] = payloadBytes >>> 16;
  bytes[at + 1] = payloadBytes >>> 8;
  bytes[at + 2] = payloadBytes;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  putUint32(bytes, at + 5, streamId);
}

export function writeUint32(out: WriteBuffer, value: number): void {
  out.reserve(4);
  putUint32(out.bytes, out.length, value);
  out.length += 4;
}

export function putUint32(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function uint32At(bytes: Buffer, at: number): number {
  return uint31At(bytes, at) + ((bytes[at] as number) & 0x80) * 0x1000000;
}

/** Without the first bit, which is reserved wherever a stream or a window stands. */
export function uint31At(bytes: Buffer, at: number): number {
  return (
    (((bytes[at] as number) & 0x7f) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}
