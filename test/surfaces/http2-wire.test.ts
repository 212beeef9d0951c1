/** The wire under a session of HTTP/2: a peer that does not read is neither listened to nor waited for. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Http2Wire } from '../../src/surfaces/grpc/http2-wire.ts';
import { until } from '../support/children.ts';
import { ManualClock, settled } from '../support/clock.ts';

// More than a unix socket holds.
const MUCH = Buffer.alloc(4 * 1_024 * 1_024, 'x');
const PATIENCE_MILLIS = 20_000;

let folder: string;
let server: Server;
let peer: Socket;
let clock: ManualClock;
let wire: Http2Wire;
let heard: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-wire-'));
  clock = new ManualClock();
  heard = '';
  server = createServer();
  server.listen(join(folder, 'socket'));
  await once(server, 'listening');
  // Not read from until a test says so.
  peer = connect(join(folder, 'socket')).pause();
  peer.on('error', () => undefined);
  const [socket] = (await once(server, 'connection')) as [Socket];
  wire = new Http2Wire(socket, clock);
  wire.on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
});

afterEach(() => {
  wire.destroy();
  peer.destroy();
  server.close();
  rmSync(folder, { recursive: true });
});

test('a peer that takes nothing for 20 s is given up', async () => {
  const closed = once(wire, 'close');
  wire.write(MUCH);
  clock.advance(PATIENCE_MILLIS - 1);
  expect(wire.destroyed).toBe(false);
  clock.advance(1);
  await closed;
});

test('a peer that reads slowly is not, and what it was not heard of meanwhile is heard then', async () => {
  wire.write(MUCH);
  peer.write('a question');
  for (let turn = 0; turn < 10; turn++) await settled();
  expect(heard).toBe('');
  clock.advance(PATIENCE_MILLIS - 1);
  let read = 0;
  peer.on('data', (chunk) => {
    read += chunk.length;
  });
  peer.resume();
  await until('all is read', () => read === MUCH.length);
  await until('the question is heard', () => heard === 'a question');
  clock.advance(PATIENCE_MILLIS);
  expect([wire.destroyed, clock.timers]).toEqual([false, 0]);
});

test('what the system takes at once starts no timer', async () => {
  wire.write('an answer');
  expect(clock.timers).toBe(0);
  const [chunk] = (await once(peer.resume(), 'data')) as [Buffer];
  expect(String(chunk)).toBe('an answer');
});
