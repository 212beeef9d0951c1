/** Ten thousand calls that are open at the same time, on a few connections as gateways have them. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '../../support/children.ts';
import { GrpcPort } from '../../support/grpc-port.ts';
import { dataFrames, windowUpdate } from '../../support/http2-frames.ts';
import { Http2Peer, head, QUESTION_BYTES } from '../../support/http2-peer.ts';
import { TRANSPORTS } from '../../support/transports.ts';

const CONNECTIONS = 4;
const CALLS_PER_CONNECTION = 2_500;
// What a connection announces.
const STREAMS_MAX = 4_096;
const WINDOW_BYTES = 64 * 1_024 * 1_024;

describe.each(TRANSPORTS)('%s:', (transport) => {
  let port: GrpcPort;
  const peers: Http2Peer[] = [];

  beforeEach(async () => {
    port = await GrpcPort.start({ transport });
  });

  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.close();
    await port.stop(0);
  });

  async function open(): Promise<Http2Peer> {
    const peer = await Http2Peer.open(port.port);
    peers.push(peer);
    // For all answers at once.
    peer.send(windowUpdate(0, WINDOW_BYTES));
    return peer;
  }

  function callMany(peer: Http2Peer, calls: number): void {
    const streams = Array.from({ length: calls }, (_, call) => 2 * call + 1);
    peer.send(...streams.flatMap((stream) => [head(stream), dataFrames(stream, QUESTION_BYTES)]));
  }

  test('10,000 calls that all wait at once are all answered, each once', async () => {
    const release = port.hold();
    for (let connection = 0; connection < CONNECTIONS; connection += 1) {
      const peer = await open();
      callMany(peer, CALLS_PER_CONNECTION);
    }
    await until('all wait', () => port.waiting === CONNECTIONS * CALLS_PER_CONNECTION, 60_000);
    release();
    for (const peer of peers) {
      await until('all are answered', () => peer.answered.length === CALLS_PER_CONNECTION, 60_000);
      expect(new Set(peer.answered).size).toBe(CALLS_PER_CONNECTION);
      for (const stream of [1, CALLS_PER_CONNECTION - 1, 2 * CALLS_PER_CONNECTION - 1]) {
        expect((await peer.answer(stream)).trailers).toEqual({ 'grpc-status': '0' });
      }
    }
    expect(port.log).toEqual([]);
  }, 120_000);

  test('calls beyond what a connection may have open are refused, or its connection ends and says why', async () => {
    const beyond = 10;
    const release = port.hold();
    const peer = await open();
    callMany(peer, STREAMS_MAX + beyond);
    const ends = Array.from({ length: STREAMS_MAX + beyond }, (_, call) => peer.answer(2 * call + 1));
    await until('all that may wait do', () => port.waiting >= STREAMS_MAX || peer.goaway !== undefined, 60_000);
    release();
    const counts: Record<string, number> = {};
    for (const { ended } of await Promise.all(ends)) counts[ended] = (counts[ended] ?? 0) + 1;
    // Node ends the connection of a client that has acknowledged the bound and goes beyond it.
    if (peer.goaway === undefined) expect(counts).toEqual({ answered: STREAMS_MAX, REFUSED_STREAM: beyond });
    else expect(['PROTOCOL_ERROR', 'ENHANCE_YOUR_CALM']).toContain(peer.goaway);
    const other = await open();
    other.call(1);
    expect(await other.answer(1)).toMatchObject({ trailers: { 'grpc-status': '0' } });
  }, 120_000);
});
