/** Envoy and Headroom know each other by certificates, which are exchanged while requests pass. */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Authority, type CertificateFiles, pemOf, replaceFile } from '../support/certificates.ts';
import { until } from '../support/children.ts';
import { isLetInByTls } from '../support/clients-tls.ts';
import { TestEnvoy } from '../support/envoy.ts';
import { EnvoyCalls } from '../support/envoy-calls.ts';
import { Callers, statusCounts } from '../support/envoy-client.ts';
import { isDecided } from '../support/envoy-load.ts';
import { MtlsLoad } from '../support/mtls-load.ts';
import { TestOrigin } from '../support/origin.ts';
import { TestService } from '../support/service.ts';

// As headroom-mtls.yaml says.
const SERVER = 'headroom';
const GATEWAY = 'gateway';
const POLICY = `
domain: closient
descriptors:
  - key: api_key
    value: denied
    limits: [{ requests: 0, per: year }]
  - key: api_key
    limits: [{ requests: 1000000, per: year }]
`;

const EXCHANGES = 3;
// Each worker of Envoy makes its connection anew about once a second.
const AGE = '1s';
// So many connections after an exchange are enough to say that both workers have met the new certificate.
const CONNECTIONS_AFTER_EACH = 4;

let authority: Authority;
let live: CertificateFiles;
let gateway: CertificateFiles;
let service: TestService;
let origin: TestOrigin;
let envoy: TestEnvoy;
let callers: Callers;

beforeAll(async () => {
  authority = new Authority();
  gateway = authority.issue({ names: [GATEWAY] });
  live = { certPath: join(authority.folder, 'live.crt'), keyPath: join(authority.folder, 'live.key') };
  const first = authority.issue({ names: [SERVER, 'localhost'] });
  copyFileSync(first.certPath, live.certPath);
  copyFileSync(first.keyPath, live.keyPath);
  service = await startService(live);
  origin = await TestOrigin.start();
  envoy = await TestEnvoy.start({
    headroomPorts: [service.grpcPort],
    originPort: origin.port,
    failureModeDeny: true,
    headroomTls: { ...gateway, caPath: authority.caPath },
  });
  callers = new Callers(envoy.port);
}, 60_000);

afterAll(async () => {
  callers?.close();
  await envoy?.stop();
  await Promise.all([origin?.stop(), service?.stop()]);
  authority.remove();
});

/** Asked by TLS, and by the gateway alone. */
function startService({ certPath, keyPath }: CertificateFiles): Promise<TestService> {
  const policy = join(authority.folder, 'policy.yaml');
  writeFileSync(policy, POLICY);
  return TestService.start({
    POLICY_PATH: policy,
    GRPC_SERVER_USE_TLS: 'true',
    GRPC_SERVER_TLS_CERT: certPath,
    GRPC_SERVER_TLS_KEY: keyPath,
    GRPC_CLIENT_TLS_CACERT: authority.caPath,
    GRPC_CLIENT_TLS_SAN: GATEWAY,
    GRPC_MAX_CONNECTION_AGE: AGE,
  });
}

async function connections(): Promise<number> {
  return (await envoy.stats('cluster.headroom.')).get('upstream_cx_total') ?? 0;
}

/** The certificate that a new connection meets. */
async function serialShown(): Promise<string> {
  const calls = await EnvoyCalls.open(`https://localhost:${service.grpcPort}`, { ca: authority.ca, ...pemOf(gateway) });
  calls.close();
  return calls.serverSerialNumber;
}

/** Puts a new key and certificate in place, and waits until Envoy has made connections with them. */
async function exchange(): Promise<string> {
  const before = await serialShown();
  const next = authority.issue({ names: [SERVER, 'localhost'] });
  replaceFile(next.certPath, live.certPath);
  replaceFile(next.keyPath, live.keyPath);
  await until('the new certificate is shown', async () => (await serialShown()) !== before);
  const made = await connections();
  await until(
    'Envoy has made new connections',
    async () => (await connections()) >= made + CONNECTIONS_AFTER_EACH,
    20_000,
  );
  return serialShown();
}

test('certificates are exchanged under load, and connections end of old age, without one failed call', async () => {
  const load = new MtlsLoad(callers);
  await until('requests pass', () => load.replies.length > 100);
  const serials = new Set([await serialShown()]);
  const startedAt = Date.now();
  for (let count = 0; count < EXCHANGES; count += 1) serials.add(await exchange());
  const seconds = (Date.now() - startedAt) / 1_000;
  await load.stop();
  const stats = await envoy.stats('cluster.headroom.');
  const { ok, overLimit, error, failureModeAllowed } = await envoy.rateLimitStats();
  expect(serials.size).toBe(EXCHANGES + 1);
  expect(stats.get('upstream_cx_total')).toBeGreaterThan(EXCHANGES * CONNECTIONS_AFTER_EACH);
  expect(stats.get('ssl.handshake')).toBeGreaterThanOrEqual(stats.get('upstream_cx_total') as number);
  expect(load.unanswered).toBe(0);
  expect(statusCounts(load.replies)).toEqual({ 200: load.allowed, 429: load.denied });
  expect(load.replies.every(isDecided)).toBe(true);
  expect({ ok, overLimit, error, failureModeAllowed }).toEqual({
    ok: load.allowed,
    overLimit: load.denied,
    error: 0,
    failureModeAllowed: 0,
  });
  for (const name of [
    'upstream_rq_rx_reset',
    'upstream_cx_connect_fail',
    'ssl.fail_verify_san',
    'ssl.connection_error',
  ])
    expect([name, stats.get(name) ?? 0]).toEqual([name, 0]);
  expect(load.replies.length / seconds).toBeGreaterThan(50);
  expect(service.output.match(/"level":"(warn|error)"/g)).toBeNull();
}, 120_000);

describe('is refused at the handshake: a client', () => {
  const clientOf = (files?: CertificateFiles) => ({ ca: authority.ca, ...(files && pemOf(files)) });

  test('without a certificate', async () => {
    expect(await isLetInByTls(service.grpcPort, clientOf())).toBe(false);
  });

  test('with a certificate of another authority', async () => {
    const stranger = new Authority('A stranger');
    const files = stranger.issue({ names: [GATEWAY] });
    const letIn = await isLetInByTls(service.grpcPort, clientOf(files));
    stranger.remove();
    expect(letIn).toBe(false);
  });

  test('with a certificate for another name', async () => {
    expect(await isLetInByTls(service.grpcPort, clientOf(authority.issue({ names: ['somebody'] })))).toBe(false);
  });

  test('but not the gateway', async () => {
    expect(await isLetInByTls(service.grpcPort, clientOf(gateway))).toBe(true);
  });
});

test('a server that shows a certificate for another name gets no call of Envoy', async () => {
  const other = await startService(authority.issue({ names: ['somebody'] }));
  const headroomTls = { ...gateway, caPath: authority.caPath };
  const options = { headroomPorts: [other.grpcPort], originPort: origin.port, failureModeDeny: true, headroomTls };
  const distrustful = await TestEnvoy.start(options);
  const asking = new Callers(distrustful.port);
  const { status } = await asking.ask('csk_k');
  const refused = (await distrustful.stats('cluster.headroom.')).get('ssl.fail_verify_san') ?? 0;
  asking.close();
  await distrustful.stop();
  await other.stop();
  expect(status).toBe(500);
  expect(refused).toBeGreaterThan(0);
}, 60_000);
