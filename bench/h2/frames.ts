/** The bytes of the HTTP/2 frames that the load client sends, and the numbers of those that it reads (RFC 9113 §6). */

export const FRAME_HEAD_BYTES = 9;
/** §4.2: what either side may send as long as the other's SETTINGS say nothing else; ours never do. */
export const FRAME_PAYLOAD_BYTES_MAX = 16_384;
/** §6.9.2: how much may be sent before the first WINDOW_UPDATE. */
export const WINDOW_BYTES_DEFAULT = 65_535;

export const DATA = 0;
export const HEADERS = 1;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

/** Of SETTINGS and PING; END_STREAM is the same bit of other frames. */
export const ACK = 0x1;
export const END_STREAM = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const PRIORITY = 0x20;

export const CANCEL = 0x8;

export const SETTINGS_HEADER_TABLE_SIZE = 1;
const SETTINGS_ENABLE_PUSH = 2;
export const SETTINGS_MAX_CONCURRENT_STREAMS = 3;
export const SETTINGS_INITIAL_WINDOW_SIZE = 4;

export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** What a stream and the connection may receive; a stream never receives more than one answer. */
const STREAM_WINDOW_BYTES = 2 ** 20;
export const CONNECTION_WINDOW_BYTES = 2 ** 30;

/** The preface, our SETTINGS and a wide window: what a connection begins with. */
export const OPENING = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1'),
  frame(SETTINGS, 0, 0, settings([SETTINGS_ENABLE_PUSH, 0], [SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES])),
  windowUpdate(CONNECTION_WINDOW_BYTES - WINDOW_BYTES_DEFAULT),
]);

/** Of the connection: no stream needs one. */
export function windowUpdate(bytes: number): Buffer {
  return frame(WINDOW_UPDATE, 0, 0, uint32(bytes));
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const bytes = Buffer.alloc(6 * pairs.length);
  pairs.forEach(([id, value], at) => {
    bytes.writeUInt16BE(id, 6 * at);
    bytes.writeUInt32BE(value, 6 * at + 2);
  });
  return bytes;
}
