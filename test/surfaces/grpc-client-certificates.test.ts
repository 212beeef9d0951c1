/** Client certificates: who may call is decided at the handshake, before a byte of a call is read. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Authority, type CertificateFiles, pemOf, replaceFile } from '../support/certificates.ts';
import { until } from '../support/children.ts';
import { isLetInByTls } from '../support/clients-tls.ts';
import { EnvoyCalls } from '../support/envoy-calls.ts';
import { GrpcPort } from '../support/grpc-port.ts';

const GATEWAY = 'gateway.example.com';

let authority: Authority;
let stranger: Authority;
let files: CertificateFiles;
const ports: GrpcPort[] = [];

beforeAll(() => {
  authority = new Authority();
  stranger = new Authority('A stranger');
  files = authority.issue({ names: ['localhost'] });
});

afterEach(() => Promise.all(ports.splice(0).map((port) => port.stop(0))));

afterAll(() => {
  authority.remove();
  stranger.remove();
});

async function startMutual(clientSan?: string, clientCaPath = authority.caPath): Promise<GrpcPort> {
  const port = await GrpcPort.start({ config: { tls: { ...files, clientCaPath, clientSan } } });
  ports.push(port);
  return port;
}

function open(port: GrpcPort, client: CertificateFiles, session?: Buffer): Promise<EnvoyCalls> {
  const tls = { ca: authority.ca, ...pemOf(client), ...(session && { session }) };
  return EnvoyCalls.open(`https://localhost:${port.port}`, tls);
}

function isLetIn(port: GrpcPort, client?: CertificateFiles, version?: 'TLSv1.2'): Promise<boolean> {
  const tls = { ca: authority.ca, ...(client && pemOf(client)), ...(version && { maxVersion: version }) };
  return isLetInByTls(port.port, tls);
}

describe.each([
  ['TLS 1.2', 'TLSv1.2'],
  ['TLS 1.3', undefined],
] as const)('by %s', (_name, version) => {
  test('a client with a certificate of the authority is let in', async () => {
    expect(await isLetIn(await startMutual(), authority.issue({ names: [] }), version)).toBe(true);
  });

  test('a client without a certificate is refused', async () => {
    const port = await startMutual();
    expect(await isLetIn(port, undefined, version)).toBe(false);
    expect(port.messages('warn')).toEqual(['a TLS client was refused (told once in 10 s)']);
    expect(port.log.at(-1)?.fields).toEqual({ reason: 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE' });
  });

  test('a client with a certificate of another authority is refused', async () => {
    const port = await startMutual();
    expect(await isLetIn(port, stranger.issue({ names: [GATEWAY] }), version)).toBe(false);
    expect(port.messages('warn')).toEqual(['a TLS client was refused (told once in 10 s)']);
  });

  test('a client with a certificate that is meant for servers is refused', async () => {
    expect(await isLetIn(await startMutual(), authority.issue({ names: [GATEWAY], use: 'serverAuth' }), version)).toBe(
      false,
    );
  });
});

describe('with GRPC_CLIENT_TLS_SAN,', () => {
  test.each<[what: string, names: readonly string[], answered: boolean]>([
    ['the name itself', [GATEWAY], true],
    ['the name among others', ['other.example.com', GATEWAY], true],
    ['a wildcard that covers it', ['*.example.com'], true],
    ['the name in other case', ['Gateway.Example.COM'], true],
    ['another name', ['gateway.example.org'], false],
    ['a name that it ends', [`x.${GATEWAY}`], false],
    ['no name', [], false],
  ])('a certificate with %s (%j): let in %s', async (_what, names, answered) => {
    const port = await startMutual(GATEWAY);
    expect(await isLetIn(port, authority.issue({ names }))).toBe(answered);
    const refusals = answered ? [] : [{ reason: `the certificate is not valid for ${GATEWAY}` }];
    expect(port.log.filter(({ level }) => level === 'warn').map(({ fields }) => fields)).toEqual(refusals);
  });

  test('a common name is no name', async () => {
    const client = authority.issue({ names: ['other.example.com'], commonName: GATEWAY });
    expect(await isLetIn(await startMutual(GATEWAY), client)).toBe(false);
    expect(await isLetIn(await startMutual(GATEWAY), authority.issue({ names: [], commonName: GATEWAY }))).toBe(false);
  });
});

test('an authority that is exchanged decides about the next connection; those that are open live on', async () => {
  const clientCaPath = `${authority.folder}/clients.pem`;
  replaceFile(authority.caPath, clientCaPath);
  const port = await startMutual(undefined, clientCaPath);
  const [before, after] = [authority.issue({ names: [] }), stranger.issue({ names: [] })];
  const calls = await open(port, before);
  expect(await isLetIn(port, after)).toBe(false);
  replaceFile(stranger.caPath, clientCaPath);
  await until('clients of the other authority are let in', () => isLetIn(port, after));
  expect(await isLetIn(port, before)).toBe(false);
  expect((await calls.decide('k')).grpcStatus).toBe(0);
  calls.close();
});

test('no session is taken up again: each connection shows its certificate', async () => {
  const port = await startMutual();
  const client = authority.issue({ names: [] });
  const tickets: Buffer[] = [];
  const calls = await open(port, client);
  calls.onTicket((ticket) => tickets.push(ticket));
  await calls.decide('k');
  calls.close();
  await calls.closed;
  for (const session of tickets) {
    const again = await open(port, client, session);
    expect(again.isResumed).toBe(false);
    again.close();
  }
});
