/** How a call by gRPC may be cut into frames, and what comes back for one that is wrong: the same from every server. */
import { gzipSync } from 'node:zlib';
import { fromBinary } from '@bufbuild/protobuf';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { RateLimitResponse_Code, RateLimitResponseSchema } from '../../../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { frame as message, padded } from '../../support/clients-grpc.ts';
import { RLS_PATH } from '../../support/clients-rls.ts';
import { GrpcPort } from '../../support/grpc-port.ts';
import {
  dataFrames,
  END_HEADERS,
  END_STREAM,
  frameBytes,
  headerBlock,
  headersFrames,
  PADDED,
  PRIORITY,
  withPadding,
} from '../../support/http2-frames.ts';
import { callFields, Http2Peer, head, type PeerAnswer, QUESTION_BYTES } from '../../support/http2-peer.ts';
import { TRANSPORTS } from '../../support/transports.ts';

const INVALID_ARGUMENT = 3;
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;
const MESSAGE_BYTES_MAX = 4 * 1_024 * 1_024;
const PREFIX_BYTES = 5;
const QUESTION = QUESTION_BYTES.subarray(PREFIX_BYTES);
const BLOCK = headerBlock(callFields());

describe.each(TRANSPORTS)('%s:', (transport) => {
  let port: GrpcPort;
  let peer: Http2Peer;

  beforeAll(async () => {
    port = await GrpcPort.start({ transport });
  });

  afterAll(() => port.stop(0));

  beforeEach(async () => {
    peer = await Http2Peer.open(port.port);
  });

  // Whatever was wrong with a call, the next one on its connection is answered.
  afterEach(async () => {
    peer.call(101);
    const next = await peer.answer(101);
    peer.close();
    expect(next.ended).toBe('answered');
    expectAnswer(next);
  });

  function ask(...frames: readonly Buffer[]): Promise<PeerAnswer> {
    peer.send(...frames);
    return peer.answer(1);
  }

  test.each<[how: string, frames: readonly Buffer[]]>([
    ['in one DATA frame', [head(1), dataFrames(1, QUESTION_BYTES)]],
    ['in a DATA frame for each byte', [head(1), dataFrames(1, QUESTION_BYTES, 1)]],
    [
      'with empty DATA frames before, within and behind it',
      [
        head(1),
        frameBytes('DATA', 0, 1),
        frameBytes('DATA', 0, 1, QUESTION_BYTES.subarray(0, 7)),
        frameBytes('DATA', 0, 1),
        frameBytes('DATA', 0, 1, QUESTION_BYTES.subarray(7)),
        frameBytes('DATA', END_STREAM, 1),
      ],
    ],
    [
      'in padded frames',
      [
        frameBytes('HEADERS', END_HEADERS | PADDED, 1, withPadding(BLOCK, 200)),
        frameBytes('DATA', PADDED, 1, withPadding(QUESTION_BYTES.subarray(0, 7), 0)),
        frameBytes('DATA', END_STREAM | PADDED, 1, withPadding(QUESTION_BYTES.subarray(7), 255)),
      ],
    ],
    [
      'with a priority, which is passed over',
      [
        frameBytes('HEADERS', END_HEADERS | PRIORITY, 1, Buffer.concat([Buffer.from('000000000f', 'hex'), BLOCK])),
        frameBytes('PRIORITY', 0, 1, Buffer.from('00000000ff', 'hex')),
        dataFrames(1, QUESTION_BYTES),
      ],
    ],
    ['with its fields in CONTINUATION frames', [headersFrames(1, BLOCK, 0, 20), dataFrames(1, QUESTION_BYTES)]],
    [
      'with trailers of its own',
      [
        head(1),
        frameBytes('DATA', 0, 1, QUESTION_BYTES),
        headersFrames(1, headerBlock({ 'x-checksum': '1' }), END_STREAM),
      ],
    ],
    ['with its length', [head(1, { 'content-length': `${QUESTION_BYTES.length}` }), dataFrames(1, QUESTION_BYTES)]],
    ['with a query behind its path', [head(1, { ':path': `${RLS_PATH}?x=1` }), dataFrames(1, QUESTION_BYTES)]],
    [
      'as application/grpc+proto',
      [head(1, { 'content-type': 'application/grpc+proto' }), dataFrames(1, QUESTION_BYTES)],
    ],
    ['with the encoding identity', [head(1, { 'grpc-encoding': 'identity' }), dataFrames(1, QUESTION_BYTES)]],
    ['with flags that mean nothing', [head(1), dataFrames(1, message(QUESTION, 0x82))]],
  ])('a call is answered that comes %s', async (_how, frames) => {
    expectAnswer(await ask(...frames));
  });

  test('a message of 4 MiB is answered', async () => {
    peer.send(head(1));
    await peer.sendBody(1, message(padded(QUESTION, MESSAGE_BYTES_MAX)));
    expectAnswer(await ask(frameBytes('DATA', END_STREAM, 1)));
  });

  test.each<[what: string, frames: readonly Buffer[], status: number, message: string]>([
    [
      'a flag for compression without an encoding',
      [head(1), dataFrames(1, message(QUESTION, 1))],
      INTERNAL,
      'received compressed envelope, but do not know how to decompress',
    ],
    [
      'the encoding gzip',
      [head(1, { 'grpc-encoding': 'gzip' }), dataFrames(1, message(gzipSync(QUESTION), 1))],
      UNIMPLEMENTED,
      'unknown compression "gzip": supported encodings are ',
    ],
    [
      'an encoding that does not exist, though nothing is encoded',
      [head(1, { 'grpc-encoding': 'snappy' }), dataFrames(1, QUESTION_BYTES)],
      UNIMPLEMENTED,
      'unknown compression "snappy": supported encodings are ',
    ],
    [
      'no message',
      [head(1), frameBytes('DATA', END_STREAM, 1)],
      UNIMPLEMENTED,
      'protocol error: missing input message for unary method',
    ],
    [
      'no body',
      [headersFrames(1, BLOCK, END_STREAM)],
      UNIMPLEMENTED,
      'protocol error: missing input message for unary method',
    ],
    [
      'two messages',
      [head(1), dataFrames(1, Buffer.concat([QUESTION_BYTES, QUESTION_BYTES]))],
      UNIMPLEMENTED,
      'protocol error: received extra input message for unary method',
    ],
    [
      'a message and a byte',
      [head(1), dataFrames(1, Buffer.concat([QUESTION_BYTES, Buffer.alloc(1)]))],
      INVALID_ARGUMENT,
      'protocol error: incomplete envelope',
    ],
    [
      'a part of a prefix',
      [head(1), dataFrames(1, QUESTION_BYTES.subarray(0, 3))],
      INVALID_ARGUMENT,
      'protocol error: incomplete envelope',
    ],
    [
      'a part of a message',
      [head(1), dataFrames(1, QUESTION_BYTES.subarray(0, -1))],
      INVALID_ARGUMENT,
      'protocol error: incomplete envelope',
    ],
    [
      'bytes that are no message',
      [head(1), dataFrames(1, message(Buffer.from('ffffffff', 'hex')))],
      INVALID_ARGUMENT,
      'parse binary: premature EOF',
    ],
    [
      'a message that is empty',
      [head(1), dataFrames(1, message(Buffer.alloc(0)))],
      INVALID_ARGUMENT,
      'rate limit domain must not be empty',
    ],
    [
      'a message that would be longer than 4 MiB',
      [head(1), frameBytes('DATA', 0, 1, Buffer.from('0000400001', 'hex'))],
      RESOURCE_EXHAUSTED,
      'message size 4194305 is larger than configured readMaxBytes 4194304',
    ],
  ])('%s is told by a status', async (_what, frames, status, text) => {
    const { ended, headers, trailers, body } = await ask(...frames);
    expect([ended, body.length]).toEqual(['answered', 0]);
    expect(headers).toMatchObject({ ':status': '200', 'content-type': 'application/grpc+proto' });
    expect({ ...headers, ...trailers }).toMatchObject({
      'grpc-status': String(status),
      'grpc-message': encodeURIComponent(text),
    });
  });

  test.each<[what: string, frames: readonly Buffer[], status: number]>([
    ['a path that is none', [head(1, { ':path': '/nope' }), dataFrames(1, QUESTION_BYTES)], 404],
    ['a method that is none', [head(1, { ':path': `${RLS_PATH}Please` }), dataFrames(1, QUESTION_BYTES)], 404],
    ['a method with a slash behind it', [head(1, { ':path': `${RLS_PATH}/` }), dataFrames(1, QUESTION_BYTES)], 404],
    ['GET', [headersFrames(1, headerBlock(callFields({ ':method': 'GET' })), END_STREAM)], 405],
    ['GET with a body', [head(1, { ':method': 'GET' }), dataFrames(1, QUESTION_BYTES)], 405],
    ['HEAD', [headersFrames(1, headerBlock(callFields({ ':method': 'HEAD' })), END_STREAM)], 405],
    ['PUT', [head(1, { ':method': 'PUT' }), dataFrames(1, QUESTION_BYTES)], 405],
    ['another content type', [head(1, { 'content-type': 'text/plain' }), dataFrames(1, QUESTION_BYTES)], 415],
    ['no content type', [headersFrames(1, headerBlock(without('content-type'))), dataFrames(1, QUESTION_BYTES)], 415],
    [
      'a format that gRPC does not have',
      [head(1, { 'content-type': 'application/grpc+thrift' }), dataFrames(1, QUESTION_BYTES)],
      415,
    ],
  ])('%s is told by a status of HTTP', async (_what, frames, status) => {
    const { ended, headers } = await ask(...frames);
    expect([ended, headers[':status']]).toEqual(['answered', String(status)]);
  });

  // RFC 9113 §8.1.1
  test.each<[what: string, frames: readonly Buffer[]]>([
    ['a name in capitals', [head(1, { 'X-Name': '1' }), dataFrames(1, QUESTION_BYTES)]],
    ['a field about its connection', [head(1, { connection: 'close' }), dataFrames(1, QUESTION_BYTES)]],
    ['te other than trailers', [head(1, { te: 'gzip' }), dataFrames(1, QUESTION_BYTES)]],
    ['no path', [headersFrames(1, headerBlock(without(':path'))), dataFrames(1, QUESTION_BYTES)]],
    ['an empty path', [head(1, { ':path': '' }), dataFrames(1, QUESTION_BYTES)]],
    ['less than the length that it says', [head(1, { 'content-length': '999' }), dataFrames(1, QUESTION_BYTES)]],
    [
      'a pseudo field in its trailers',
      [head(1), frameBytes('DATA', 0, 1, QUESTION_BYTES), headersFrames(1, headerBlock({ ':path': '/' }), END_STREAM)],
    ],
    ['trailers that do not end it', [head(1), frameBytes('DATA', 0, 1, QUESTION_BYTES), headersFrames(1, BLOCK)]],
  ])('a call with %s is malformed, and reset', async (_what, frames) => {
    expect((await ask(...frames)).ended).toBe('PROTOCOL_ERROR');
  });
});

function without(name: string): Record<string, string> {
  const { [name]: _left, ...others } = callFields();
  return others;
}

function expectAnswer({ ended, headers, trailers, body }: PeerAnswer): void {
  expect(ended).toBe('answered');
  expect(headers).toMatchObject({ ':status': '200', 'content-type': 'application/grpc+proto' });
  expect(trailers).toEqual({ 'grpc-status': '0' });
  expect(body.readUInt8(0)).toBe(0);
  expect(body.readUInt32BE(1)).toBe(body.length - PREFIX_BYTES);
  const { overallCode } = fromBinary(RateLimitResponseSchema, body.subarray(PREFIX_BYTES));
  expect(overallCode).toBe(RateLimitResponse_Code.OK);
}
