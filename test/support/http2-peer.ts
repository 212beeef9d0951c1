/** A client of HTTP/2 that reads and writes frame by frame: for what a library's client would not show or not do. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encoded, frame as message } from './clients-grpc.ts';
import { RLS_PATH } from './clients-rls.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import {
  ACK,
  dataFrames,
  END_HEADERS,
  END_STREAM,
  type ErrorCode,
  errorName,
  type Frame,
  FrameReader,
  type FrameType,
  frameBytes,
  headerBlock,
  headersFrames,
  PREFACE,
  ping,
  reset,
  settingsBytes,
} from './http2-frames.ts';

/** What came back on one stream. */
export interface PeerAnswer {
  /** By their names; `:status` among them. */
  readonly headers: Readonly<Record<string, string>>;
  /** Empty if the answer was headers only. */
  readonly trailers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** How: answered to its end, reset, or neither when its connection went. */
  readonly ended: 'answered' | ErrorCode | 'lost';
}

export interface PeerOptions {
  readonly settings?: Parameters<typeof settingsBytes>[0];
  /** Says so when it has read the server's settings; default true. */
  readonly acknowledgesSettings?: boolean;
}

const CALL_PERIOD_MILLIS = 1;
const CHUNK_BYTES = 16_000;
const INITIAL_WINDOW_BYTES = 65_535; // RFC 9113 §6.9.2
const QUESTION = { domain: 'closient', descriptors: [{ entries: [{ key: 'api_key', value: 'k' }] }] };
/** The message that `call` sends. */
export const QUESTION_BYTES = message(encoded(QUESTION));

export class Http2Peer {
  /** The streams that were answered to their end, in that order. */
  readonly answered: number[] = [];
  /** Settles when the connection is gone. */
  readonly closed: Promise<unknown>;
  /** Of the last GOAWAY that was read. */
  goaway: ErrorCode | undefined;
  /** Frames that were read, by type. */
  readonly counts = new Map<string, number>();
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #unread: Frame[] = [];
  readonly #streams = new Map<number, StreamAnswer>();
  /** What may be sent, by stream; 0 is the connection. */
  readonly #windows = new Map<number, number>();
  readonly #fields = new HpackDecoder();
  readonly #acknowledgesSettings: boolean;
  #blocks: Buffer[] = [];
  #wake: () => void = () => undefined;
  #isClosed = false;

  private constructor(socket: Socket, { acknowledgesSettings = true }: PeerOptions) {
    this.#socket = socket;
    this.#acknowledgesSettings = acknowledgesSettings;
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.once('close', () => {
      this.#isClosed = true;
      for (const stream of this.#streams.values()) stream.end('lost');
      this.#wake();
    });
  }

  /** Settles when the server has answered a PING, and so knows the connection. @param at a port, or a socket's path */
  static async open(at: number | string, options: PeerOptions = {}): Promise<Http2Peer> {
    const peer = await Http2Peer.connect(at, options);
    peer.send(PREFACE, settingsBytes(options.settings ?? []), ping());
    await peer.frame('PING');
    return peer;
  }

  /** Has said nothing yet, not even that it speaks HTTP/2. */
  static async connect(at: number | string, options: PeerOptions = {}): Promise<Http2Peer> {
    const socket = typeof at === 'string' ? connect(at) : connect({ port: at, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new Http2Peer(socket, options);
  }

  /** The next frame of this type; others are passed over. @throws when the connection ends before it */
  async frame(type: FrameType): Promise<Frame> {
    for (;;) {
      for (let next = this.#unread.shift(); next; next = this.#unread.shift()) if (next.type === type) return next;
      if (this.#isClosed) throw new Error(`the connection ended (${this.goaway}) before a frame of ${type} came`);
      await this.#news();
    }
  }

  /** Settles when the answer on this stream has ended, the stream was reset, or the connection has ended. */
  answer(stream: number): Promise<PeerAnswer> {
    const answer = this.#answerOf(stream);
    if (this.#isClosed) answer.end('lost');
    return answer.ended;
  }

  /** The body of a request without its end, as the server allows it (RFC 9113 §6.9). */
  async sendBody(stream: number, body: Buffer): Promise<void> {
    for (let from = 0; from < body.length; from += CHUNK_BYTES) {
      const chunk = body.subarray(from, from + CHUNK_BYTES);
      await this.#until(() => Math.min(this.#windowOf(0), this.#windowOf(stream)) >= chunk.length);
      for (const id of [0, stream]) this.#windows.set(id, this.#windowOf(id) - chunk.length);
      this.send(frameBytes('DATA', 0, stream, chunk));
    }
  }

  /** In one write. */
  send(...bytes: readonly Uint8Array[]): void {
    this.#socket.write(Buffer.concat(bytes));
  }

  /** Settles when the system has taken all of it, or the connection is gone. */
  async sendAll(bytes: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#socket.write(bytes, () => resolve());
    });
  }

  stopReading(): void {
    this.#socket.pause();
  }

  readOn(): void {
    this.#socket.resume();
  }

  /** ShouldRateLimit on this stream. */
  call(stream: number): void {
    this.send(head(stream), dataFrames(stream, QUESTION_BYTES));
  }

  /** Gives a call up (CANCEL), as a gateway does whose own time for it is over. */
  cancel(stream: number): void {
    this.send(reset(stream, 'CANCEL'));
  }

  /** Calls one after the other until GOAWAY is read, and acknowledges PINGs. @returns how many calls it made */
  async callUntilAskedToGo(): Promise<number> {
    let calls = 0;
    while (this.goaway === undefined) {
      this.call(2 * calls + 1);
      calls += 1;
      await new Promise((resolve) => setTimeout(resolve, CALL_PERIOD_MILLIS));
    }
    this.acknowledge(await this.frame('PING'));
    return calls;
  }

  acknowledge(ping: Frame): void {
    this.send(frameBytes('PING', ACK, 0, ping.payload));
  }

  close(): void {
    this.#socket.destroy();
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#isClosed) throw new Error(`the connection ended (${this.goaway})`);
      await this.#news();
    }
  }

  /** Settles when something was read, or the connection is gone. */
  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #windowOf(stream: number): number {
    return this.#windows.get(stream) ?? INITIAL_WINDOW_BYTES;
  }

  #read(chunk: Buffer): void {
    for (const frame of this.#reader.read(chunk)) {
      this.#unread.push(frame);
      this.counts.set(frame.type, (this.counts.get(frame.type) ?? 0) + 1);
      this.#take(frame);
    }
    this.#wake();
  }

  #take({ type, flags, stream, payload }: Frame): void {
    if (type === 'WINDOW_UPDATE') this.#windows.set(stream, this.#windowOf(stream) + payload.readUInt32BE(0));
    if (type === 'GOAWAY') this.goaway = errorName(payload.readUInt32BE(4));
    if (type === 'SETTINGS' && (flags & ACK) === 0 && this.#acknowledgesSettings)
      this.send(frameBytes('SETTINGS', ACK, 0));
    if (type === 'RST_STREAM') this.#answerOf(stream).end(errorName(payload.readUInt32BE(0)));
    if (type === 'DATA') this.#answerOf(stream).chunks.push(payload);
    if (type === 'HEADERS' || type === 'CONTINUATION') this.#takeFields(flags, stream, payload);
    if ((type === 'DATA' || type === 'HEADERS') && (flags & END_STREAM) !== 0) {
      this.answered.push(stream);
      this.#answerOf(stream).end('answered');
    }
  }

  #takeFields(flags: number, stream: number, payload: Buffer): void {
    this.#blocks.push(payload);
    if ((flags & END_HEADERS) === 0) return;
    const fields = this.#fields.decode(Buffer.concat(this.#blocks));
    this.#blocks = [];
    this.#answerOf(stream).blocks.push(Object.fromEntries(fields));
  }

  #answerOf(stream: number): StreamAnswer {
    const answer = this.#streams.get(stream) ?? new StreamAnswer();
    this.#streams.set(stream, answer);
    return answer;
  }
}

class StreamAnswer {
  readonly blocks: Record<string, string>[] = [];
  readonly chunks: Buffer[] = [];
  readonly ended: Promise<PeerAnswer>;
  readonly end: (how: PeerAnswer['ended']) => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<PeerAnswer>();
    this.ended = promise;
    this.end = (ended) => {
      const [headers = {}, trailers = {}] = this.blocks;
      resolve({ headers, trailers, body: Buffer.concat(this.chunks), ended });
    };
  }
}

/** The fields of a call by gRPC; those of `more` replace them or come behind. */
export function callFields(more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const target = { ':method': 'POST', ':scheme': 'http', ':authority': 'x', ':path': RLS_PATH };
  return { ...target, 'content-type': 'application/grpc', te: 'trailers', ...more };
}

/** HEADERS that open a call by gRPC; its body is to follow. */
export function head(stream: number, more: Readonly<Record<string, string>> = {}): Buffer {
  return headersFrames(stream, headerBlock(callFields(more)));
}
