/** TLS to a real redis-server that asks for client certificates, and whom it is not spoken with. */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { openRedis, type RedisConnection, type RedisOptions } from '../../../src/adapters/redis/connect.ts';
import { RedisStore } from '../../../src/adapters/redis/redis-store.ts';
import type { RedisTls } from '../../../src/adapters/redis/tls.ts';
import { Authority, type CertificateFiles } from '../../support/certificates.ts';
import { endChild, startChild, until } from '../../support/children.ts';
import { freePort } from '../../support/ports.ts';
import { isConnected } from '../../support/redis-connected.ts';

let authority: Authority;
let stranger: Authority;
let client: CertificateFiles;
let folder: string;
beforeAll(() => {
  authority = new Authority();
  stranger = new Authority();
  client = authority.issue({ names: ['client'] });
  folder = mkdtempSync(join(tmpdir(), 'headroom-redis-tls-'));
});
afterAll(() => {
  authority.remove();
  stranger.remove();
  rmSync(folder, { recursive: true, force: true });
});

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** @returns its port */
async function serve({ certPath, keyPath }: CertificateFiles, more: readonly string[] = []): Promise<number> {
  const port = await freePort();
  const tls = [
    '--tls-port',
    String(port),
    '--tls-cert-file',
    certPath,
    '--tls-key-file',
    keyPath,
    '--tls-ca-cert-file',
    authority.caPath,
  ];
  const quiet = ['--port', '0', '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const child: ChildProcess = startChild('redis-server', [...quiet, ...tls, ...more], { stdio: 'ignore' });
  closing.push(() => endChild(child));
  return port;
}

function open(options: Partial<RedisOptions> & Pick<RedisOptions, 'topology'>) {
  const lost: Error[] = [];
  const startup = { initialMillis: 20, maxMillis: 50, maxElapsedMillis: 0 };
  const events = { onLost: (error: Error) => lost.push(error), onBack: () => undefined };
  const redis = openRedis({ dialTimeoutMillis: 1_000, startup, ...options }, events);
  closing.push(() => redis.close());
  return { redis, lost };
}

function openTls(port: number, tls: Partial<RedisTls>, host = '127.0.0.1') {
  const topology = { type: 'single' as const, endpoint: { host, port } };
  return open({ topology, tls: { skipHostnameVerification: false, ...tls } });
}

function mine(): Partial<RedisTls> {
  return { caPath: authority.caPath, certPath: client.certPath, keyPath: client.keyPath };
}

async function answers(redis: RedisConnection): Promise<void> {
  await until('it is connected', () => isConnected(redis));
  await new RedisStore({ redis, keyPrefix: '', expirationJitterMaxSeconds: 0 }).probe();
}

/** Waits for what the connection fails with once the server is there. */
async function refusal(lost: readonly Error[], redis: RedisConnection): Promise<string> {
  const isRefused = () => lost.some(({ message }) => !message.includes('ECONNREFUSED'));
  redis.client.on('error', (error: Error) => (lost as Error[]).push(error));
  await until('it is refused', isRefused);
  expect(isConnected(redis)).toBe(false);
  return lost.find(({ message }) => !message.includes('ECONNREFUSED'))?.message ?? '';
}

test('a server that asks for a certificate is spoken with by the one that is set', async () => {
  const port = await serve(authority.issue({ names: ['127.0.0.1'] }));
  await answers(openTls(port, mine()).redis);
});

test('a user and a password go with it', async () => {
  const acl = join(folder, 'users.acl');
  writeFileSync(acl, 'user default off\nuser headroom on >secret ~* +@all\n');
  const port = await serve(authority.issue({ names: ['127.0.0.1'] }), ['--aclfile', acl]);
  const topology = { type: 'single' as const, endpoint: { host: '127.0.0.1', port } };
  const tls = { skipHostnameVerification: false, ...mine() };
  await answers(open({ topology, tls, auth: { username: 'headroom', password: 'secret' } }).redis);
});

test('a host that is named by a name is verified by that name', async () => {
  const port = await serve(authority.issue({ names: ['localhost'] }));
  await answers(openTls(port, mine(), 'localhost').redis);
});

describe('nobody is spoken with', () => {
  test('whose certificate an unknown authority signed', async () => {
    const port = await serve(stranger.issue({ names: ['127.0.0.1'] }));
    const { redis, lost } = openTls(port, mine());
    expect(await refusal(lost, redis)).toMatch(/unable to verify|self-signed|unable to get/);
  });

  test('whose certificate an unknown authority signed, even where names are not verified', async () => {
    const port = await serve(stranger.issue({ names: ['127.0.0.1'] }));
    const { redis, lost } = openTls(port, { ...mine(), skipHostnameVerification: true });
    expect(await refusal(lost, redis)).toMatch(/unable to verify|self-signed|unable to get/);
  });

  test('whose certificate is for another name, unless names are not verified', async () => {
    const port = await serve(authority.issue({ names: ['elsewhere'] }));
    const { redis, lost } = openTls(port, mine());
    expect(await refusal(lost, redis)).toMatch(/does not match|not in the cert/);
    await answers(openTls(port, { ...mine(), skipHostnameVerification: true }).redis);
  });

  test('who asks for a certificate, without one', async () => {
    const port = await serve(authority.issue({ names: ['127.0.0.1'] }));
    const { redis } = openTls(port, { caPath: authority.caPath });
    const reached = openTls(port, mine());
    await until('the server is there', () => isConnected(reached.redis));
    expect(isConnected(redis)).toBe(false);
  });
});

test.each([
  { variable: 'REDIS_TLS_CACERT', tls: () => ({ caPath: join(folder, 'none.pem') }) },
  { variable: 'REDIS_TLS_CACERT', tls: () => ({ caPath: client.keyPath }) },
  { variable: 'REDIS_TLS_CLIENT_CERT', tls: () => ({ ...mine(), certPath: join(folder, 'none.pem') }) },
  { variable: 'REDIS_TLS_CLIENT_CERT', tls: () => ({ ...mine(), certPath: client.keyPath }) },
  { variable: 'REDIS_TLS_CLIENT_KEY', tls: () => ({ ...mine(), keyPath: stranger.issue({ names: ['a'] }).keyPath }) },
])('a file that cannot be used is an error that names $variable', ({ variable, tls }) => {
  expect(() => openTls(1, tls())).toThrow(new RegExp(`^${variable}: `));
});

test('the nodes of a Cluster are spoken with by TLS, each by the same certificate', async () => {
  const cluster = [
    '--cluster-enabled',
    'yes',
    '--tls-cluster',
    'yes',
    '--cluster-config-file',
    'tls-nodes.conf',
    '--cluster-announce-ip',
    '127.0.0.1',
  ];
  const port = await serve(authority.issue({ names: ['127.0.0.1', 'localhost'] }), cluster);
  const tls = ['--tls', '--cacert', authority.caPath, '--cert', client.certPath, '--key', client.keyPath];
  const ask = (...args: string[]) =>
    spawnSync('redis-cli', ['-p', String(port), ...tls, ...args], { encoding: 'utf8' });
  await until('the node takes all slots', () => ask('CLUSTER', 'ADDSLOTSRANGE', '0', '16383').stdout.startsWith('OK'));
  await until('the Cluster is whole', () => ask('CLUSTER', 'INFO').stdout.includes('cluster_state:ok'));
  const topology = { type: 'cluster' as const, nodes: [{ host: 'localhost', port }] };
  await answers(open({ topology, tls: { skipHostnameVerification: false, ...mine() } }).redis);
});

test('Sentinels and the primary that they name are spoken with by TLS', async () => {
  const server = authority.issue({ names: ['127.0.0.1'] });
  const primary = await serve(server);
  const port = await freePort();
  const file = join(folder, 'sentinel.conf');
  const files = [
    `tls-cert-file ${server.certPath}`,
    `tls-key-file ${server.keyPath}`,
    `tls-ca-cert-file ${authority.caPath}`,
  ];
  const watched = ['tls-replication yes', `sentinel monitor m 127.0.0.1 ${primary} 1`];
  writeFileSync(
    file,
    `${['port 0', `tls-port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, ...files, ...watched].join('\n')}\n`,
  );
  const child = startChild('redis-server', [file, '--sentinel'], { stdio: 'ignore' });
  closing.push(() => endChild(child));
  const topology = { type: 'sentinel' as const, master: 'm', sentinels: [{ host: '127.0.0.1', port }] };
  await answers(open({ topology, tls: { skipHostnameVerification: false, ...mine() } }).redis);
});
