/** What may come of request bodies: the windows that this side grants, and the bounds of what it keeps. */
import { CONNECTION_WINDOW_BYTES, DATA_FRAMES_MAX, OPEN_REQUESTS_BYTES_MAX, STREAM_WINDOW_BYTES } from './bounds.ts';
import { ConnectionError, StreamError } from './errors.ts';
import { ERROR } from './frames.ts';
import type { Sender } from './sender.ts';
import type { Stream } from './stream.ts';

/** What keeping a frame's bytes costs beside the bytes: bodies in crumbs are mostly this. */
const FRAME_KEPT_BYTES = 128;

export class Receiver {
  readonly #sender: Sender;
  #window = CONNECTION_WINDOW_BYTES;
  /** Used, and not yet granted anew. */
  #consumed = 0;
  /** Of requests that have no answer yet, heads and bodies. */
  #openBytes = 0;

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  /** DATA has come, padding included (RFC 9113 §6.9.1). @param stream undefined: of one that is closed @throws ConnectionError, StreamError */
  received(stream: Stream | undefined, bytes: number): void {
    this.#window -= bytes;
    if (this.#window < 0) throw new ConnectionError(ERROR.flowControl, 'more DATA than the connection may send');
    if (stream === undefined) {
      this.#grant(bytes);
      return;
    }
    stream.receiveWindow -= bytes;
    stream.unconsumedBytes += bytes;
    if (stream.receiveWindow < 0)
      throw new StreamError(stream.id, ERROR.flowControl, 'more DATA than the stream may send');
  }

  /** A request has begun. @throws StreamError when too much is kept already */
  opened(stream: Stream): void {
    this.#keep(stream, stream.head.listBytes);
  }

  /** Part of a body has come, or its end. @throws StreamError where it is not as long as it says, or more than is kept */
  body(stream: Stream, bytes: number, isEnd: boolean): void {
    const { head, id } = stream;
    stream.dataFrames += 1;
    stream.bodyBytes += bytes;
    const { contentLength } = head;
    const { bodyBytes } = stream;
    if (contentLength >= 0 && (bodyBytes > contentLength || (isEnd && bodyBytes < contentLength)))
      throw new StreamError(id, ERROR.protocol, 'a body of another length than its content-length');
    if (stream.dataFrames > DATA_FRAMES_MAX) throw new StreamError(id, ERROR.enhanceYourCalm, 'a body in crumbs');
    this.#keep(stream, bytes + FRAME_KEPT_BYTES);
  }

  /** As much may come anew. Of a stream that is forgotten it may already. */
  consumed(stream: Stream, bytes: number): void {
    if (stream.isClosed) return;
    stream.unconsumedBytes -= bytes;
    this.#grant(bytes);
    if (stream.isRequestEnded) return;
    const owed = STREAM_WINDOW_BYTES - stream.receiveWindow - stream.unconsumedBytes;
    if (owed < STREAM_WINDOW_BYTES / 2) return;
    stream.receiveWindow += owed;
    this.#sender.windowUpdate(stream.id, owed);
  }

  /** What was not used of it will not be: as much may come for others. */
  forget(stream: Stream): void {
    this.#openBytes -= stream.keptBytes;
    this.#grant(stream.unconsumedBytes);
    stream.keptBytes = 0;
    stream.unconsumedBytes = 0;
  }

  #keep(stream: Stream, bytes: number): void {
    stream.keptBytes += bytes;
    this.#openBytes += bytes;
    if (this.#openBytes > OPEN_REQUESTS_BYTES_MAX)
      throw new StreamError(stream.id, ERROR.enhanceYourCalm, 'more of requests than is kept');
  }

  #grant(bytes: number): void {
    this.#consumed += bytes;
    if (this.#consumed < CONNECTION_WINDOW_BYTES / 2) return;
    this.#window += this.#consumed;
    this.#sender.windowUpdate(0, this.#consumed);
    this.#consumed = 0;
  }
}
