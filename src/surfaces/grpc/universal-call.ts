/** One call of a Connect handler over a stream of the lean transport: body and answer go through as they come. */
import { Code, ConnectError } from '@connectrpc/connect';
import type { UniversalHandlerFn, UniversalServerResponse } from '@connectrpc/connect/protocol';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Connection } from '../rls/h2/connection.ts';
import { ERROR } from '../rls/h2/frames.ts';
import type { RequestHead } from '../rls/h2/request-head.ts';
import type { Stream, StreamConsumer } from '../rls/h2/stream.ts';

// What is answered with an error although its client still sends, such as a method that nobody serves, waits so long for the
// request's end: told at once, a client would be cut short by a reset, and may not look at what it was told.
const LINGER_MILLIS_MAX = 250;

export class UniversalCall implements StreamConsumer {
  readonly #stream: Stream;
  readonly #connection: Connection;
  readonly #clock: Pick<Clock, 'after'>;
  readonly #upload: Upload;
  readonly #aborting = new AbortController();
  /** Ends the waiting for a window. */
  #wake: (() => void) | undefined;
  /** Ends the waiting for the request's end. */
  #onRequestOver: (() => void) | undefined;

  constructor(stream: Stream, connection: Connection, clock: Pick<Clock, 'after'>) {
    this.#stream = stream;
    this.#connection = connection;
    this.#clock = clock;
    this.#upload = new Upload((bytes) => connection.consumed(stream, bytes));
  }

  /** Answers whatever happens. @param handler undefined: nobody serves this path */
  start(handler: UniversalHandlerFn | undefined, log: Log): void {
    this.#answer(handler)
      .catch((error: unknown) => {
        // Else nobody waits for this answer.
        if (!this.#stream.isClosed) log.error({ err: error }, 'an answer could not be sent');
        this.#connection.reset(this.#stream, ERROR.internal);
      })
      // Handlers wait for this to let go of what they hold.
      .finally(() => this.#aborting.abort());
  }

  data(bytes: Buffer, from: number, to: number, isEnd: boolean): void {
    if (to > from) this.#upload.push(Buffer.from(bytes.subarray(from, to)));
    if (!isEnd) return;
    this.#upload.end();
    this.#onRequestOver?.();
  }

  aborted(code: number): void {
    const error = new ConnectError(`the stream was reset (${code})`, Code.Canceled);
    this.#upload.fail(error);
    this.#aborting.abort(error);
    this.#wake?.();
    this.#onRequestOver?.();
  }

  async #answer(handler: UniversalHandlerFn | undefined): Promise<void> {
    const { head } = this.#stream;
    const url = urlOf(head);
    const header = headersOf(head);
    if (url === undefined || header === undefined) return this.#sendText(400, 'no well-formed request\n');
    if (handler === undefined) return this.#sendText(404, 'no such method\n');
    const { signal } = this.#aborting;
    await this.#send(
      await handler({ httpVersion: '2.0', method: head.method, url, header, body: this.#upload, signal }),
    );
  }

  #sendText(status: number, text: string): Promise<void> {
    const header = new Headers({ 'content-type': 'text/plain' });
    return this.#send({ status, header, body: once(Buffer.from(text)) });
  }

  async #send({ status, header = new Headers(), body, trailer }: UniversalServerResponse): Promise<void> {
    const { sender } = this.#connection;
    const stream = this.#stream;
    const chunks = body?.[Symbol.asyncIterator]();
    // Headers leave after the first chunk was made: until then handlers may add to them.
    let chunk = await chunks?.next();
    if (status >= 400 && !stream.isRequestEnded) await this.#linger();
    // RFC 9110 §9.3.2: to HEAD, no more.
    const isHeadAlone = this.#stream.head.method === 'HEAD' || (body === undefined && trailer === undefined);
    if (!stream.isClosed) sender.head(stream, status, header, isHeadAlone);
    while (chunk?.done === false && !stream.isClosed) {
      await this.#sendChunk(chunk.value);
      chunk = await chunks?.next();
    }
    if (stream.isClosed) await chunks?.return?.();
    else if (trailer !== undefined) sender.trailers(stream, trailer);
    else sender.end(stream);
  }

  /** Settles when the request has ended, the stream is over, or the time is. */
  #linger(): Promise<void> {
    if (this.#stream.isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.after(LINGER_MILLIS_MAX, resolve);
      this.#onRequestOver = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** Settles when it has left, or the stream is over. */
  async #sendChunk(chunk: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#connection.sender.data(this.#stream, chunk, resolve);
    });
    await this.#connection.ready();
  }
}

/** A request's body, as handlers ask for it: what they have not asked for, the client is not told to send. */
class Upload implements AsyncIterable<Uint8Array> {
  readonly #onUsed: (bytes: number) => void;
  readonly #chunks: Buffer[] = [];
  #isEnded = false;
  #error: ConnectError | undefined;
  #wake: (() => void) | undefined;

  constructor(onUsed: (bytes: number) => void) {
    this.#onUsed = onUsed;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#wake?.();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  fail(error: ConnectError): void {
    this.#error = error;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    while (this.#error === undefined) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#onUsed(chunk.length);
        yield chunk;
      } else if (this.#isEnded) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
    throw this.#error;
  }
}

/**
 * Handlers look at its query only. The authority is none of theirs, and often none of a URL: gateways put the name of a
 * cluster there, such as `outbound|8081||ratelimit.svc`.
 * @returns undefined for what a client has chosen badly
 */
function urlOf(head: RequestHead): string | undefined {
  return URL.parse(head.path, 'http://localhost')?.toString();
}

/** @returns undefined if a value has what no field may have */
function headersOf({ fields }: RequestHead): Headers | undefined {
  const headers = new Headers();
  try {
    for (let at = 0; at < fields.length; at += 2) headers.append(fields[at] as string, fields[at + 1] as string);
    return headers;
  } catch {
    return undefined;
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
