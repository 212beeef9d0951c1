/** Planted secrets are looked for, byte by byte, in everything that leaves the service: they are nowhere. */
import { connect as connectHttp2 } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { until } from '../support/children.ts';
import { OtlpCollector } from '../support/otlp-collector.ts';
import { TestRedis } from '../support/redis.ts';
import { TestService } from '../support/service.ts';
import { type Answer, Doors, METHOD } from './calls.ts';

/** Keys in the documented form; each is sent in another way, so that a leak says which way it took. */
const KEYS = {
  rls: 'csk_RlsRlsRlsRlsRlsRlsRlsRlsRlsRlsRlsRls11',
  connect: 'csk_ConnectConnectConnectConnectConnect1122',
  publishable: 'cpk_PublishablePublishablePublishable112233',
  check: 'csk_CheckCheckCheckCheckCheckCheckCheck1122',
  short: 'cpk_ShortShortShortShortShortShortShort1122',
  json: 'csk_JsonJsonJsonJsonJsonJsonJsonJsonJson1122',
  denied: 'cpk_DeniedDeniedDeniedDeniedDeniedDenied1122',
  bad: 'csk_BadInputBadInputBadInputBadInputBadIn112',
  oversized: 'csk_OversizedOversizedOversizedOversized1122',
  domain: 'csk_DomainDomainDomainDomainDomainDomain1122',
  path: 'csk_PathPathPathPathPathPathPathPathPath1122',
  header: 'csk_HeaderHeaderHeaderHeaderHeaderHeader1122',
  metadata: 'csk_MetadataMetadataMetadataMetadataMeta1122',
};
const PASSWORD = 'R3dis-Passw0rd-planted';
const HASH_SECRET = 'Hash-S3cret-planted';
const SECRETS = [...Object.values(KEYS), PASSWORD, HASH_SECRET];

const AUTHORIZATION = 'Collect0r-Token-planted';

let redis: TestRedis;
let collector: OtlpCollector;
let service: TestService;
let doors: Doors;
/** Every answer to a call that could not be understood. */
const refusals: Answer[] = [];

beforeAll(async () => {
  [redis, collector] = await Promise.all([TestRedis.start(), OtlpCollector.start()]);
  await redis.client.config('SET', 'requirepass', PASSWORD);
  service = await TestService.start({
    REDIS_URL: `redis://:${PASSWORD}@127.0.0.1:${redis.port}`,
    API_KEY_HASH_SECRET: HASH_SECRET,
    LOG_LEVEL: 'debug',
    ...collector.env,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${AUTHORIZATION}`,
    OTEL_LOG_LEVEL: 'debug',
  });
  doors = new Doors(service);
  await until('Redis takes calls', async () => (await doors.rls('closient', ['remote_address=::1'])) === 'OK');
  await callAllDoors();
  await misuseAllDoors();
  await failAllDoors();
  // What is sent at the end counts, too.
  await service.stop();
}, 60_000);

afterAll(() => Promise.all([redis.stop(), collector.stop()]));

test('the calls were made: their spans, metrics, counters and refusals are there to be searched', async () => {
  const bytes = collector.bytes;
  for (const text of [METHOD, 'EVALSHA', 'closient', 'headroom.rate_limiting.decisions', 'publishable', 'limited']) {
    expect(bytes.includes(text)).toBe(true);
  }
  expect(service.output).toContain('serving');
  expect(refusals.length).toBeGreaterThan(10);
});

describe.each(SECRETS)('%s', (secret) => {
  test('is in no span and no metric that was sent', () => {
    expect(collector.bytes.includes(secret)).toBe(false);
  });

  test('is in nothing that was written to standard output or standard error', () => {
    expect(service.output).not.toContain(secret);
  });
});

test('what authorizes the service at the collector is written nowhere', () => {
  expect(collector.received[0]?.headers.authorization).toBe(`Bearer ${AUTHORIZATION}`);
  expect(service.output).not.toContain(AUTHORIZATION);
  expect(collector.bytes.includes(AUTHORIZATION)).toBe(false);
});

test('no secret is on the Prometheus page', () => {
  expect(pageBeforeOutage).toContain('policy="api_key"');
  for (const secret of SECRETS) expect(pageBeforeOutage).not.toContain(secret);
});

test('no secret is in the name or the value of anything in Redis', () => {
  expect(stored.length).toBeGreaterThan(5);
  for (const secret of SECRETS) for (const bytes of stored) expect(bytes.includes(secret)).toBe(false);
});

test('no refusal repeats a key', () => {
  for (const { text } of refusals) for (const key of Object.values(KEYS)) expect(text).not.toContain(key);
});

let pageBeforeOutage = '';
/** Names and values. */
let stored: Buffer[] = [];

async function callAllDoors(): Promise<void> {
  const traced = { traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01` };
  await doors.rls('closient', [`api_key=${KEYS.rls}`], traced);
  await doors.rls('closient', [`api_key=${KEYS.publishable}`, 'remote_address=::1']);
  await doors.connect('closient', [`api_key=${KEYS.connect}`]);
  await doors.check({ domain: 'closient', descriptors: [{ entries: [{ key: 'api_key', value: KEYS.check }] }] });
  await doors.check({ api_key: KEYS.short, hits: 3 });
  await doors.json({ domain: 'closient', descriptors: [{ entries: [{ key: 'api_key', value: KEYS.json }] }] });
  await doors.check({ api_key: KEYS.denied, hits: 100 });
  expect((await doors.check({ api_key: KEYS.denied })).text).toContain('"allowed":false');
  await doors.check({ api_key: KEYS.header }, { 'x-api-key': KEYS.header, authorization: `Bearer ${KEYS.header}` });
  await doors.rls('closient', ['remote_address=::1'], { 'x-api-key': KEYS.metadata, tracestate: `k=${KEYS.metadata}` });
  stored = await everythingIn(redis);
  pageBeforeOutage = await (await fetch(`${service.debug}/metrics`)).text();
}

/** A key where nobody expects one. What is not refused is at least observed. */
async function misuseAllDoors(): Promise<void> {
  const { bad, oversized, domain, path } = KEYS;
  const keyed = (value: unknown) => ({ domain: 'closient', descriptors: [{ entries: [{ key: 'api_key', value }] }] });
  await doors.rls(domain, [`api_key=${bad}`]);
  await doors.rls('closient', [`${bad}=1`]);
  refusals.push(
    await doors.check({ api_key: [bad] }),
    await doors.check({ api_key: bad, hits: bad }),
    await doors.check(keyed({ [bad]: bad })),
    await doors.check({ api_key: bad, descriptors: keyed(bad).descriptors }),
    await doors.check({ api_key: oversized + 'x'.repeat(9_000) }),
    await doors.check({ api_key: oversized + 'x'.repeat(70_000) }),
    await doors.check({ ...keyed(bad), domain: '' }),
    await doors.post('/v1/check', bad, { 'content-type': `text/${bad.toLowerCase()}` }),
    await doors.json(keyed([bad])),
    await doors.json({ ...keyed(bad), hitsAddend: bad }),
    await doors.json({ domain, descriptors: bad }),
    await doors.json(keyed(oversized + 'x'.repeat(9_000))),
    await doors.json(keyed(oversized + 'x'.repeat(70_000))),
    await doors.post(`/json/../v1/check?api_key=${path}`, '{'),
  );
  await doors.rls('closient', [`api_key=${oversized}${'x'.repeat(9_000)}`]);
  await doors.connect('closient', [`api_key=${oversized}${'x'.repeat(9_000)}`]);
  await doors.health(bad).catch(() => undefined);
  await doors.post(`/nowhere/${path}?api_key=${path}`, '{}');
  await doors.post('/v1/check', `{"api_key":${bad}}`);
  await doors.post('/json', `{"domain":${bad}}`);
  await doors.check({ [bad]: bad });
  await doors.json({ [bad]: bad });
  await fetch(`${service.grpc}/${METHOD}`, { method: 'POST', body: `{"${bad}":1}`, headers: JSON_BODY });
  await fetch(`${service.grpc}/${path}/${path}`, { method: 'POST', body: '{}', headers: JSON_BODY });
  await garbageOverHttp2(bad);
}

const JSON_BODY = { 'content-type': 'application/json' };

/** Bytes that are no message, to a method and to a path that is none. */
async function garbageOverHttp2(text: string): Promise<void> {
  const session = connectHttp2(service.grpc);
  for (const path of [`/${METHOD}`, `/${text}`]) {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, text.length]), Buffer.from(text)]));
    stream.resume();
    await new Promise((resolve) => stream.on('close', resolve).on('error', () => undefined));
  }
  session.close();
}

/** Redis gone: errors of its client carry the commands that failed. */
async function failAllDoors(): Promise<void> {
  await redis.kill();
  await until('calls fail', async () => (await doors.rls('closient', [`api_key=${KEYS.rls}`])) === 'Unavailable');
  refusals.push(await doors.check({ api_key: KEYS.short }));
  refusals.push(
    await doors.json({ domain: 'closient', descriptors: [{ entries: [{ key: 'api_key', value: KEYS.json }] }] }),
  );
  await until('the loss was logged', () => service.output.includes('"level":"warning"'));
}

async function everythingIn({ socket }: TestRedis): Promise<Buffer[]> {
  const client = new Redis({ path: socket, password: PASSWORD });
  const [, names] = await client.scanBuffer('0', 'COUNT', 10_000);
  const packed = await Promise.all(names.map((name) => client.dumpBuffer(name)));
  const plain = await Promise.all(names.map((name) => client.getBuffer(name)));
  client.disconnect();
  return [...names, ...packed, ...plain].filter((bytes) => bytes !== null);
}
