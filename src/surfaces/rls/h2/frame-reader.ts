/** Cuts what a socket brings into frames. What they mean is the connection's matter. */
import { ConnectionError } from './errors.ts';
import { ERROR, FRAME_HEADER_BYTES, INITIAL_FRAME_BYTES_MAX, PREFACE, uint31At } from './frames.ts';

/** Takes whole frames, in order. The payload is valid during the call only. */
export interface FrameHandler {
  frame(type: number, flags: number, streamId: number, bytes: Buffer, from: number, to: number): void;
}

export class FrameReader {
  readonly #handler: FrameHandler;
  /** Of the preface, what has not come yet. */
  #prefaceAt = 0;
  /** The beginning of a frame whose end has not come yet. It holds one frame of the largest size. */
  #partial: Buffer | undefined;
  #partialBytes = 0;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** @throws ConnectionError, and whatever the handler throws */
  read(chunk: Buffer): void {
    let at = this.#prefaceAt < PREFACE.length ? this.#readPreface(chunk) : 0;
    if (this.#partialBytes > 0) at = this.#complete(chunk, at);
    while (chunk.length - at >= FRAME_HEADER_BYTES) {
      const end = at + FRAME_HEADER_BYTES + payloadBytesAt(chunk, at);
      if (end > chunk.length) break;
      this.#handle(chunk, at, end);
      at = end;
    }
    if (at < chunk.length) this.#keep(chunk, at, chunk.length);
  }

  #handle(bytes: Buffer, at: number, end: number): void {
    const type = bytes[at + 3] as number;
    this.#handler.frame(type, bytes[at + 4] as number, uint31At(bytes, at + 5), bytes, at + FRAME_HEADER_BYTES, end);
  }

  /** @returns where the first frame begins */
  #readPreface(chunk: Buffer): number {
    const bytes = Math.min(chunk.length, PREFACE.length - this.#prefaceAt);
    if (PREFACE.compare(chunk, 0, bytes, this.#prefaceAt, this.#prefaceAt + bytes) !== 0)
      throw new ConnectionError(ERROR.protocol, 'the connection preface is none');
    this.#prefaceAt += bytes;
    return bytes;
  }

  /** Goes on with the frame that was begun. @returns where the next one begins */
  #complete(chunk: Buffer, from: number): number {
    const partial = this.#partial as Buffer;
    let at = from;
    if (this.#partialBytes < FRAME_HEADER_BYTES) {
      at = this.#keep(chunk, at, Math.min(chunk.length, at + FRAME_HEADER_BYTES - this.#partialBytes));
      if (this.#partialBytes < FRAME_HEADER_BYTES) return at;
    }
    const end = FRAME_HEADER_BYTES + payloadBytesAt(partial, 0);
    at = this.#keep(chunk, at, Math.min(chunk.length, at + end - this.#partialBytes));
    if (this.#partialBytes === end) {
      this.#partialBytes = 0;
      this.#handle(partial, 0, end);
    }
    return at;
  }

  /** @returns `to` */
  #keep(chunk: Buffer, from: number, to: number): number {
    this.#partial ??= Buffer.allocUnsafeSlow(FRAME_HEADER_BYTES + INITIAL_FRAME_BYTES_MAX);
    this.#partialBytes += chunk.copy(this.#partial, this.#partialBytes, from, to);
    return to;
  }
}

/** @throws ConnectionError for a frame that is larger than this service has agreed to */
function payloadBytesAt(bytes: Buffer, at: number): number {
  const length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
  if (length > INITIAL_FRAME_BYTES_MAX) throw new ConnectionError(ERROR.frameSize, `a frame of ${length} bytes`);
  return length;
}
