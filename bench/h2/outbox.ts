/** What one turn writes to a socket, gathered so that it leaves in one write. */
import type { Socket } from 'node:net';
import { FRAME_HEAD_BYTES, FRAME_PAYLOAD_BYTES_MAX } from './frames.ts';

// Room for several of the largest frames; what is more leaves in another write.
const BUFFER_BYTES = 4 * (FRAME_HEAD_BYTES + FRAME_PAYLOAD_BYTES_MAX);

export class Outbox {
  readonly #socket: Socket;
  #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #length = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  add(frame: Buffer): void {
    if (this.#length + frame.length > BUFFER_BYTES) this.flush();
    this.#buffer.set(frame, this.#length);
    this.#length += frame.length;
  }

  /** A prepared frame, of this stream. */
  addFrame(frame: Buffer, stream: number): void {
    this.add(frame);
    this.#buffer.writeUInt32BE(stream, this.#length - frame.length + 5);
  }

  flush(): void {
    if (this.#length === 0) return;
    this.#socket.write(this.#buffer.subarray(0, this.#length));
    // The kernel has nearly always taken it all by now, and the buffer is free again.
    if (this.#socket.writableLength > 0) this.#buffer = Buffer.allocUnsafe(BUFFER_BYTES);
    this.#length = 0;
  }
}
