/** The server's side of one HTTP/2 connection (RFC 9113): frames in, requests to their consumers, and how both end. */
import type { Socket } from 'node:net';
import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import { CONCURRENT_STREAMS_MAX, type FrameBudgets, frameBudgets, SMALL_FRAMES_A_STREAM } from './bounds.ts';
import type { Budget } from './budget.ts';
import { ConnectionError, StreamError } from './errors.ts';
import {
  checkGoaway,
  checkPing,
  checkPriority,
  nothingGranted,
  PING_BYTES,
  PRIORITY_BYTES,
  paddingStart,
} from './frame-parts.ts';
import { FrameReader } from './frame-reader.ts';
import { ERROR, FLAG, FRAME, STREAM_ID_MAX, uint31At } from './frames.ts';
import { HeadReader } from './head-reader.ts';
import { HeaderBlock } from './header-block.ts';
import { HpackError } from './hpack/decoder.ts';
import { IdleWatch } from './idle-watch.ts';
import { Outbox } from './outbox.ts';
import { readSettings } from './peer-settings.ts';
import { Receiver } from './receiver.ts';
import { RecentResets } from './recent-resets.ts';
import type { RequestHead } from './request-head.ts';
import { Sender } from './sender.ts';
import { Stream, type StreamConsumer } from './stream.ts';
import { StreamTable } from './stream-table.ts';

export interface ConnectionOptions {
  /** What is read from it is in clear. Its errors are its owner's to listen for. */
  readonly socket: Socket;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes each request as its head has come. */
  readonly serve: (stream: Stream, connection: Connection) => StreamConsumer;
}

const EMPTY = Buffer.alloc(0);
const REQUEST_HEADER_FIELDS_TOO_LARGE = 431; // RFC 6585 §5

export class Connection {
  readonly sender: Sender;
  readonly #options: ConnectionOptions;
  readonly #outbox: Outbox;
  readonly #receiver: Receiver;
  readonly #budgets: FrameBudgets;
  readonly #idle: IdleWatch;
  readonly #reader = new FrameReader(this);
  readonly #heads = new HeadReader();
  readonly #streams = new StreamTable();
  readonly #resets = new RecentResets();
  readonly #onPong: (() => void)[] = [];
  /** Present between a HEADERS and the CONTINUATION that ends it. */
  #block: HeaderBlock | undefined;
  /** The highest that the client has used. */
  #lastStreamId = 0;
  /** The highest that was taken on: calls beyond may be sent again elsewhere. */
  #lastServedId = 0;
  #hasSettings = false;
  /** The last word was sent: requests that come now are refused, and with the last answer the connection ends. */
  #isClosing = false;
  #hasFailed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { socket, clock } = options;
    this.#budgets = frameBudgets(clock);
    this.#idle = new IdleWatch(clock);
    this.#outbox = new Outbox({ socket, clock, onBehind: (isBehind) => (isBehind ? socket.pause() : socket.resume()) });
    this.sender = new Sender(this.#outbox, (stream) => this.#answered(stream));
    this.#receiver = new Receiver(this.sender);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('close', () => this.#abortAll());
    this.sender.greet();
  }

  get destroyed(): boolean {
    return this.#options.socket.destroyed;
  }

  onClose(callback: () => void): void {
    this.#options.socket.once('close', callback);
  }

  onIdle(millis: number, callback: () => void): void {
    this.#idle.start(millis, callback);
    this.onClose(() => this.#idle.stop());
  }

  /** RFC 9113 §6.8: the client is to open no more streams; those that it opens until it has read this are answered. */
  sendGoawayNotice(): void {
    if (!this.#isClosing) this.sender.goaway(STREAM_ID_MAX, ERROR.none);
  }

  /** @param onPong called when the client has read all that was sent before */
  ping(onPong: () => void): void {
    this.#onPong.push(onPong);
    this.sender.ping(Buffer.alloc(PING_BYTES), 0);
  }

  /** Takes no more requests, and ends with the last answer. */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.sender.goaway(this.#lastServedId, ERROR.none);
    this.#endIfDone();
  }

  destroy(): void {
    this.#options.socket.destroy();
  }

  /** Settles when what was sent has a reader; undefined if it has one now. */
  ready(): Promise<void> | undefined {
    return this.#outbox.ready();
  }

  /** What came of a stream's body was used: as much may come anew. */
  consumed(stream: Stream, bytes: number): void {
    this.#receiver.consumed(stream, bytes);
  }

  /** Ends a stream without an answer, or before its end. */
  reset(stream: Stream, code: number): void {
    if (stream.isClosed) return;
    this.#resets.add(stream.id);
    this.sender.reset(stream.id, code);
    this.#forget(stream);
  }

  /** FrameReader's. @throws ConnectionError */
  frame(type: number, flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    if (this.#block !== undefined && (type !== FRAME.continuation || streamId !== this.#block.streamId))
      throw new ConnectionError(ERROR.protocol, 'a header block is interrupted');
    if (!this.#hasSettings && type !== FRAME.settings)
      throw new ConnectionError(ERROR.protocol, 'the preface lacks its SETTINGS');
    try {
      this.#take(type, flags, streamId, bytes, from, to);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.#spend(this.#budgets.resets);
      const stream = this.#streams.get(error.streamId);
      this.#resets.add(error.streamId);
      this.sender.reset(error.streamId, error.code);
      if (stream !== undefined) this.#abort(stream, error.code);
    }
  }

  #take(type: number, flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    switch (type) {
      case FRAME.data:
        this.#takeData(flags, streamId, bytes, from, to);
        break;
      case FRAME.headers:
        this.#takeHeaders(flags, streamId, bytes, from, to);
        break;
      case FRAME.continuation:
        this.#takeContinuation(flags, bytes, from, to);
        break;
      case FRAME.windowUpdate:
        this.#takeWindowUpdate(streamId, bytes, from, to);
        break;
      case FRAME.rstStream:
        this.#takeReset(streamId, bytes, from, to);
        break;
      case FRAME.settings:
        this.#takeSettings(flags, streamId, bytes, from, to);
        break;
      case FRAME.ping:
        this.#takePing(flags, streamId, bytes, from, to);
        break;
      case FRAME.priority:
        this.#takePriority(streamId, bytes, from, to);
        break;
      case FRAME.goaway:
        this.#takeGoaway(streamId, to - from);
        break;
      case FRAME.pushPromise:
        throw new ConnectionError(ERROR.protocol, 'a client cannot push');
      default:
        this.#spend(this.#budgets.small);
    }
  }

  #read(chunk: Buffer): void {
    if (this.#hasFailed) return;
    try {
      this.#reader.read(chunk);
    } catch (error) {
      if (error instanceof ConnectionError) this.#fail(error.code, error.message);
      else if (error instanceof HpackError) this.#fail(ERROR.compression, error.message);
      else {
        // A mistake of ours costs one connection, not all of them.
        this.#options.log.error({ err: error }, 'a connection failed unexpectedly');
        this.#fail(ERROR.internal, 'internal error');
      }
    }
  }

  /** RFC 9113 §5.4.1: what comes after it means nothing. */
  #fail(code: number, reason: string): void {
    this.#hasFailed = true;
    this.sender.goaway(this.#lastServedId, code, reason);
    this.#abortAll();
    this.#outbox.end();
  }

  #takeData(flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    if (streamId === 0) throw new ConnectionError(ERROR.protocol, 'DATA of no stream');
    this.#idle.moved();
    const stream = this.#streams.get(streamId);
    this.#receiver.received(stream, to - from);
    const isPadded = (flags & FLAG.padded) !== 0;
    const start = isPadded ? from + 1 : from;
    const end = isPadded ? paddingStart(bytes, from, to) : to;
    if (stream === undefined) {
      if (this.#isIdle(streamId)) throw new ConnectionError(ERROR.protocol, 'DATA of an idle stream');
      if (!this.#resets.has(streamId)) throw new StreamError(streamId, ERROR.streamClosed, 'DATA of a closed stream');
      return;
    }
    if (stream.isRequestEnded) throw new StreamError(streamId, ERROR.streamClosed, 'DATA behind the end');
    const isEnd = (flags & FLAG.endStream) !== 0;
    if (start === end && !isEnd) this.#spend(this.#budgets.small);
    this.#receiver.body(stream, end - start, isEnd);
    if (to - from > end - start) this.#receiver.consumed(stream, to - from - (end - start));
    stream.isRequestEnded = isEnd;
    stream.consumer?.data(bytes, start, end, isEnd);
  }

  #takeHeaders(flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    if (streamId % 2 === 0) throw new ConnectionError(ERROR.protocol, 'HEADERS of no stream of a client');
    const isPadded = (flags & FLAG.padded) !== 0;
    const end = isPadded ? paddingStart(bytes, from, to) : to;
    const priorityAt = isPadded ? from + 1 : from;
    const hasPriority = (flags & FLAG.priority) !== 0;
    if (hasPriority) checkPriority(streamId, bytes, priorityAt, end);
    const start = hasPriority ? priorityAt + PRIORITY_BYTES : priorityAt;
    const endsStream = (flags & FLAG.endStream) !== 0;
    if (flags & FLAG.endHeaders) this.#takeBlock(streamId, bytes, start, end, endsStream);
    else {
      this.#block = new HeaderBlock(streamId, endsStream);
      this.#block.add(bytes, start, end);
    }
  }

  #takeContinuation(flags: number, bytes: Buffer, from: number, to: number): void {
    const block = this.#block;
    if (block === undefined) throw new ConnectionError(ERROR.protocol, 'CONTINUATION of nothing');
    block.add(bytes, from, to);
    if ((flags & FLAG.endHeaders) === 0) return;
    this.#block = undefined;
    const whole = block.whole();
    this.#takeBlock(block.streamId, whole, 0, whole.length, block.endsStream);
  }

  #takeBlock(streamId: number, bytes: Buffer, from: number, to: number, endsStream: boolean): void {
    this.#idle.moved();
    // Whatever becomes of it: what it says of the table holds for all blocks behind it.
    const head = this.#heads.read(bytes, from, to);
    if (streamId > this.#lastStreamId) this.#open(streamId, head, endsStream);
    else this.#takeTrailers(streamId, head, endsStream);
  }

  #open(streamId: number, head: RequestHead, endsStream: boolean): void {
    this.#lastStreamId = streamId;
    if (this.#isClosing || this.#streams.size >= CONCURRENT_STREAMS_MAX)
      throw new StreamError(streamId, ERROR.refusedStream, 'no more streams');
    if (head.isWhole && !head.isWellFormed) throw new StreamError(streamId, ERROR.protocol, 'no well-formed request');
    this.#lastServedId = streamId;
    this.#budgets.small.earn(SMALL_FRAMES_A_STREAM);
    const stream = new Stream(streamId, head, this.sender.initialWindow);
    this.#streams.add(stream);
    stream.isRequestEnded = endsStream;
    if (!head.isWhole) {
      this.sender.head(stream, REQUEST_HEADER_FIELDS_TOO_LARGE, [], true);
      return;
    }
    this.#receiver.opened(stream);
    if (endsStream) this.#receiver.body(stream, 0, true);
    stream.consumer = this.#options.serve(stream, this);
    if (endsStream) stream.consumer.data(EMPTY, 0, 0, true);
  }

  #takeTrailers(streamId: number, head: RequestHead, endsStream: boolean): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      if (this.#resets.has(streamId)) return;
      throw new ConnectionError(ERROR.streamClosed, 'HEADERS of a closed stream');
    }
    if (stream.isRequestEnded) throw new StreamError(streamId, ERROR.streamClosed, 'HEADERS behind the end');
    if (!endsStream || !head.isWellFormedTrailer)
      throw new StreamError(streamId, ERROR.protocol, 'no well-formed trailers');
    this.#receiver.body(stream, 0, true);
    stream.isRequestEnded = true;
    stream.consumer?.data(EMPTY, 0, 0, true);
  }

  #takeWindowUpdate(streamId: number, bytes: Buffer, from: number, to: number): void {
    if (to - from !== 4) throw new ConnectionError(ERROR.frameSize, 'WINDOW_UPDATE of a wrong length');
    this.#spend(this.#budgets.small);
    const increment = uint31At(bytes, from);
    if (streamId !== 0 && this.#isIdle(streamId))
      throw new ConnectionError(ERROR.protocol, 'WINDOW_UPDATE of an idle stream');
    if (increment === 0) throw nothingGranted(streamId);
    const stream = this.#streams.get(streamId);
    if (streamId === 0 || stream !== undefined) this.sender.grant(stream, increment);
  }

  #takeReset(streamId: number, bytes: Buffer, from: number, to: number): void {
    if (to - from !== 4) throw new ConnectionError(ERROR.frameSize, 'RST_STREAM of a wrong length');
    if (this.#isIdle(streamId)) throw new ConnectionError(ERROR.protocol, 'RST_STREAM of an idle stream');
    this.#spend(this.#budgets.resets);
    this.#resets.delete(streamId);
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) this.#abort(stream, uint31At(bytes, from));
  }

  #takeSettings(flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    if (streamId !== 0) throw new ConnectionError(ERROR.protocol, 'SETTINGS of a stream');
    this.#spend(this.#budgets.settings);
    if (flags & FLAG.ack) {
      if (to > from) throw new ConnectionError(ERROR.frameSize, 'SETTINGS that acknowledge and ask');
      return;
    }
    this.#hasSettings = true;
    const settings = readSettings(bytes, from, to);
    this.sender.settingsAck();
    this.sender.peerSettings(settings, this.#streams.all());
  }

  #takePing(flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    checkPing(streamId, to - from);
    this.#spend(this.#budgets.small);
    if (flags & FLAG.ack) this.#onPong.shift()?.();
    else this.sender.ping(bytes.subarray(from, to), FLAG.ack);
  }

  #takePriority(streamId: number, bytes: Buffer, from: number, to: number): void {
    this.#spend(this.#budgets.small);
    if (streamId === 0) throw new ConnectionError(ERROR.protocol, 'PRIORITY of no stream');
    if (to - from !== PRIORITY_BYTES) throw new ConnectionError(ERROR.frameSize, 'PRIORITY of a wrong length');
    checkPriority(streamId, bytes, from, to);
  }

  /** The client opens no more streams, or closes when it has its answers: nothing changes here. */
  #takeGoaway(streamId: number, length: number): void {
    checkGoaway(streamId, length);
    this.#spend(this.#budgets.small);
  }

  /** Not begun, or never to begin: those of even numbers would be ours (RFC 9113 §5.1.1). */
  #isIdle(streamId: number): boolean {
    return streamId > this.#lastStreamId || streamId % 2 === 0;
  }

  #spend(budget: Budget): void {
    if (!budget.spend()) throw new ConnectionError(ERROR.enhanceYourCalm, 'too many frames of a kind');
  }

  /** RFC 9113 §8.1: a client that still sends when it has its answer is told to stop, or it would wait for ever. */
  #answered(stream: Stream): void {
    this.#idle.moved();
    if (!stream.isRequestEnded) {
      this.#resets.add(stream.id);
      this.sender.reset(stream.id, ERROR.none);
    }
    this.#forget(stream);
  }

  #abort(stream: Stream, code: number): void {
    this.#forget(stream);
    stream.consumer?.aborted(code);
  }

  #abortAll(): void {
    for (const stream of this.#streams.all()) this.#abort(stream, ERROR.cancel);
  }

  #forget(stream: Stream): void {
    stream.isClosed = true;
    this.#streams.delete(stream);
    this.sender.forget(stream);
    this.#receiver.forget(stream);
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#isClosing && this.#streams.size === 0) this.#outbox.end();
  }
}
