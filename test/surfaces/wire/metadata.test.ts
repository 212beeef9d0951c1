/** Metadata of every size: what is no longer than the bound is taken, what is longer fails that call in a way one can read. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { GrpcPort } from '../../support/grpc-port.ts';
import { dataFrames, headerBlock, headersFrames } from '../../support/http2-frames.ts';
import { callFields, Http2Peer, type PeerAnswer, QUESTION_BYTES } from '../../support/http2-peer.ts';
import { TRANSPORTS } from '../../support/transports.ts';

// Node's own bound for a list of fields; gRPC asks for 8 KiB at least.
const LIST_BYTES_TAKEN = 64_000;
const FIELD_BYTES = 8_000;

describe.each(TRANSPORTS)('%s:', (transport) => {
  let port: GrpcPort;

  beforeAll(async () => {
    port = await GrpcPort.start({ transport });
  });

  afterAll(() => port.stop(0));

  /** A call with so many fields of so many bytes, and one after it on the same connection. */
  async function ask(count: number, bytes: number): Promise<{ answer: PeerAnswer; next: PeerAnswer; peer: Http2Peer }> {
    const peer = await Http2Peer.open(port.port);
    const metadata = Array.from({ length: count }, (_, index) => [`x-${index}`, 'v'.repeat(bytes)]);
    const block = headerBlock(callFields(Object.fromEntries(metadata)));
    peer.send(headersFrames(1, block), dataFrames(1, QUESTION_BYTES));
    peer.call(3);
    const [answer, next] = await Promise.all([peer.answer(1), peer.answer(3)]);
    peer.close();
    return { answer, next, peer };
  }

  test.each([
    ['one field of nearly 64 KiB', 1, LIST_BYTES_TAKEN],
    ['fields of nearly 64 KiB in all', LIST_BYTES_TAKEN / FIELD_BYTES - 1, FIELD_BYTES],
    ['a hundred fields', 100, 10],
  ])('%s are taken', async (_what, count, bytes) => {
    const { answer } = await ask(count, bytes);
    expect(answer).toMatchObject({ ended: 'answered', trailers: { 'grpc-status': '0' } });
  });

  test.each([
    ['one field of 128 KiB', 1, 131_072],
    ['fields of 160 KB in all', 20, FIELD_BYTES],
    ['fields of 4 MB in all', 500, FIELD_BYTES],
    ['five thousand fields', 5_000, 1],
  ])('%s fail the call or its connection, which says why', async (_what, count, bytes) => {
    const { answer, next, peer } = await ask(count, bytes);
    if (answer.ended === 'lost') {
      expect(['ENHANCE_YOUR_CALM', 'COMPRESSION_ERROR', 'INTERNAL_ERROR', 'PROTOCOL_ERROR']).toContain(peer.goaway);
      return;
    }
    expect(next.trailers).toEqual({ 'grpc-status': '0' });
    if (answer.ended === 'answered') expect(answer.headers).toMatchObject({ ':status': '431' });
    else expect(['ENHANCE_YOUR_CALM', 'REFUSED_STREAM', 'INTERNAL_ERROR']).toContain(answer.ended);
  });

  test('a connection is as good as new after metadata that fails a call on another', async () => {
    const peer = await Http2Peer.open(port.port);
    await ask(500, FIELD_BYTES);
    peer.call(1);
    expect(await peer.answer(1)).toMatchObject({ ended: 'answered', trailers: { 'grpc-status': '0' } });
    peer.close();
  });
});
