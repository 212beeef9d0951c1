/** Stopping: who must be waited for, and who must not hold it up. */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { startInProcess } from '../support/in-process.ts';

const POLICY = 'domain: doors\n';
// Far beyond what stopping may take here, and below every timeout that would end a connection by itself.
const PROMPT_MILLIS = 4_000;

const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** A connection on which `bytes` were sent; with `answered`, after something came back. */
async function open(port: number, bytes: string, answered: boolean): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  if (bytes !== '') await new Promise((resolve) => socket.write(bytes, resolve));
  if (answered) await once(socket, 'data');
  socket.resume();
  return socket;
}

async function settlesWithin(promise: Promise<unknown>, millis: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), millis);
  });
  const settled = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return settled;
}

const GET = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n';
const HALF_HEAD = 'POST /json HTTP/1.1\r\nhost: x\r\n';
const HALF_BODY = `${HALF_HEAD}content-type: application/json\r\ncontent-length: 9\r\n\r\n{`;

describe('stopping is not held up by a connection', () => {
  test.each<[what: string, port: 'httpPort' | 'grpcPort', bytes: string, answered: boolean]>([
    ['to the HTTP port that is kept alive', 'httpPort', GET, true],
    ['to the HTTP port that never sent anything', 'httpPort', '', false],
    ['to the gRPC port that is kept alive by HTTP/1.1', 'grpcPort', GET, true],
    ['to the gRPC port that never sent anything', 'grpcPort', '', false],
    ['to the gRPC port that sent half of a preface', 'grpcPort', 'PRI *', false],
  ])('%s', async (_what, port, bytes, answered) => {
    const server = await startInProcess([POLICY], { DRAIN_TIMEOUT: '10s' });
    const socket = await open(server[port], bytes, answered);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const stopped = server.stop();
    const prompt = await settlesWithin(stopped, PROMPT_MILLIS);
    await stopped;
    await closed;
    expect(prompt).toBe(true);
  });
});

describe('stopping ends after the drain time what does not end by itself:', () => {
  test.each<[what: string, port: 'httpPort' | 'grpcPort', bytes: string]>([
    ['half of a head on the HTTP port', 'httpPort', HALF_HEAD],
    ['half of a body on the HTTP port', 'httpPort', HALF_BODY],
    ['half of a head on the gRPC port', 'grpcPort', HALF_HEAD],
    ['half of a body on the gRPC port', 'grpcPort', HALF_BODY],
  ])('%s', async (_what, port, bytes) => {
    const server = await startInProcess([POLICY], { DRAIN_TIMEOUT: '200ms' });
    const socket = await open(server[port], bytes, false);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const stopped = server.stop();
    const prompt = await settlesWithin(stopped, PROMPT_MILLIS);
    await stopped;
    await closed;
    expect(prompt).toBe(true);
  });
});

test('a client by HTTP/2 is told to go (GOAWAY, no error), and its connection ends', async () => {
  const server = await startInProcess([POLICY], { DRAIN_TIMEOUT: '30s' });
  const session = connectHttp2(server.grpc);
  await once(session, 'remoteSettings');
  const goaway = once(session, 'goaway');
  const closed = once(session, 'close');
  await server.stop();
  const [code] = await goaway;
  await closed;
  expect(code).toBe(0);
});

test('nobody can connect to any port afterwards', async () => {
  const server = await startInProcess([POLICY]);
  await server.stop();
  for (const port of [server.httpPort, server.grpcPort]) {
    await expect(once(connect(port, '127.0.0.1'), 'connect')).rejects.toThrow('ECONNREFUSED');
  }
});
