/** One call and what has come of its answer, and the only judgement of it: right, or wrong and how. */
import { type BenchAnswer, readAnswer } from '../answer.ts';
import * as frames from './frames.ts';
import type { Headers } from './hpack-decoder.ts';

/** One call to make. */
export interface Call {
  /** See `requestOf`. */
  readonly request: Buffer;
  /** The overall code that the answer must carry. */
  readonly code: number;
  /** As grpc-timeout has it; the connection's own when undefined. Not for the first call on a connection. */
  readonly timeout?: string;
}

export interface Exchange {
  readonly call: Call;
  readonly startedAt: number;
  headers: Headers | undefined;
  trailers: Headers | undefined;
  answer: BenchAnswer | undefined;
  /** How many whole messages came. */
  messages: number;
  /** What came of a message that is not whole yet, or is none. */
  rest: Buffer | undefined;
  resetCode: number | undefined;
}

/** @returns what asks: a DATA frame that ends its stream, to be completed by the stream's id @param message with its gRPC prefix */
export function requestOf(message: Uint8Array): Buffer {
  if (message.length > frames.FRAME_PAYLOAD_BYTES_MAX) throw new Error(`${message.length} bytes need several frames`);
  return frames.frame(frames.DATA, frames.END_STREAM, 0, message);
}

export function begun(call: Call, startedAt: number): Exchange {
  return {
    call,
    startedAt,
    headers: undefined,
    trailers: undefined,
    answer: undefined,
    messages: 0,
    rest: undefined,
    resetCode: undefined,
  };
}

/** A message is nearly always one DATA frame, and is read where it lies. */
export function gather(exchange: Exchange, bytes: Buffer, from: number, to: number): void {
  const { rest } = exchange;
  const whole = rest === undefined ? bytes : Buffer.concat([rest, bytes.subarray(from, to)]);
  const [wholeFrom, wholeTo] = rest === undefined ? [from, to] : [0, whole.length];
  const answer = readAnswer(whole, wholeFrom, wholeTo);
  exchange.rest = answer === undefined ? Buffer.from(whole.subarray(wholeFrom, wholeTo)) : undefined;
  if (answer === undefined) return;
  exchange.answer = answer;
  exchange.messages += 1;
}

/** @returns what is wrong with an answer that has ended, or undefined */
export function problemOf({
  call,
  headers,
  trailers,
  answer,
  messages,
  rest,
  resetCode,
}: Exchange): string | undefined {
  // Some servers answer whole and then reset with NO_ERROR what they have not read.
  if (resetCode !== undefined && resetCode !== 0) return `the stream was reset with code ${resetCode}`;
  if (headers === undefined) return 'a call ended without an answer';
  const said = trailers ?? headers;
  if (said['grpc-status'] !== '0') {
    return `grpc-status is ${said['grpc-status'] ?? 'missing'}: ${said['grpc-message'] ?? ''}`;
  }
  if (headers[':status'] !== '200') return `the HTTP status is ${headers[':status']}`;
  if (headers['content-type']?.startsWith('application/grpc') !== true) {
    return `the content type is ${headers['content-type']}`;
  }
  if (answer === undefined || messages !== 1 || rest !== undefined) {
    return `an answer has ${messages} messages and then ${rest?.toString('hex') ?? 'nothing'}`;
  }
  if (answer.code !== call.code) return `an answer says ${answer.code} where the policy says ${call.code}`;
  if (answer.statuses !== 1 || answer.headers === 0) {
    return `an answer has ${answer.statuses} statuses and ${answer.headers} headers`;
  }
  return undefined;
}

/** @returns the gRPC status of an answer that has ended; undefined without one */
export function statusOf({ headers, trailers }: Exchange): string | undefined {
  return (trailers ?? headers)?.['grpc-status'];
}
