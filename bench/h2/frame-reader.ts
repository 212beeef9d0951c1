/** Bytes as they come to whole frames: joins what is split over reads and header blocks that are split over frames, and drops padding. */
import * as frames from './frames.ts';

const NOTHING = Buffer.alloc(0);

/** A payload lies in `bytes`, which are valid only during the call, between `from` and `to`; of HEADERS it is a whole block. */
export type OnFrame = (type: number, flags: number, stream: number, bytes: Buffer, from: number, to: number) => void;

export class FrameReader {
  readonly #onFrame: OnFrame;
  /** The beginning of a frame whose end has not come. */
  #unread: Buffer = NOTHING;
  /** A header block whose end has not come. */
  #block: { readonly stream: number; readonly flags: number; readonly bytes: Buffer } | undefined;

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame;
  }

  /** @throws Error when the bytes are no frames, and whatever `onFrame` throws */
  read(chunk: Buffer): void {
    const bytes = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    let at = 0;
    while (bytes.length - at >= frames.FRAME_HEAD_BYTES) {
      const length = bytes.readUIntBE(at, 3);
      if (length > frames.FRAME_PAYLOAD_BYTES_MAX) throw new Error(`a frame has ${length} bytes`);
      const from = at + frames.FRAME_HEAD_BYTES;
      const to = from + length;
      if (to > bytes.length) break;
      const stream = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
      this.#take(bytes[at + 3] as number, bytes[at + 4] as number, stream, bytes, from, to);
      at = to;
    }
    // The next read overwrites these bytes.
    this.#unread = at === bytes.length ? NOTHING : Buffer.from(bytes.subarray(at));
  }

  #take(type: number, flags: number, stream: number, bytes: Buffer, frameFrom: number, frameTo: number): void {
    if (this.#block !== undefined && type !== frames.CONTINUATION) throw new Error('a header block is interrupted');
    let [from, to] = [frameFrom, frameTo];
    if (flags & frames.PADDED && (type === frames.DATA || type === frames.HEADERS)) {
      to -= bytes[from] as number;
      from += 1;
    }
    if (flags & frames.PRIORITY && type === frames.HEADERS) from += PRIORITY_BYTES;
    const isEnd = (flags & frames.END_HEADERS) !== 0;
    if (type === frames.CONTINUATION || (type === frames.HEADERS && !isEnd)) {
      this.#takePart(flags, stream, bytes.subarray(from, to));
    } else {
      this.#onFrame(type, flags, stream, bytes, from, to);
    }
  }

  #takePart(flags: number, stream: number, part: Buffer): void {
    const before = this.#block ?? { stream, flags, bytes: NOTHING };
    if (before.stream !== stream) throw new Error('a CONTINUATION is of another stream');
    const block = { stream, flags: flags | before.flags, bytes: Buffer.concat([before.bytes, part]) };
    const isEnd = (flags & frames.END_HEADERS) !== 0;
    this.#block = isEnd ? undefined : block;
    if (isEnd) this.#onFrame(frames.HEADERS, block.flags, stream, block.bytes, 0, block.bytes.length);
  }
}

/** RFC 9113 §6.2. */
const PRIORITY_BYTES = 5;
