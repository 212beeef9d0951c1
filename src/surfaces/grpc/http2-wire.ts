/**
 * The bytes of one HTTP/2 connection between its socket and Node's session, so that a frame can be sent for which Node
 * has no call: the first of the two GOAWAYs of a graceful end.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/**
 * RFC 9113 §6.8: a GOAWAY on stream 0, 8 bytes long, that names stream 2^31 - 1 as the last one, and NO_ERROR.
 * Node's own ends the intake of streams as it is sent: those that are on their way already would never be answered.
 */
const GOAWAY_NOTICE = Buffer.from('000008' + '07' + '00' + '00000000' + '7fffffff' + '00000000', 'hex');

type WriteDone = (error?: Error | null) => void;

export class Http2Wire extends Duplex {
  readonly #socket: Socket;
  #hasEnded = false;

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.on('end', () => this.push(null));
    socket.on('close', () => this.destroy());
  }

  /** Asks the client to open no more streams here. Those that it opens until it has read this are answered, too. */
  sendGoawayNotice(): void {
    // Node's session writes whole frames at a time: between two of its writes is a place for another.
    if (!this.#hasEnded && this.#socket.writable) this.#socket.write(GOAWAY_NOTICE);
  }

  override _read(): void {
    this.#socket.resume();
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
    if (this.#hasEnded) done();
    else this.#socket.write(chunk, done);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: WriteDone): void {
    if (this.#hasEnded) {
      done();
      return;
    }
    this.#socket.cork();
    chunks.forEach(({ chunk }, index) => {
      this.#socket.write(chunk, index === chunks.length - 1 ? done : undefined);
    });
    this.#socket.uncork();
  }

  override _destroy(error: Error | null, done: WriteDone): void {
    this.#socket.destroy();
    done(error);
  }
}
