/** TLS on the gRPC port: every client that comes in clear comes by TLS, too, and nobody comes in otherwise. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { ListenError } from '../../src/surfaces/listen.ts';
import { Authority, type CertificateFiles, pemOf } from '../support/certificates.ts';
import { RLS_CLIENTS } from '../support/clients-rls.ts';
import { EnvoyCalls } from '../support/envoy-calls.ts';
import { GrpcPort } from '../support/grpc-port.ts';

const QUESTION = { domain: 'closient', descriptors: [{ entries: [{ key: 'api_key', value: 'k' }] }] };
// Far beyond what stopping may take here, and below every timeout that would end a connection by itself.
const PROMPT_MILLIS = 4_000;

let authority: Authority;
let files: CertificateFiles;
const ports: GrpcPort[] = [];
const sockets: Socket[] = [];

beforeAll(() => {
  authority = new Authority();
  files = authority.issue({ names: ['localhost'] });
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(ports.splice(0).map((port) => port.stop(0)));
});

afterAll(() => authority.remove());

async function startTls(): Promise<GrpcPort> {
  const port = await GrpcPort.start({ config: { tls: files } });
  ports.push(port);
  return port;
}

/** Settles when the handshake is done. */
async function byTls(port: GrpcPort, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connectTls({ port: port.port, host: 'localhost', ca: authority.ca, ...options });
  sockets.push(socket);
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  return socket;
}

describe('a call is answered by TLS to', () => {
  let port: GrpcPort;

  beforeAll(async () => {
    port = await GrpcPort.start({ config: { tls: files } });
  });

  afterAll(() => port.stop());

  test.each(Object.entries(RLS_CLIENTS))('%s', async (_name, open) => {
    const client = open(`https://localhost:${port.port}`, { ca: authority.ca });
    const answer = await client.ask(QUESTION);
    client.close();
    expect(answer).toMatchObject({ code: 'OK', statuses: [{ code: 'OK', limit: { requestsPerUnit: 1_000_000 } }] });
  });

  test('a client of HTTP/1.1 that offers no protocol', async () => {
    const socket = await byTls(port, {});
    socket.write('POST /grpc.health.v1.Health/Check HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n');
    socket.write('content-length: 2\r\n\r\n{}');
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(socket.alpnProtocol).toBe(false);
    expect(head.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  test('a client of HTTP/2 that offers no protocol, and begins before the server has', async () => {
    const socket = await byTls(port, {});
    // The preface, an empty SETTINGS, and a PING.
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    socket.write(Buffer.from('000000040000000000' + '000008060000000000' + '0102030405060708', 'hex'));
    const pong = Buffer.from('000008060100000000' + '0102030405060708', 'hex');
    let answer = Buffer.alloc(0);
    for await (const chunk of socket) {
      answer = Buffer.concat([answer, chunk as Buffer]);
      if (answer.includes(pong)) break;
    }
    expect(answer.includes(pong)).toBe(true);
  });
});

describe('is refused at the handshake:', () => {
  test.each<[what: string, options: ConnectionOptions]>([
    ['TLS 1.1', { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }],
    ['a client that speaks neither HTTP/2 nor HTTP/1.1', { ALPNProtocols: ['h3'] }],
  ])('%s', async (_what, options) => {
    const port = await startTls();
    await expect(byTls(port, options)).rejects.toThrow(/alert/);
  });

  test('a client that does not know of TLS', async () => {
    const port = await startTls();
    await expect(EnvoyCalls.open(`http://127.0.0.1:${port.port}`)).rejects.toThrow();
  });
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)('a call is answered by %s', async (version) => {
  const port = await startTls();
  const tls = { ca: authority.ca, minVersion: version, maxVersion: version };
  const calls = await EnvoyCalls.open(`https://localhost:${port.port}`, tls);
  const { grpcStatus } = await calls.decide('k');
  calls.close();
  expect(grpcStatus).toBe(0);
});

test('many calls at once, larger than a record of TLS, are all answered', async () => {
  const port = await startTls();
  const calls = await EnvoyCalls.open(`https://localhost:${port.port}`, { ca: authority.ca });
  const results = await Promise.all(
    Array.from({ length: 2_000 }, (_, index) => calls.decide(`${index}`.padEnd(1_000))),
  );
  calls.close();
  expect(results.filter(({ grpcStatus }) => grpcStatus !== 0)).toEqual([]);
});

describe('a server that cannot have its TLS files does not start, and names the file:', () => {
  function file(name: string, text: string | Buffer): string {
    const path = join(authority.folder, name);
    writeFileSync(path, text);
    return path;
  }

  test.each<[what: string, tls: () => object, message: () => string]>([
    [
      'no certificate',
      () => ({ certPath: '/nowhere/tls.crt' }),
      () => 'GRPC_SERVER_TLS_CERT: /nowhere/tls.crt: no such file',
    ],
    ['no key', () => ({ keyPath: '/nowhere/tls.key' }), () => 'GRPC_SERVER_TLS_KEY: /nowhere/tls.key: no such file'],
    [
      'a key that is not that of the certificate',
      () => ({ keyPath: authority.issue({ names: [] }).keyPath }),
      () => `is not the key of the certificate in ${files.certPath}`,
    ],
    [
      'bytes that are no certificate',
      () => ({ certPath: file('garbage.pem', 'garbage') }),
      () => `GRPC_SERVER_TLS_CERT: ${join(authority.folder, 'garbage.pem')}: holds no certificate in PEM`,
    ],
    [
      'half a certificate',
      () => ({ certPath: file('half.pem', pemOf(files).cert.subarray(0, 300)) }),
      () => 'half.pem: holds no certificate in PEM',
    ],
    [
      'a certificate and half of the next one',
      () => ({ certPath: file('more.pem', Buffer.concat([pemOf(files).cert, authority.ca.subarray(0, 300)])) }),
      () => 'more.pem: ends in the middle of a certificate',
    ],
    [
      'bytes that are no key',
      () => ({ keyPath: file('garbage.key', 'garbage') }),
      () => 'garbage.key: holds no private key in PEM that can be read without a password',
    ],
    [
      'no authority for clients',
      () => ({ clientCaPath: '/nowhere/ca.pem' }),
      () => 'GRPC_CLIENT_TLS_CACERT: /nowhere/ca.pem: no such file',
    ],
    [
      'an authority for clients that is empty',
      () => ({ clientCaPath: file('empty.pem', '') }),
      () => 'empty.pem: holds no certificate in PEM',
    ],
  ])('%s', async (_what, tls, message) => {
    const port = new GrpcPort({ config: { tls: { ...files, ...tls() } } });
    ports.push(port);
    const error = await port.listen().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ListenError);
    expect((error as ListenError).code).toBe('LISTEN_FAILED');
    expect((error as ListenError).message).toContain(message());
    expect((error as ListenError).message).toContain('GRPC_');
  });
});

describe('stopping is not held up by a connection', () => {
  async function stopsPromptly(port: GrpcPort, socket: Socket): Promise<boolean> {
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    socket.resume();
    const startedAt = performance.now();
    await port.stop(10_000);
    await closed;
    return performance.now() - startedAt < PROMPT_MILLIS;
  }

  test('that never began its handshake', async () => {
    const port = await startTls();
    const socket = connectTcp(port.port, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'connect');
    expect(await stopsPromptly(port, socket)).toBe(true);
  });

  test('that never sent anything after its handshake', async () => {
    const port = await startTls();
    expect(await stopsPromptly(port, await byTls(port, { ALPNProtocols: ['h2'] }))).toBe(true);
  });

  test('that is kept alive by HTTP/1.1', async () => {
    const port = await startTls();
    const socket = await byTls(port, { ALPNProtocols: ['http/1.1'] });
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(socket, 'data');
    expect(await stopsPromptly(port, socket)).toBe(true);
  });

  test('by HTTP/2, which is asked to go', async () => {
    const port = await startTls();
    const calls = await EnvoyCalls.open(`https://localhost:${port.port}`, { ca: authority.ca });
    await port.stop(10_000);
    await calls.askedToGo;
    await calls.closed;
  });
});

test('a client is not waited for longer than 10 s, wherever it falls silent', async () => {
  const port = await startTls();
  const silent = connectTcp(port.port, '127.0.0.1');
  const half = connectTcp(port.port, '127.0.0.1', () => half.write(Buffer.from('1603010200010001fc0303', 'hex')));
  const afterwards = await byTls(port, { ALPNProtocols: ['h2'] });
  const all = [silent, half, afterwards];
  sockets.push(...all);
  const closed = all.map((socket) => {
    socket.on('error', () => undefined);
    socket.resume();
    return new Promise((resolve) => socket.once('close', resolve));
  });
  const startedAt = performance.now();
  await Promise.all(closed);
  const millis = performance.now() - startedAt;
  expect(millis).toBeGreaterThan(9_000);
  expect(millis).toBeLessThan(14_000);
}, 30_000);
