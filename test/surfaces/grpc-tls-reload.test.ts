/** The server's certificate is exchanged while it serves: the next connection sees the new one, no call the exchange. */

import { X509Certificate } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Authority, type CertificateFiles, pemOf, replaceFile } from '../support/certificates.ts';
import { until } from '../support/children.ts';
import { ManualClock } from '../support/clock.ts';
import { EnvoyCalls } from '../support/envoy-calls.ts';
import { GrpcPort } from '../support/grpc-port.ts';

const LOADED = 'TLS files loaded';
const NOT_LOADED = 'TLS files not loaded, the last good ones stay in force';
// As long as the server waits for the second of two files.
const PATIENCE_MILLIS = 1_000;
// How often it looks at the files though it saw no change, and the timers that it has for it.
const LOOK_MILLIS = 60_000;
const LOOKS = 1;

let authority: Authority;
let first: CertificateFiles;
let second: CertificateFiles;
let folders = 0;
const ports: GrpcPort[] = [];

beforeAll(() => {
  authority = new Authority();
});

beforeEach(() => {
  [first, second] = [authority.issue({ names: ['localhost'] }), authority.issue({ names: ['localhost'] })];
});

afterEach(() => Promise.all(ports.splice(0).map((port) => port.stop(0))));

afterAll(() => authority.remove());

function newFolder(): string {
  folders += 1;
  const folder = join(authority.folder, `live-${folders}`);
  mkdirSync(folder);
  return folder;
}

/** Certificate and key in folders of their own. */
function place(files: CertificateFiles): CertificateFiles {
  const [certPath, keyPath] = [join(newFolder(), 'tls.crt'), join(newFolder(), 'tls.key')];
  copyFileSync(files.certPath, certPath);
  copyFileSync(files.keyPath, keyPath);
  return { certPath, keyPath };
}

async function start(tls: CertificateFiles, clock?: ManualClock): Promise<GrpcPort> {
  const port = await GrpcPort.start({ config: { tls }, ...(clock && { clock }) });
  ports.push(port);
  return port;
}

function open(port: GrpcPort): Promise<EnvoyCalls> {
  return EnvoyCalls.open(`https://localhost:${port.port}`, { ca: authority.ca });
}

/** Of what the next connection is shown. */
async function shown(port: GrpcPort): Promise<string> {
  const calls = await open(port);
  calls.close();
  return calls.serverSerialNumber;
}

function serialOf({ certPath }: CertificateFiles): string {
  return new X509Certificate(readFileSync(certPath)).serialNumber;
}

describe('the next connection is shown the new certificate when it was', () => {
  test.each<[how: string, put: (from: string, to: string) => void]>([
    ['written in place', (from, to) => writeFileSync(to, readFileSync(from))],
    ['put in its place', replaceFile],
    [
      'written in pieces',
      (from, to) => {
        const bytes = readFileSync(from);
        writeFileSync(to, bytes.subarray(0, 100));
        writeFileSync(to, bytes.subarray(100), { flag: 'a' });
      },
    ],
  ])('%s', async (_how, put) => {
    const live = place(first);
    const port = await start(live);
    expect(await shown(port)).toBe(serialOf(first));
    put(second.certPath, live.certPath);
    put(second.keyPath, live.keyPath);
    await until('the new one is shown', async () => (await shown(port)) === serialOf(second));
    expect(port.messages('error')).toEqual([]);
    expect(port.messages('info')).toEqual([LOADED]);
  });

  test('exchanged by Kubernetes: the link ..data points elsewhere', async () => {
    const folder = newFolder();
    for (const [name, files] of Object.entries({ '..1': first, '..2': second })) {
      mkdirSync(join(folder, name));
      copyFileSync(files.certPath, join(folder, name, 'tls.crt'));
      copyFileSync(files.keyPath, join(folder, name, 'tls.key'));
    }
    symlinkSync('..1', join(folder, '..data'));
    for (const name of ['tls.crt', 'tls.key']) symlinkSync(`..data/${name}`, join(folder, name));
    const port = await start({ certPath: join(folder, 'tls.crt'), keyPath: join(folder, 'tls.key') });
    expect(await shown(port)).toBe(serialOf(first));
    symlinkSync('..2', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    await until('the new one is shown', async () => (await shown(port)) === serialOf(second));
    expect(port.messages('error')).toEqual([]);
  });

  test('made readable after it was put in its place', async () => {
    const live = place(first);
    const port = await start(live);
    // Root reads everything: what tells is that a change of rights alone makes the files be read again.
    replaceFile(second.certPath, live.certPath);
    replaceFile(second.keyPath, live.keyPath);
    await until('the new one is shown', async () => (await shown(port)) === serialOf(second));
    chmodSync(live.keyPath, 0o600);
    replaceFile(first.certPath, live.certPath);
    replaceFile(first.keyPath, live.keyPath);
    chmodSync(live.keyPath, 0o640);
    await until('the first one is shown again', async () => (await shown(port)) === serialOf(first));
  });
});

test('open connections live on, with every call on them', async () => {
  const live = place(first);
  const port = await start(live);
  const calls = await open(port);
  const release = port.hold();
  const call = calls.decide('k');
  await until('the call has arrived', () => port.waiting === 1);
  replaceFile(second.certPath, live.certPath);
  replaceFile(second.keyPath, live.keyPath);
  await until('the new one is shown', async () => (await shown(port)) === serialOf(second));
  release();
  expect((await call).grpcStatus).toBe(0);
  expect((await calls.decide('k')).grpcStatus).toBe(0);
  calls.close();
});

describe('the last good certificate stays in force, and one error is logged, after', () => {
  test.each<[what: string, spoil: (live: CertificateFiles) => void, reason: string]>([
    ['a certificate without its key', (live) => replaceFile(second.certPath, live.certPath), 'is not the key of'],
    ['a key without its certificate', (live) => replaceFile(second.keyPath, live.keyPath), 'is not the key of'],
    ['garbage', (live) => writeFileSync(live.certPath, 'garbage'), 'holds no certificate in PEM'],
    ['an empty key', (live) => writeFileSync(live.keyPath, ''), 'holds no private key in PEM'],
    [
      'half a certificate',
      (live) => writeFileSync(live.certPath, pemOf(second).cert.subarray(0, 300)),
      'holds no certificate in PEM',
    ],
    ['a certificate that is gone', (live) => renameSync(live.certPath, `${live.certPath}.old`), 'no such file'],
  ])('%s', async (_what, spoil, reason) => {
    const live = place(first);
    const clock = new ManualClock();
    const port = await start(live, clock);
    spoil(live);
    await until('the change is seen', () => clock.timers > LOOKS);
    await clock.pass(PATIENCE_MILLIS - 1);
    expect(port.messages('error')).toEqual([]);
    await clock.pass(1);
    expect(port.messages('error')).toEqual([NOT_LOADED]);
    expect(port.log.at(-1)?.fields.reason).toContain(reason);
    expect(JSON.stringify(port.log)).not.toContain('PRIVATE KEY-----');
    await clock.pass(10 * LOOK_MILLIS);
    expect(port.messages('error')).toEqual([NOT_LOADED]);
    expect(await shown(port)).toBe(serialOf(first));
  });
});

describe('within a minute the new certificate is shown though no change was seen, since', () => {
  /** As `place`, in one folder. */
  function placeTogether(files: CertificateFiles, folder: string): CertificateFiles {
    const live = { certPath: join(folder, 'tls.crt'), keyPath: join(folder, 'tls.key') };
    copyFileSync(files.certPath, live.certPath);
    copyFileSync(files.keyPath, live.keyPath);
    return live;
  }

  test('the folder is a link that is exchanged', async () => {
    const [folder, one, other] = [join(newFolder(), 'current'), newFolder(), newFolder()];
    placeTogether(first, one);
    placeTogether(second, other);
    symlinkSync(one, folder);
    const clock = new ManualClock();
    const port = await start({ certPath: join(folder, 'tls.crt'), keyPath: join(folder, 'tls.key') }, clock);
    symlinkSync(other, `${folder}.new`);
    renameSync(`${folder}.new`, folder);
    await clock.pass(LOOK_MILLIS + PATIENCE_MILLIS);
    expect(await shown(port)).toBe(serialOf(second));
    await until('the look at the certificate is over', () => clock.timers === LOOKS);
    // From then on changes are seen there, at once.
    placeTogether(first, other);
    await until('the change is seen', () => clock.timers > LOOKS);
    await clock.pass(PATIENCE_MILLIS);
    expect(await shown(port)).toBe(serialOf(first));
  });

  test('the folder is moved away and made anew', async () => {
    const folder = newFolder();
    const clock = new ManualClock();
    const port = await start(placeTogether(first, folder), clock);
    renameSync(folder, `${folder}.old`);
    await clock.pass(LOOK_MILLIS + PATIENCE_MILLIS);
    expect(port.messages('error')).toEqual([NOT_LOADED]);
    mkdirSync(folder);
    placeTogether(second, folder);
    await clock.pass(LOOK_MILLIS + PATIENCE_MILLIS);
    expect(await shown(port)).toBe(serialOf(second));
    expect(port.messages('error')).toEqual([NOT_LOADED]);
  });
});

test('a stopped server looks no more', async () => {
  const clock = new ManualClock();
  const port = await GrpcPort.start({ config: { tls: place(first) }, clock });
  await port.stop(0);
  expect(clock.timers).toBe(0);
});

test('a server that cannot have its port does not look at all', async () => {
  const { port } = await start(place(first));
  const clock = new ManualClock();
  const late = new GrpcPort({ config: { tls: place(first), listen: { host: '127.0.0.1', port } }, clock });
  await expect(late.listen()).rejects.toThrow('the port is in use');
  expect(clock.timers).toBe(0);
});

test('a key that comes long after its certificate is taken when it comes', async () => {
  const live = place(first);
  const clock = new ManualClock();
  const port = await start(live, clock);
  replaceFile(second.certPath, live.certPath);
  await until('the change is seen', () => clock.timers > LOOKS);
  await clock.pass(PATIENCE_MILLIS);
  expect(port.messages('error')).toEqual([NOT_LOADED]);
  replaceFile(second.keyPath, live.keyPath);
  await until('the change is seen', () => clock.timers > LOOKS);
  await clock.pass(PATIENCE_MILLIS);
  expect(await shown(port)).toBe(serialOf(second));
  expect(port.messages('info')).toEqual([LOADED]);
});

test('files that are written anew with the same content change nothing, nor do other files beside them', async () => {
  const live = place(first);
  const clock = new ManualClock();
  const port = await start(live, clock);
  writeFileSync(`${live.certPath}.log`, 'x');
  replaceFile(first.certPath, live.certPath);
  await until('the change is seen', () => clock.timers > LOOKS);
  await clock.pass(10 * LOOK_MILLIS);
  expect(port.log).toEqual([]);
});
