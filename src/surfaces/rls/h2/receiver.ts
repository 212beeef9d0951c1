/** What may come of request bodies: the windows that this side grants, and the bounds of what it keeps. */
import { CONNECTION_WINDOW_BYTES, OPEN_BODIES_BYTES_MAX, STREAM_WINDOW_BYTES } from './bounds.ts';
import { ConnectionError, StreamError } from './errors.ts';
import { ERROR } from './frames.ts';
import type { Sender } from './sender.ts';
import type { Stream } from './stream.ts';

export class Receiver {
  readonly #sender: Sender;
  #window = CONNECTION_WINDOW_BYTES;
  /** Used, and not yet granted anew. */
  #consumed = 0;
  #openBodyBytes = 0;

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

  /** Part of a body has come. @throws StreamError where it is not as long as it says, or more than is kept */
  body(stream: Stream, bytes: number, isEnd: boolean): void {
    stream.bodyBytes += bytes;
    this.#openBodyBytes += bytes;
    const { contentLength } = stream.head;
    const { bodyBytes, id } = stream;
    if (contentLength >= 0 && (bodyBytes > contentLength || (isEnd && bodyBytes < contentLength)))
      throw new StreamError(id, ERROR.protocol, 'a body of another length than its content-length');
    if (this.#openBodyBytes > OPEN_BODIES_BYTES_MAX)
      throw new StreamError(id, ERROR.enhanceYourCalm, 'more of bodies than is kept');
  }

  /** As much may come anew. */
  consumed(stream: Stream, bytes: number): void {
    stream.unconsumedBytes -= bytes;
    this.#grant(bytes);
    if (stream.isRequestEnded || stream.isClosed) return;
    const owed = STREAM_WINDOW_BYTES - stream.receiveWindow - stream.unconsumedBytes;
    if (owed < STREAM_WINDOW_BYTES / 2) return;
    stream.receiveWindow += owed;
    this.#sender.windowUpdate(stream.id, owed);
  }

  /** What was not used of it will not be: as much may come for others. */
  forget(stream: Stream): void {
    this.#openBodyBytes -= stream.bodyBytes;
    this.#grant(stream.unconsumedBytes);
    stream.bodyBytes = 0;
    stream.unconsumedBytes = 0;
  }

  #grant(bytes: number): void {
    this.#consumed += bytes;
    if (this.#consumed < CONNECTION_WINDOW_BYTES / 2) return;
    this.#window += this.#consumed;
    this.#sender.windowUpdate(0, this.#consumed);
    this.#consumed = 0;
  }
}
