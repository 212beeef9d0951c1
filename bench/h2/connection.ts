/**
 * One HTTP/2 connection that makes gRPC calls at a few microseconds each: frames, windows, and who gets which answer.
 * Whether an answer is right, and what is asked next, is its listener's matter.
 */
import { connect, type Socket } from 'node:net';
import { begun, type Call, type Exchange, gather } from './exchange.ts';
import { FrameReader } from './frame-reader.ts';
import * as frames from './frames.ts';
import { HpackDecoder, TABLE_BYTES } from './hpack-decoder.ts';
import { Outbox } from './outbox.ts';
import { RequestHeaders } from './request-headers.ts';

export interface Listener {
  /** An answer has ended, well or not. What is asked now leaves with all else that this read brings about. */
  onEnd(exchange: Exchange): void;
  /** The connection is of no use any more. */
  onFailure(error: Error): void;
}

const READ_BYTES = 65_536;
// A server that takes longer for its SETTINGS is stuck.
const OPEN_MILLIS_MAX = 10_000;

export class Connection {
  #listener: Listener | undefined;
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #reader = new FrameReader((...frame) => this.#onFrame(...frame));
  readonly #decoder = new HpackDecoder();
  readonly #exchanges = new Map<number, Exchange>();
  /** Given up by us; what the server had sent before it knew is dropped. */
  readonly #cancelled = new Set<number>();
  /** Calls that the server's limits hold back. */
  readonly #waiting: Call[] = [];
  #requestHeaders: RequestHeaders | undefined;
  #laterHeaders: Buffer = Buffer.alloc(0);
  #nextId = 1;
  #sendWindowBytes = frames.WINDOW_BYTES_DEFAULT;
  #streamWindowBytes = frames.WINDOW_BYTES_DEFAULT;
  #streamsMax = Number.POSITIVE_INFINITY;
  #receivedBytes = 0;
  #isReading = false;
  #isClosed = false;
  #onSettings: (() => void) | undefined;

  private constructor(port: number) {
    const onread = {
      buffer: Buffer.allocUnsafe(READ_BYTES),
      callback: (count: number, buffer: Uint8Array) => {
        this.#read((buffer as Buffer).subarray(0, count));
        return true;
      },
    };
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, onread });
    this.#outbox = new Outbox(this.#socket);
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the server closed a connection')));
  }

  /** Settles when the server's SETTINGS are here. */
  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const connection = new Connection(port);
      const timer = setTimeout(() => connection.#fail(new Error('no SETTINGS came')), OPEN_MILLIS_MAX);
      const onFailure = (error: Error): void => {
        clearTimeout(timer);
        reject(error);
      };
      connection.#listener = { onEnd: () => undefined, onFailure };
      connection.#onSettings = () => {
        clearTimeout(timer);
        resolve(connection);
      };
      connection.#socket.write(frames.OPENING);
    });
  }

  /** From now on in place of whoever listened before. */
  listen(listener: Listener): void {
    this.#listener = listener;
  }

  ask(call: Call): void {
    if (this.#waiting.length > 0 || !this.#fits(call)) this.#waiting.push(call);
    else this.#send(call);
  }

  /** Resets the oldest call in flight; its listener hears nothing of it. @returns whether there was one */
  cancelOldest(): boolean {
    const [id] = this.#exchanges.keys();
    if (id === undefined) return false;
    this.#exchanges.delete(id);
    this.#cancelled.add(id);
    this.#add(frames.frame(frames.RST_STREAM, 0, id, frames.uint32(frames.CANCEL)));
    return true;
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #fits({ request }: Call): boolean {
    const bytes = request.length - frames.FRAME_HEAD_BYTES;
    if (bytes > this.#streamWindowBytes) throw new Error(`the server's window is too narrow for ${bytes} bytes`);
    return bytes <= this.#sendWindowBytes && this.#exchanges.size < this.#streamsMax;
  }

  #send(call: Call): void {
    const id = this.#nextId;
    this.#nextId += 2;
    this.#exchanges.set(id, begun(call, performance.now()));
    this.#sendWindowBytes -= call.request.length - frames.FRAME_HEAD_BYTES;
    this.#outbox.addFrame(this.#headersFrame(call, id), id);
    this.#outbox.addFrame(call.request, id);
    if (!this.#isReading) this.#outbox.flush();
  }

  #headersFrame({ timeout }: Call, id: number): Buffer {
    if (id > 1 && timeout === undefined) return this.#laterHeaders;
    const headers = this.#requestHeaders;
    if (headers === undefined || (id === 1 && timeout !== undefined)) throw new Error('a connection is used too early');
    const block = timeout === undefined ? headers.first : headers.laterWithin(timeout);
    return frames.frame(frames.HEADERS, frames.END_HEADERS, 0, block);
  }

  #sendWaiting(): void {
    for (let call = this.#waiting[0]; call !== undefined && this.#fits(call); call = this.#waiting[0]) {
      this.#waiting.shift();
      this.#send(call);
    }
  }

  #add(frame: Buffer): void {
    this.#outbox.add(frame);
    if (!this.#isReading) this.#outbox.flush();
  }

  #read(chunk: Buffer): void {
    this.#isReading = true;
    try {
      this.#reader.read(chunk);
      this.#sendWaiting();
    } catch (error) {
      this.#fail(error as Error);
    }
    this.#isReading = false;
    if (!this.#isClosed) this.#outbox.flush();
  }

  #onFrame(type: number, flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (this.#isClosed) return;
    if (type === frames.DATA) this.#onData(flags, id, bytes, from, to);
    else if (type === frames.HEADERS) this.#onHeaders(flags, id, bytes, from, to);
    else if (type === frames.RST_STREAM) this.#onReset(id, bytes.readUInt32BE(from));
    else if (type === frames.GOAWAY) throw new Error(`the server goes away with code ${bytes.readUInt32BE(from + 4)}`);
    else if (type === frames.PUSH_PROMISE) throw new Error('the server pushes');
    // A stream's own window does not matter: a request fits into the one that every stream begins with.
    else if (type === frames.WINDOW_UPDATE && id === 0) this.#sendWindowBytes += bytes.readUInt32BE(from);
    else if (flags & frames.ACK) return;
    else if (type === frames.SETTINGS) this.#onServerSettings(bytes.subarray(from, to));
    else if (type === frames.PING) this.#add(frames.frame(frames.PING, frames.ACK, 0, bytes.subarray(from, to)));
  }

  #onData(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    // Padding would count, too (RFC 9113 §6.9), but the window is far too wide for that to matter.
    this.#receivedBytes += to - from;
    if (this.#receivedBytes > frames.CONNECTION_WINDOW_BYTES / 2) {
      this.#add(frames.windowUpdate(this.#receivedBytes));
      this.#receivedBytes = 0;
    }
    const exchange = this.#exchangeOf(id);
    if (exchange !== undefined && to > from) gather(exchange, bytes, from, to);
    if (flags & frames.END_STREAM) this.#end(id, exchange);
  }

  #onHeaders(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    // Also for a call that was given up: the block may change the table.
    const headers = this.#decoder.decode(bytes, from, to);
    const exchange = this.#exchangeOf(id);
    if (exchange?.headers === undefined) {
      if (exchange !== undefined) exchange.headers = headers;
    } else {
      exchange.trailers = headers;
    }
    if (flags & frames.END_STREAM) this.#end(id, exchange);
  }

  #onServerSettings(payload: Buffer): void {
    let tableBytesMax = TABLE_BYTES;
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      const [setting, value] = [payload.readUInt16BE(at), payload.readUInt32BE(at + 2)];
      if (setting === frames.SETTINGS_HEADER_TABLE_SIZE) tableBytesMax = value;
      else if (setting === frames.SETTINGS_INITIAL_WINDOW_SIZE) this.#streamWindowBytes = value;
      else if (setting === frames.SETTINGS_MAX_CONCURRENT_STREAMS) this.#streamsMax = value;
    }
    this.#add(frames.frame(frames.SETTINGS, frames.ACK, 0, Buffer.alloc(0)));
    if (this.#requestHeaders !== undefined) return;
    this.#requestHeaders = new RequestHeaders(tableBytesMax);
    this.#laterHeaders = frames.frame(frames.HEADERS, frames.END_HEADERS, 0, this.#requestHeaders.later);
    this.#onSettings?.();
  }

  /** Also of a call that has ended: a server may reset what it does not want to read any more (RFC 9113 §8.1). */
  #onReset(id: number, code: number): void {
    const exchange = this.#exchanges.get(id);
    if (exchange !== undefined) exchange.resetCode = code;
    this.#end(id, exchange);
  }

  /** @returns undefined for a call that was given up @throws Error for one that never was, or has ended */
  #exchangeOf(id: number): Exchange | undefined {
    const exchange = this.#exchanges.get(id);
    if (exchange === undefined && !this.#cancelled.has(id)) throw new Error(`a frame came for no call: stream ${id}`);
    return exchange;
  }

  #end(id: number, exchange: Exchange | undefined): void {
    if (exchange === undefined) {
      this.#cancelled.delete(id);
      return;
    }
    this.#exchanges.delete(id);
    this.#listener?.onEnd(exchange);
  }

  #fail(error: Error): void {
    if (this.#isClosed) return;
    this.close();
    this.#listener?.onFailure(error);
  }
}
