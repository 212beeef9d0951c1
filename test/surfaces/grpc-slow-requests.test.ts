/** HTTP/1.1 on the gRPC port: who sends a request for ever is not waited for, whatever he sends now and then. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '../support/children.ts';
import { ManualClock } from '../support/clock.ts';
import { GrpcPort } from '../support/grpc-port.ts';

const BODY = '{"service":""}';
const HEAD = 'POST /grpc.health.v1.Health/Check HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
const REQUEST = `${HEAD}content-length: ${BODY.length}\r\n\r\n${BODY}`;
const BOUND_MILLIS = 10_000;

let clock: ManualClock;
let port: GrpcPort;
let socket: Socket;
let answers: string;
let closed: Promise<unknown>;

beforeEach(async () => {
  clock = new ManualClock();
  port = await GrpcPort.start({ clock });
  answers = '';
  socket = connect({ port: port.port, host: '127.0.0.1' });
  socket.on('data', (chunk) => {
    answers += String(chunk);
  });
  // What was on its way to a connection that is closed makes it a reset.
  socket.on('error', () => undefined);
  closed = new Promise((resolve) => socket.once('close', resolve));
  await once(socket, 'connect');
});

afterEach(() => {
  socket.destroy();
  return port.stop(0);
});

async function send(text: string): Promise<void> {
  await new Promise((resolve) => socket.write(text, resolve));
}

async function answered(times: number): Promise<void> {
  await until('it is answered', () => answers.split('HTTP/1.1 200').length - 1 === times);
}

describe('a connection is closed', () => {
  test.each<[what: string, begin: string, more: string]>([
    ['one more header now and then', HEAD, 'a: b\r\n'],
    ['one more byte of the body now and then', `${HEAD}content-length: 1000\r\n\r\n{`, ' '],
  ])('10 s after it was opened if its request goes on with %s', async (_what, begin, more) => {
    await send(begin);
    await until('the server has it', () => clock.timers === 1);
    for (let second = 0; second < 9; second++) {
      clock.advance(1_000);
      await send(more);
    }
    expect(socket.closed).toBe(false);
    clock.advance(BOUND_MILLIS - 9_000);
    await closed;
  });

  test('10 s after an answer if the next request has not ended by then', async () => {
    await send(REQUEST);
    await answered(1);
    clock.advance(9_000);
    await send(HEAD);
    clock.advance(1_000);
    await closed;
  });
});

test('a connection that asks again and again lives on', async () => {
  for (let request = 1; request <= 5; request++) {
    await send(REQUEST);
    await answered(request);
    clock.advance(BOUND_MILLIS - 1);
  }
  await send(REQUEST + REQUEST);
  await answered(7);
});

test('a connection that is closed leaves no timer behind', async () => {
  await send(HEAD);
  await until('the server has it', () => clock.timers === 1);
  socket.destroy();
  await until('the server has noticed', () => clock.timers === 0);
});
