/** A unix socket in place of the port: whose it is, and what becomes of its file. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { listenAtPath } from '../../src/surfaces/listen.ts';
import { Authority } from '../support/certificates.ts';
import { endChild, startChild, until } from '../support/children.ts';
import { EnvoyCalls } from '../support/envoy-calls.ts';
import { GrpcPort } from '../support/grpc-port.ts';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-uds-'));
  path = join(folder, 'grpc.sock');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function open(): Promise<EnvoyCalls> {
  return EnvoyCalls.open('http://localhost', { createConnection: () => connect({ path }) });
}

/** The socket's file without anybody behind it: its process was killed. */
async function leaveStale(): Promise<void> {
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)})`;
  const child = startChild(process.execPath, ['-e', script]);
  await until('the socket is there', () => existsSync(path));
  await endChild(child, 'SIGKILL');
  expect(existsSync(path)).toBe(true);
}

test('calls are answered there, clients are asked to go at the stop, and the file is gone afterwards', async () => {
  const port = await GrpcPort.start({ config: { listen: { path } } });
  expect(port.port).toBe(0);
  const calls = await open();
  const { grpcStatus } = await calls.decide('k');
  await port.stop(10_000);
  await calls.askedToGo;
  await calls.closed;
  expect(grpcStatus).toBe(0);
  expect(existsSync(path)).toBe(false);
});

test('TLS is spoken there, too', async () => {
  const authority = new Authority();
  const tls = authority.issue({ names: ['localhost'] });
  const port = await GrpcPort.start({ config: { listen: { path }, tls } });
  const socketPath = { ca: authority.ca, path, servername: 'localhost' };
  const calls = await EnvoyCalls.open('https://localhost', socketPath);
  const { grpcStatus } = await calls.decide('k');
  calls.close();
  await port.stop();
  authority.remove();
  expect(grpcStatus).toBe(0);
});

test('the file of a dead process is replaced', async () => {
  await leaveStale();
  const port = await GrpcPort.start({ config: { listen: { path } } });
  const calls = await open();
  const { grpcStatus } = await calls.decide('k');
  calls.close();
  await port.stop();
  expect(grpcStatus).toBe(0);
});

describe('a server does not start, and says why, where', () => {
  async function reason(): Promise<string> {
    const port = new GrpcPort({ config: { listen: { path } } });
    const error = await port.listen().catch((thrown: unknown) => thrown as Error);
    await port.stop();
    return error?.message ?? 'it started';
  }

  test('a living process listens', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(path, resolve));
    expect(await reason()).toBe(`cannot listen on ${path}: another process listens there`);
    // Still its own.
    const socket = connect({ path });
    await once(socket, 'connect');
    socket.destroy();
    await new Promise((resolve) => other.close(resolve));
  });

  test('another process is quicker to replace the file of a dead one', async () => {
    await leaveStale();
    const quicker = createServer();
    class Slower extends Server {
      #attempts = 0;

      override listen(...given: unknown[]): this {
        this.#attempts += 1;
        if (this.#attempts === 2) quicker.listen(path);
        return super.listen(...(given as []));
      }
    }
    await expect(listenAtPath(new Slower(), path)).rejects.toThrow(
      `cannot listen on ${path}: another process listens there`,
    );
    await new Promise((resolve) => quicker.close(resolve));
  });

  test('a file stands that is no socket', async () => {
    writeFileSync(path, 'precious');
    expect(await reason()).toBe(`cannot listen on ${path}: a file that is no socket stands there`);
    expect(existsSync(path)).toBe(true);
  });

  test('there is no such folder', async () => {
    rmSync(folder, { recursive: true });
    expect(await reason()).toContain(`cannot listen on ${path}: `);
  });
});
