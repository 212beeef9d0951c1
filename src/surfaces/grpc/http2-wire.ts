/**
 * The bytes of one HTTP/2 connection between its socket and Node's session, so that a frame can be sent for which Node
 * has no call: the first of the two GOAWAYs of a graceful end.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Clock } from '../../ports/clock.ts';

/**
 * RFC 9113 §6.8: a GOAWAY on stream 0, 8 bytes long, that names stream 2^31 - 1 as the last one, and NO_ERROR.
 * Node's own ends the intake of streams as it is sent: those that are on their way already would never be answered.
 */
const GOAWAY_NOTICE = Buffer.from('000008' + '07' + '00' + '00000000' + '7fffffff' + '00000000', 'hex');

/**
 * A client that takes nothing so long is given up: what it is to be told is held for it. Frames of Node's are no longer
 * than a few MiB, so who reads at all is through with one by then.
 */
const WRITE_MILLIS_MAX = 20_000;

type WriteDone = (error?: Error | null) => void;

export class Http2Wire extends Duplex {
  readonly #socket: Socket;
  readonly #clock: Clock;
  #hasEnded = false;
  /** The system has not taken all that was written. */
  #isBlocked = false;
  /** The session takes more of what is read. */
  #wantsMore = false;

  constructor(socket: Socket, clock: Clock) {
    super();
    this.#socket = socket;
    this.#clock = clock;
    socket.on('data', (chunk: Buffer) => {
      this.#wantsMore = this.push(chunk);
      if (!this.#wantsMore) socket.pause();
    });
    socket.on('end', () => this.push(null));
    socket.on('close', () => this.destroy());
  }

  /** Asks the client to open no more streams here. Those that it opens until it has read this are answered, too. */
  sendGoawayNotice(): void {
    // Node's session writes whole frames at a time: between two of its writes is a place for another.
    if (!this.#hasEnded && this.#socket.writable) this.#socket.write(GOAWAY_NOTICE);
  }

  /** Nothing is read while a write waits: a client that asks and never reads would have its answers pile up here. */
  override _read(): void {
    this.#wantsMore = true;
    if (!this.#isBlocked) this.#socket.resume();
  }

  /**
   * In this very turn, whatever the socket still has to send: what Node's session writes while it waits for the end
   * would be an assertion of Node's that fails. What it writes afterwards has nobody to read it.
   */
  override end(...given: readonly unknown[]): this {
    this.#hasEnded = true;
    this.#socket.end();
    const done = given.find((each) => typeof each === 'function');
    if (done !== undefined) process.nextTick(done as () => void);
    return this;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: WriteDone): void {
    this._writev([{ chunk }], done);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: WriteDone): void {
    if (this.#hasEnded) {
      done();
      return;
    }
    const socket = this.#socket;
    let written: WriteDone = done;
    socket.cork();
    chunks.forEach(({ chunk }, index) => {
      socket.write(chunk, index === chunks.length - 1 ? (error) => written(error) : undefined);
    });
    socket.uncork();
    // What the system has taken in this turn leaves nothing behind.
    if (socket.writableLength > 0) written = this.#blocked(done);
  }

  #blocked(done: WriteDone): WriteDone {
    const patience = this.#clock.after(WRITE_MILLIS_MAX, () => this.destroy());
    this.#isBlocked = true;
    this.#socket.pause();
    return (error) => {
      patience.cancel();
      this.#isBlocked = false;
      if (this.#wantsMore) this.#socket.resume();
      done(error);
    };
  }

  override _destroy(error: Error | null, done: WriteDone): void {
    this.#socket.destroy();
    done(error);
  }
}
