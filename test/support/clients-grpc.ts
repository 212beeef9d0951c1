/** gRPC calls byte by byte: for what a well-behaved client would never send, and for what one hides of an answer. */
import { toBinary } from '@bufbuild/protobuf';
import { RateLimitRequestSchema } from '../../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { http2 } from './clients-http.ts';
import { messageOf, type Question, RLS_PATH } from './clients-rls.ts';

/** The prefix of a message in gRPC over HTTP/2: one byte of flags, four of length. */
const PREFIX_BYTES = 5;

export interface GrpcCall {
  /** One frame, several, or a piece of one. */
  readonly body: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
}

export interface GrpcAnswer {
  /** HTTP's. */
  readonly httpStatus: number;
  readonly headers: Readonly<Record<string, unknown>>;
  /** `grpc-status`, from the trailers or from an answer that has nothing else. */
  readonly status: number;
  readonly message: string;
  /** The flags of the message, undefined without one. */
  readonly flags: number | undefined;
}

export async function grpcBytes(
  origin: string,
  { body, headers = {}, path = RLS_PATH }: GrpcCall,
): Promise<GrpcAnswer> {
  const fields = { 'content-type': 'application/grpc', te: 'trailers', ...headers };
  const answer = await http2(origin + path, { headers: fields, body });
  const ending = 'grpc-status' in answer.headers ? answer.headers : answer.trailers;
  return {
    httpStatus: answer.status,
    headers: answer.headers,
    status: Number(ending['grpc-status']),
    message: decodeURIComponent(String(ending['grpc-message'] ?? '')),
    flags: answer.body[0],
  };
}

export function frame(message: Uint8Array, flags = 0): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt8(flags, 0);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

export function encoded(question: Question): Uint8Array {
  return toBinary(RateLimitRequestSchema, messageOf(question));
}

/** The same message with so much of an unknown field that it takes `bytes` in all. */
export function padded(message: Uint8Array, bytes: number): Uint8Array {
  // Field 15 as a length and so many bytes; the length takes four of them at any size that matters here.
  const filling = bytes - message.length - 5;
  const length = [filling & 0x7f, (filling >> 7) & 0x7f, (filling >> 14) & 0x7f].map((bits) => bits | 0x80);
  return Buffer.concat([message, Buffer.from([0x7a, ...length, filling >> 21]), Buffer.alloc(filling)]);
}
