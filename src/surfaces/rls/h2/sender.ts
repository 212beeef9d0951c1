/** Writes the frames of one connection, within the windows that its client grants (RFC 9113 §5.2). */
import { CONCURRENT_STREAMS_MAX, CONNECTION_WINDOW_BYTES, HEADER_LIST_BYTES_MAX } from './bounds.ts';
import { ConnectionError, StreamError } from './errors.ts';
import {
  ERROR,
  FLAG,
  FRAME,
  FRAME_HEADER_BYTES,
  INITIAL_FRAME_BYTES_MAX,
  INITIAL_WINDOW_BYTES,
  putFrameHeader,
  putUint32,
  SETTING,
  SETTING_BYTES,
  WINDOW_BYTES_CEILING,
  writeFrameHeader,
  writeUint32,
} from './frames.ts';
import { encodeField, encodeStatus } from './hpack/encoder.ts';
import type { Outbox } from './outbox.ts';
import type { PeerSettings } from './peer-settings.ts';
import { ResponseFields } from './response-fields.ts';
import type { Stream } from './stream.ts';
import { WriteBuffer } from './write-buffer.ts';

/** Name and value, lower-case and latin1. */
export type Field = readonly [name: string, value: string];

const GREETING = [
  [SETTING.maxConcurrentStreams, CONCURRENT_STREAMS_MAX],
  [SETTING.maxHeaderListSize, HEADER_LIST_BYTES_MAX],
] as const;

/** Before each message of gRPC: whether it is compressed, and its length in four bytes. */
export const GRPC_PREFIX_BYTES = 5;
const MESSAGE_AT = FRAME_HEADER_BYTES + GRPC_PREFIX_BYTES;
const BLOCK_CAPACITY_BYTES = 512;

export class Sender {
  readonly #outbox: Outbox;
  /** Told of each stream whose answer has left whole. */
  readonly #onAnswered: (stream: Stream) => void;
  readonly #fields = new ResponseFields();
  readonly #block = new WriteBuffer(BLOCK_CAPACITY_BYTES);
  #window = INITIAL_WINDOW_BYTES;
  #frameBytesMax = INITIAL_FRAME_BYTES_MAX;
  /** In the order in which they came to wait. */
  readonly #waiting = new Set<Stream>();
  /** Of new streams. */
  initialWindow = INITIAL_WINDOW_BYTES;

  constructor(outbox: Outbox, onAnswered: (stream: Stream) => void) {
    this.#outbox = outbox;
    this.#onAnswered = onAnswered;
  }

  /** Where the message between `beginMessage` and `endMessage` is written. */
  get out(): WriteBuffer {
    return this.#outbox.out;
  }

  /** The head of an answer by gRPC, and room for what stands before its message. @returns for `endMessage` */
  beginMessage(stream: Stream): number {
    const { out } = this;
    this.#fields.writeHead(out, stream.id);
    const at = out.length;
    out.reserve(MESSAGE_AT);
    out.length += MESSAGE_AT;
    return at;
  }

  /** The message was written: the call went well, and ends. */
  endMessage(stream: Stream, at: number): void {
    const { out } = this;
    const dataBytes = out.length - at - FRAME_HEADER_BYTES;
    out.bytes[at + FRAME_HEADER_BYTES] = 0;
    putUint32(out.bytes, at + FRAME_HEADER_BYTES + 1, dataBytes - GRPC_PREFIX_BYTES);
    if (dataBytes <= Math.min(this.#window, stream.sendWindow, this.#frameBytesMax)) {
      this.#window -= dataBytes;
      putFrameHeader(out.bytes, at, dataBytes, FRAME.data, 0, stream.id);
      this.#endCall(stream);
      return;
    }
    const bytes = Buffer.from(out.bytes.subarray(at + FRAME_HEADER_BYTES, out.length));
    out.length = at;
    this.data(stream, bytes, () => this.#endCall(stream));
  }

  /** In place of a message: the call fails. */
  fail(stream: Stream, trailers: Iterable<Field>): void {
    this.#fields.writeHead(this.out, stream.id);
    this.trailers(stream, trailers);
  }

  head(stream: Stream, status: number, fields: Iterable<Field>, isEnd: boolean): void {
    this.#beginBlock();
    encodeStatus(this.#block, status);
    this.#writeBlock(stream, fields, isEnd);
  }

  trailers(stream: Stream, fields: Iterable<Field>): void {
    this.#beginBlock();
    this.#writeBlock(stream, fields, true);
  }

  /** Sends as the windows allow it. One at a time for each stream. @param onSent called when all of it has left */
  data(stream: Stream, bytes: Uint8Array, onSent: () => void): void {
    stream.pending = { bytes, at: 0, onSent };
    this.#waiting.add(stream);
    this.#pump();
  }

  /** An empty last DATA frame. */
  end(stream: Stream): void {
    writeFrameHeader(this.out, 0, FRAME.data, FLAG.endStream, stream.id);
    this.#answered(stream);
  }

  /** Nothing more is sent for it. */
  forget(stream: Stream): void {
    stream.pending = undefined;
    this.#waiting.delete(stream);
  }

  reset(streamId: number, code: number): void {
    this.#control(FRAME.rstStream, streamId, code);
  }

  windowUpdate(streamId: number, bytes: number): void {
    this.#control(FRAME.windowUpdate, streamId, bytes);
  }

  /** This side's part of the preface (RFC 9113 §3.4), and a window for all requests together. */
  greet(): void {
    writeFrameHeader(this.out, SETTING_BYTES * GREETING.length, FRAME.settings, 0, 0);
    for (const [id, value] of GREETING) {
      this.out.append(Uint8Array.of(id >>> 8, id));
      writeUint32(this.out, value);
    }
    this.windowUpdate(0, CONNECTION_WINDOW_BYTES - INITIAL_WINDOW_BYTES);
  }

  settingsAck(): void {
    writeFrameHeader(this.out, 0, FRAME.settings, FLAG.ack, 0);
    this.#outbox.flushSoon();
  }

  /** @param data eight bytes */
  ping(data: Uint8Array, flags: number): void {
    writeFrameHeader(this.out, data.length, FRAME.ping, flags, 0);
    this.out.append(data);
    this.#outbox.flushSoon();
  }

  /** @param reason for people; ASCII */
  goaway(lastStreamId: number, code: number, reason = ''): void {
    writeFrameHeader(this.out, 8 + reason.length, FRAME.goaway, 0, 0);
    writeUint32(this.out, lastStreamId);
    writeUint32(this.out, code);
    this.out.append(Buffer.from(reason, 'latin1'));
    this.#outbox.flushSoon();
  }

  /** The client grants more. @param stream undefined: for the connection @throws ConnectionError, StreamError beyond 2^31 - 1 */
  grant(stream: Stream | undefined, bytes: number): void {
    if (stream === undefined) {
      this.#window += bytes;
      if (this.#window > WINDOW_BYTES_CEILING) throw new ConnectionError(ERROR.flowControl, 'a window over 2^31 - 1');
    } else {
      stream.sendWindow += bytes;
      if (stream.sendWindow > WINDOW_BYTES_CEILING)
        throw new StreamError(stream.id, ERROR.flowControl, 'a window over 2^31 - 1');
    }
    this.#pump();
  }

  /** @throws ConnectionError when it makes a window larger than it may be */
  peerSettings({ headerTableBytes, initialWindowBytes, frameBytesMax }: PeerSettings, open: Iterable<Stream>): void {
    if (headerTableBytes !== undefined) this.#fields.clientTableChanged(headerTableBytes);
    if (frameBytesMax !== undefined) this.#frameBytesMax = frameBytesMax;
    if (initialWindowBytes === undefined) return;
    const more = initialWindowBytes - this.initialWindow;
    this.initialWindow = initialWindowBytes;
    for (const stream of open) {
      stream.sendWindow += more;
      if (stream.sendWindow > WINDOW_BYTES_CEILING)
        throw new ConnectionError(ERROR.flowControl, 'a window over 2^31 - 1');
    }
    this.#pump();
  }

  #endCall(stream: Stream): void {
    this.#fields.writeTrailer(this.out, stream.id);
    this.#answered(stream);
  }

  #answered(stream: Stream): void {
    this.#outbox.flushSoon();
    this.#onAnswered(stream);
  }

  #pump(): void {
    for (const stream of this.#waiting) {
      if (this.#window <= 0) break;
      this.#sendSome(stream);
    }
    this.#outbox.flushSoon();
  }

  #sendSome(stream: Stream): void {
    const { pending } = stream;
    if (pending === undefined) return;
    const { bytes, onSent } = pending;
    while (pending.at < bytes.length) {
      const some = Math.min(bytes.length - pending.at, this.#window, stream.sendWindow, this.#frameBytesMax);
      if (some <= 0) return;
      writeFrameHeader(this.out, some, FRAME.data, 0, stream.id);
      this.out.append(bytes.subarray(pending.at, pending.at + some));
      pending.at += some;
      this.#window -= some;
      stream.sendWindow -= some;
    }
    this.forget(stream);
    onSent();
  }

  #beginBlock(): void {
    this.#block.length = 0;
    this.#fields.writeTableSize(this.#block);
  }

  #writeBlock(stream: Stream, fields: Iterable<Field>, isEnd: boolean): void {
    const block = this.#block;
    for (const [name, value] of fields) encodeField(block, name, value);
    let type: number = FRAME.headers;
    for (let at = 0; at < block.length || type === FRAME.headers; at += this.#frameBytesMax) {
      const end = Math.min(block.length, at + this.#frameBytesMax);
      const endHeaders = end === block.length ? FLAG.endHeaders : 0;
      const endStream = isEnd && type === FRAME.headers ? FLAG.endStream : 0;
      writeFrameHeader(this.out, end - at, type, endHeaders | endStream, stream.id);
      this.out.append(block.bytes.subarray(at, end));
      type = FRAME.continuation;
    }
    if (isEnd) this.#answered(stream);
    else this.#outbox.flushSoon();
  }

  #control(type: number, streamId: number, value: number): void {
    writeFrameHeader(this.out, 4, type, 0, streamId);
    writeUint32(this.out, value);
    this.#outbox.flushSoon();
  }
}
