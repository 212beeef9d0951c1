/** Calls that are given up at any point: nobody waits for them, and nothing of them stays. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '../../support/children.ts';
import { GrpcPort } from '../../support/grpc-port.ts';
import { dataFrames, END_STREAM, frameBytes, ping, reset } from '../../support/http2-frames.ts';
import { Http2Peer, head, QUESTION_BYTES } from '../../support/http2-peer.ts';
import { TRANSPORTS } from '../../support/transports.ts';

const HEALTH_WATCH = '/grpc.health.v1.Health/Watch';
// With every step in a turn of its own, so that it meets the server in the middle of things.
const CALLS = 200;

describe.each(TRANSPORTS)('%s:', (transport) => {
  let port: GrpcPort;
  let peer: Http2Peer;

  beforeEach(async () => {
    port = await GrpcPort.start({ transport });
    peer = await Http2Peer.open(port.port);
  });

  afterEach(async () => {
    peer.close();
    await port.stop(0);
  });

  async function answeredPing(): Promise<void> {
    peer.send(ping());
    await peer.frame('PING');
  }

  async function expectNextIsAnswered(stream: number): Promise<void> {
    peer.call(stream);
    const { ended, trailers } = await peer.answer(stream);
    expect([ended, trailers['grpc-status']]).toEqual(['answered', '0']);
    expect(port.log).toEqual([]);
  }

  test.each<[when: string, frames: (stream: number) => readonly Buffer[]]>([
    ['before its message', (stream) => [head(stream)]],
    [
      'in the middle of its message',
      (stream) => [head(stream), frameBytes('DATA', 0, stream, QUESTION_BYTES.subarray(0, 9))],
    ],
    ['before it has ended', (stream) => [head(stream), frameBytes('DATA', 0, stream, QUESTION_BYTES)]],
    ['while it waits for its answer', (stream) => [head(stream), dataFrames(stream, QUESTION_BYTES)]],
    [
      'as a stream of answers',
      (stream) => [head(stream, { ':path': HEALTH_WATCH }), dataFrames(stream, Buffer.alloc(5))],
    ],
  ])('the connection goes on after calls that are each given up %s', async (_when, frames) => {
    for (let call = 0; call < CALLS; call += 1) {
      const stream = 2 * call + 1;
      peer.send(...frames(stream));
      if (call % 10 === 0) await answeredPing();
      peer.cancel(stream);
    }
    await expectNextIsAnswered(2 * CALLS + 1);
  });

  test('in one write with the call itself', async () => {
    for (let stream = 1; stream < 2 * CALLS; stream += 2) {
      peer.send(head(stream), dataFrames(stream, QUESTION_BYTES), reset(stream, 'CANCEL'));
    }
    await expectNextIsAnswered(2 * CALLS + 1);
  });

  test('while the counters are waited for: the answer is not sent, and others on the connection are', async () => {
    const release = port.hold();
    for (const stream of [1, 3, 5]) peer.call(stream);
    await until('all have arrived', () => port.waiting === 3);
    peer.cancel(3);
    await answeredPing();
    release();
    await Promise.all([peer.answer(1), peer.answer(5)]);
    await answeredPing();
    expect(peer.answered.toSorted((one, other) => one - other)).toEqual([1, 5]);
    await until('nobody waits', () => port.waiting === 0);
    await expectNextIsAnswered(7);
  });

  test('what comes behind the end of a call that was given up is passed over', async () => {
    peer.send(head(1), reset(1, 'CANCEL'), frameBytes('DATA', END_STREAM, 1, QUESTION_BYTES), reset(1, 'CANCEL'));
    peer.call(3);
    const { ended } = await peer.answer(3);
    // RFC 9113 §5.1 lets a server treat such frames as an error of the connection, if it says so.
    if (ended === 'lost') expect(peer.goaway).toBe('STREAM_CLOSED');
    else expect(ended).toBe('answered');
  });

  test('a connection that is closed takes its calls with it, and the port goes on', async () => {
    const release = port.hold();
    for (let stream = 1; stream < 2 * CALLS; stream += 2) peer.call(stream);
    await until('all have arrived', () => port.waiting === CALLS);
    peer.close();
    release();
    await until('nobody waits', () => port.waiting === 0);
    peer = await Http2Peer.open(port.port);
    await expectNextIsAnswered(1);
  });
});
