/** What leaves through one socket: all of a turn of the event loop in one write, and no more than its reader takes. */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../../ports/clock.ts';
import { WriteBuffer } from './write-buffer.ts';

export interface OutboxOptions {
  readonly socket: Socket;
  readonly clock: Pick<Clock, 'after'>;
  /** The reader is behind (true): nothing more should be asked of it; or has caught up (false). */
  readonly onBehind: (isBehind: boolean) => void;
}

// The answers of a busy turn: 64 of them.
const CAPACITY_BYTES = 32_768;
// A burst of thousands of answers need not be kept room for.
const KEPT_CAPACITY_BYTES = 262_144;
// A reader that lets so much wait is read from no more, until it has taken it.
const BEHIND_BYTES_MAX = 262_144;
// One that has not caught up after so long is given up.
const BEHIND_MILLIS_MAX = 20_000;
// One that has everything has so long to read it and to go.
const LAST_WORDS_MILLIS_MAX = 1_000;

export class Outbox {
  /** Where frames are written; call `flushSoon` afterwards. */
  readonly out = new WriteBuffer(CAPACITY_BYTES);
  readonly #options: OutboxOptions;
  #isScheduled = false;
  /** The system has not taken yet what was written last. */
  #isWriting = false;
  #hasEnded = false;
  #patience: Timer | undefined;
  #waiters: (() => void)[] = [];

  constructor(options: OutboxOptions) {
    this.#options = options;
    options.socket.once('close', () => this.#settle());
  }

  /** More waits than the reader should let wait. */
  get isBehind(): boolean {
    return this.#patience !== undefined;
  }

  flushSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#flush);
  }

  /** Settles when the reader is not behind, or gone. */
  ready(): Promise<void> | undefined {
    // Much may have been written in this turn, before anything of it was sent.
    this.#look();
    if (!this.isBehind) return undefined;
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Sends what is written so far, and then no more. The client may close first, so that it can read all of it. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const { socket, clock } = this.#options;
    // What still comes is read, and thrown away: unread, it would have the system call all back that was sent.
    this.#settle();
    if (socket.destroyed) return;
    let patience = clock.after(BEHIND_MILLIS_MAX, () => socket.destroy());
    socket.once('finish', () => {
      patience.cancel();
      patience = clock.after(LAST_WORDS_MILLIS_MAX, () => socket.destroy());
    });
    socket.once('close', () => patience.cancel());
    socket.end(Buffer.from(this.out.bytes.subarray(0, this.out.length)));
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    const { socket } = this.#options;
    if (this.#hasEnded || socket.destroyed) {
      this.out.length = 0;
      return;
    }
    if (!this.#isWriting && this.out.length > 0) this.#write(socket);
    this.#look();
  };

  #write(socket: Socket): void {
    const { out } = this;
    socket.write(out.bytes.subarray(0, out.length), this.#written);
    this.#isWriting = socket.writableLength > 0;
    // What the system has taken at once is no more looked at; the rest belongs to the socket until it is written.
    if (this.#isWriting || out.bytes.length > KEPT_CAPACITY_BYTES) out.renew(CAPACITY_BYTES);
    else out.length = 0;
    if (!this.#isWriting) this.#settle();
  }

  readonly #written = (): void => {
    if (!this.#isWriting || this.#options.socket.writableLength > 0) return;
    this.#isWriting = false;
    this.#settle();
    this.#flush();
  };

  #look(): void {
    const { socket, clock, onBehind } = this.#options;
    if (this.#hasEnded || socket.destroyed || this.#patience !== undefined) return;
    if (this.out.length + socket.writableLength <= BEHIND_BYTES_MAX) return;
    this.#patience = clock.after(BEHIND_MILLIS_MAX, () => socket.destroy());
    onBehind(true);
  }

  #settle(): void {
    if (this.#patience === undefined) return;
    this.#patience.cancel();
    this.#patience = undefined;
    this.#options.onBehind(false);
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }
}
