/**
 * ShouldRateLimit by plain gRPC, from the bytes of a stream to the bytes of its answer. Whatever is out of the ordinary,
 * in form or in content, is handed to those who serve everything else, with all that has come of it.
 */
import type { ConnectError } from '@connectrpc/connect';
import type { Call, Decided, Limiter } from '../../app/limiter.ts';
import type { LimitRequest } from '../../core/descriptor.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Tracer } from '../../ports/tracer.ts';
import { statusName, toConnectError } from '../grpc/call-errors.ts';
import type { Connection } from './h2/connection.ts';
import type { RequestHead } from './h2/request-head.ts';
import { type Field, GRPC_PREFIX_BYTES } from './h2/sender.ts';
import type { Stream, StreamConsumer } from './h2/stream.ts';
import { WriteBuffer } from './h2/write-buffer.ts';
import { readRateLimitRequest } from './request-reader.ts';
import { writeRateLimitResponse } from './response-writer.ts';

export interface RateLimitLane {
  readonly limiter: Limiter;
  readonly log: Log;
  readonly clock: Pick<Clock, 'monotonicMillis'>;
  readonly tracer: Tracer | undefined;
  /** As in grpc/routes.ts. */
  readonly onCall?: ((method: string, durationMillis: number) => void) | undefined;
  /** Takes over a stream of which nothing was answered yet. */
  readonly serveElse: (stream: Stream, connection: Connection) => StreamConsumer;
}

const SERVICE_METHOD = 'envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
const METHOD = 'ShouldRateLimit';
const PATH = `/${SERVICE_METHOD}`;
// Half of a stream's window: a longer body would have to be asked for.
const HELD_BYTES_MAX = 32_768;

/** Whether a request is one that a `RateLimitCall` takes. */
export function isPlainRateLimit({ path, method, contentType, encoding, timeoutMillis }: RequestHead): boolean {
  return (
    path === PATH &&
    method === 'POST' &&
    (contentType === 'application/grpc' || contentType === 'application/grpc+proto') &&
    (encoding === undefined || encoding === 'identity') &&
    (timeoutMillis === undefined || timeoutMillis > 0)
  );
}

export class RateLimitCall implements StreamConsumer {
  readonly #lane: RateLimitLane;
  readonly #stream: Stream;
  readonly #connection: Connection;
  /** Of a message that comes in several frames. */
  #held: WriteBuffer | undefined;

  constructor(lane: RateLimitLane, stream: Stream, connection: Connection) {
    this.#lane = lane;
    this.#stream = stream;
    this.#connection = connection;
  }

  data(bytes: Buffer, from: number, to: number, isEnd: boolean): void {
    if (this.#held === undefined && isEnd) {
      this.#take(bytes, from, to);
      return;
    }
    this.#held ??= new WriteBuffer(to - from);
    this.#held.append(bytes.subarray(from, to));
    const { bytes: held, length } = this.#held;
    if (isEnd) this.#take(held, 0, length);
    else if (!mayBecomeWhole(held, length)) this.#handOver(held, 0, length, false);
  }

  /** The decision is made all the same: whoever charges has charged. */
  aborted(): void {}

  #take(bytes: Buffer, from: number, to: number): void {
    const request = readWhole(bytes, from, to);
    if (request === undefined) {
      this.#handOver(bytes, from, to, true);
      return;
    }
    this.#connection.consumed(this.#stream, to - from);
    void this.#answer(request);
  }

  #handOver(bytes: Buffer, from: number, to: number, isEnd: boolean): void {
    this.#held = undefined;
    const other = this.#lane.serveElse(this.#stream, this.#connection);
    this.#stream.consumer = other;
    other.data(bytes, from, to, isEnd);
  }

  async #answer(request: LimitRequest): Promise<void> {
    const { limiter, log, tracer, onCall, clock } = this.#lane;
    const startedAt = onCall === undefined ? 0 : clock.monotonicMillis();
    const call = this.#call(tracer);
    try {
      const decided = await limiter.decide(request, call);
      call.trace?.end('OK');
      onCall?.(METHOD, clock.monotonicMillis() - startedAt);
      if (!this.#stream.isClosed) this.#send(decided);
    } catch (error) {
      const told = toConnectError(error, log);
      call.trace?.end(statusName(told), told);
      onCall?.(METHOD, clock.monotonicMillis() - startedAt);
      if (!this.#stream.isClosed) this.#connection.sender.fail(this.#stream, trailersOf(told));
    }
  }

  #call(tracer: Tracer | undefined) {
    const { head } = this.#stream;
    const trace = tracer?.start({ name: SERVICE_METHOD, protocol: 'grpc', header: (name) => head.get(name) });
    return { door: 'rls', remainingMillis: head.timeoutMillis, trace } satisfies Call;
  }

  #send(decided: Decided): void {
    const { sender } = this.#connection;
    const at = sender.beginMessage(this.#stream);
    try {
      writeRateLimitResponse(decided, sender.out);
    } catch (error) {
      sender.out.length = at;
      sender.trailers(this.#stream, trailersOf(toConnectError(error, this.#lane.log)));
      return;
    }
    sender.endMessage(this.#stream, at);
  }
}

/** Whether one message, uncompressed and short, has come in part. */
function mayBecomeWhole(held: Buffer, heldBytes: number): boolean {
  if (heldBytes < GRPC_PREFIX_BYTES) return heldBytes === 0 || held[0] === 0;
  const bytes = GRPC_PREFIX_BYTES + held.readUInt32BE(1);
  return held[0] === 0 && heldBytes <= bytes && bytes <= HELD_BYTES_MAX;
}

/** @returns undefined unless it is one whole message, uncompressed, that core types can hold */
function readWhole(bytes: Buffer, from: number, to: number): LimitRequest | undefined {
  const length = to - from - GRPC_PREFIX_BYTES;
  if (length < 0 || bytes[from] !== 0 || bytes.readUInt32BE(from + 1) !== length) return undefined;
  try {
    return readRateLimitRequest(bytes, from + GRPC_PREFIX_BYTES, to);
  } catch {
    // Those who take over read it once more, and say what is wrong with it.
    return undefined;
  }
}

function trailersOf({ code, rawMessage }: ConnectError): Field[] {
  return [
    ['grpc-status', String(code)],
    ['grpc-message', encodeURIComponent(rawMessage.toWellFormed())],
  ];
}
