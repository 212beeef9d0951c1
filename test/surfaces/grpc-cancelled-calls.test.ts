/** Calls that their client gives up: a gateway's timeouts cost it those calls, and not the others. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { until } from '../support/children.ts';
import { GrpcPort } from '../support/grpc-port.ts';
import { ping } from '../support/http2-frames.ts';
import { Http2Peer } from '../support/http2-peer.ts';

let port: GrpcPort;

beforeEach(async () => {
  port = await GrpcPort.start();
});

afterEach(() => port.stop(0));

test('thousands of calls that time out on a connection leave the innocent one on it to be answered', async () => {
  const peer = await Http2Peer.open(port.port);
  const release = port.hold();
  peer.call(1);
  await until('the innocent one has arrived', () => port.waiting === 1);
  for (let call = 1; call <= 2_000; call++) {
    peer.call(2 * call + 1);
    peer.cancel(2 * call + 1);
  }
  peer.call(5_001);
  // Answered in order: all before it has been read by then, and no call is answered before it is given up.
  peer.send(ping());
  await peer.frame('PING');
  release();
  await until('both others are answered', () => peer.answered.length === 2);
  expect(peer.answered.sort((one, other) => one - other)).toEqual([1, 5_001]);
});
