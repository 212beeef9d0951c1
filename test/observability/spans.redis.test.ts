/** The spans that a collector gets from a running service with counters in Redis. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type CollectedSpan, OtlpCollector } from '../support/otlp-collector.ts';
import { TestRedis } from '../support/redis.ts';
import { TestService } from '../support/service.ts';
import { Doors, type Headers, METHOD } from './calls.ts';

const POLICY = `
domain: shop
descriptors:
  - key: api_key
    api_keys: true
    limits:
      - { requests: 5, per: day }
      - { requests: 500, per: 7d }
  - key: once
    limits: [ { requests: 1, per: day } ]
  - key: rehearsed
    shadow_mode: true
    rate_limit: { unit: day, requests_per_unit: 1 }
  - key: free
`;

let folder: string;
let redis: TestRedis;
let collector: OtlpCollector;
let service: TestService;
let doors: Doors;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-spans-'));
  writeFileSync(join(folder, 'shop.yaml'), POLICY);
  [redis, collector] = await Promise.all([TestRedis.start(), OtlpCollector.start()]);
  service = await TestService.start({ POLICY_PATH: folder, REDIS_URL: redis.socket, ...collector.env });
  doors = new Doors(service);
});

afterAll(async () => {
  await service.stop();
  await Promise.all([redis.stop(), collector.stop()]);
  rmSync(folder, { recursive: true });
});

interface Caller {
  readonly traceId: string;
  readonly spanId: string;
}

const FORMATS: Record<string, (caller: Caller) => Headers> = {
  traceparent: ({ traceId, spanId }) => ({ traceparent: `00-${traceId}-${spanId}-01` }),
  'b3 in one header': ({ traceId, spanId }) => ({ b3: `${traceId}-${spanId}-1` }),
  'b3 with a parent': ({ traceId, spanId }) => ({ b3: `${traceId}-${spanId}-1-${'a'.repeat(16)}` }),
  'b3 in many headers': ({ traceId, spanId }) => ({
    'x-b3-traceid': traceId,
    'x-b3-spanid': spanId,
    'x-b3-sampled': '1',
  }),
};

describe.each(Object.entries(FORMATS))('a caller that sends %s', (_name, headersOf) => {
  test('finds the server span of its gRPC call under its own span', async () => {
    const { caller, headers } = sampled(headersOf);
    await doors.rls('shop', ['api_key=a'], headers);
    expect(await serverSpan(caller)).toMatchObject({ name: METHOD, parentSpanId: caller.spanId, status: 'UNSET' });
  });

  test('finds the server span of its HTTP call under its own span', async () => {
    const { caller, headers } = sampled(headersOf);
    await doors.check({ domain: 'shop', api_key: 'a' }, headers);
    expect(await serverSpan(caller)).toMatchObject({ name: 'POST /v1/check', parentSpanId: caller.spanId });
  });
});

test('of two contexts that contradict each other, the W3C one counts', async () => {
  const { caller, headers } = sampled();
  await doors.rls('shop', ['free=1'], { ...headers, b3: `${'c'.repeat(32)}-${'d'.repeat(16)}-1` });
  expect(await serverSpan(caller)).toMatchObject({ parentSpanId: caller.spanId });
});

test('a call without a context begins a trace of its own', async () => {
  await doors.rls('shop', ['once=rooted']);
  const root = await collector.span('a root span', (span) => span.kind === 'SERVER' && !span.parentSpanId);
  expect(root.traceId).toMatch(/^[0-9a-f]{32}$/);
});

test('the store span is a client span under the server span, and names the system, the command and the script', async () => {
  const { caller, headers } = sampled();
  await doors.rls('shop', ['api_key=stored', 'once=stored'], headers);
  const server = await serverSpan(caller);
  expect(await storeSpan(caller)).toMatchObject({
    name: 'EVALSHA take',
    parentSpanId: server.spanId,
    status: 'UNSET',
    attributes: {
      'db.system.name': 'redis',
      'db.operation.name': 'EVALSHA',
      'db.stored_procedure.name': 'take',
      'headroom.rate_limiting.hits': 2,
    },
  });
});

describe('the server span of a gRPC call', () => {
  test('tells who decided what when it is allowed', async () => {
    expect(await attributesOfRls(['api_key=allowed'])).toEqual({
      'rpc.system.name': 'grpc',
      'rpc.method': METHOD,
      'rpc.status_code': 'OK',
      'rpc.response.status_code': 'OK',
      'headroom.rate_limiting.result': 'allowed',
      'headroom.rate_limiting.reason': 'within_limit',
      'headroom.rate_limiting.domain': 'shop',
      'headroom.rate_limiting.policy': 'api_key',
      'headroom.rate_limiting.window': 'day',
      'headroom.rate_limiting.limit': 5,
      'headroom.rate_limiting.remaining': 4,
    });
  });

  test('is no failure when the caller is over its limit', async () => {
    await doors.rls('shop', ['once=denied']);
    const { caller, headers } = sampled();
    expect(await doors.rls('shop', ['once=denied'], headers)).toBe('OVER_LIMIT');
    const span = await serverSpan(caller);
    expect(span.status).toBe('UNSET');
    expect(span.attributes).toMatchObject({
      'rpc.response.status_code': 'OK',
      'headroom.rate_limiting.result': 'limited',
      'headroom.rate_limiting.reason': 'over_limit',
      'headroom.rate_limiting.policy': 'once',
      'headroom.rate_limiting.remaining': 0,
    });
    expect(span.attributes).not.toHaveProperty('error.type');
  });

  test('names the limit that is only rehearsed', async () => {
    await doors.rls('shop', ['rehearsed=1']);
    expect(await attributesOfRls(['rehearsed=1'])).toMatchObject({
      'headroom.rate_limiting.result': 'shadowed',
      'headroom.rate_limiting.reason': 'shadowed',
      'headroom.rate_limiting.policy': 'rehearsed',
    });
  });

  test('names neither a limit nor the domain when nothing applied, and the store was not asked', async () => {
    const { caller, headers } = sampled();
    await doors.rls('unknown', ['api_key=a'], headers);
    expect((await serverSpan(caller)).attributes).toEqual({
      'rpc.system.name': 'grpc',
      'rpc.method': METHOD,
      'rpc.status_code': 'OK',
      'rpc.response.status_code': 'OK',
      'headroom.rate_limiting.result': 'allowed',
      'headroom.rate_limiting.reason': 'no_limit',
    });
    expect(collector.spans.filter(isOf(caller, 'CLIENT'))).toEqual([]);
  });

  test('is no failure of the service when the caller made the mistake', async () => {
    const { caller, headers } = sampled();
    expect(await doors.rls('', ['api_key=a'], headers)).toBe('InvalidArgument');
    const span = await serverSpan(caller);
    expect(span.status).toBe('UNSET');
    expect(span.attributes['rpc.response.status_code']).toBe('INVALID_ARGUMENT');
    expect(span.attributes).not.toHaveProperty('error.type');
  });

  test('has the codes of the Connect protocol when that is spoken', async () => {
    const { caller, headers } = sampled();
    await doors.connect('', ['api_key=a'], headers);
    expect((await serverSpan(caller)).attributes).toEqual({
      'rpc.system.name': 'connectrpc',
      'rpc.method': METHOD,
      'rpc.status_code': 'invalid_argument',
      'rpc.response.status_code': 'invalid_argument',
    });
  });

  test('is there for health checks, too', async () => {
    const { caller, headers } = sampled();
    await doors.health('', headers);
    const span = await serverSpan(caller);
    expect(span.name).toBe('grpc.health.v1.Health/Check');
    expect(span.attributes).toMatchObject({ 'rpc.system.name': 'grpc', 'rpc.response.status_code': 'OK' });
  });
});

describe('the server span of an HTTP call', () => {
  test('tells method, route, status and who decided what', async () => {
    const { caller, headers } = sampled();
    await doors.check({ domain: 'shop', api_key: 'http' }, headers);
    expect((await serverSpan(caller)).attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/v1/check',
      'http.response.status_code': 200,
      'headroom.rate_limiting.result': 'allowed',
      'headroom.rate_limiting.reason': 'within_limit',
      'headroom.rate_limiting.domain': 'shop',
      'headroom.rate_limiting.policy': 'api_key',
      'headroom.rate_limiting.window': 'day',
      'headroom.rate_limiting.limit': 5,
      'headroom.rate_limiting.remaining': 4,
    });
  });

  test('is no failure when the answer is 429', async () => {
    const body = { domain: 'shop', descriptors: [{ entries: [{ key: 'once', value: '429' }] }] };
    await doors.json(body);
    const { caller, headers } = sampled();
    expect((await doors.json(body, headers)).status).toBe(429);
    const span = await serverSpan(caller);
    expect(span).toMatchObject({ name: 'POST /json', status: 'UNSET' });
    expect(span.attributes).toMatchObject({ 'http.route': '/json', 'http.response.status_code': 429 });
  });

  test('is no failure of the service when the caller made the mistake', async () => {
    const { caller, headers } = sampled();
    await doors.check({ nonsense: true }, headers);
    const span = await serverSpan(caller);
    expect(span.status).toBe('UNSET');
    expect(span.attributes['http.response.status_code']).toBe(400);
  });

  test('has no route where there is none', async () => {
    const { caller, headers } = sampled();
    await doors.post('/nowhere/at/all', '{}', headers);
    const { attributes } = await serverSpan(caller);
    expect(attributes).toEqual({ 'http.request.method': 'POST', 'http.response.status_code': 404 });
  });
});

async function attributesOfRls(descriptors: readonly string[]): Promise<CollectedSpan['attributes']> {
  const { caller, headers } = sampled();
  await doors.rls('shop', descriptors, headers);
  return (await serverSpan(caller)).attributes;
}

function sampled(headersOf = FORMATS.traceparent!): { caller: Caller; headers: Headers } {
  const caller = { traceId: randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex') };
  return { caller, headers: headersOf(caller) };
}

function serverSpan(caller: Caller): Promise<CollectedSpan> {
  return collector.span('the server span', isOf(caller, 'SERVER'));
}

function storeSpan(caller: Caller): Promise<CollectedSpan> {
  return collector.span('the store span', isOf(caller, 'CLIENT'));
}

function isOf({ traceId }: Caller, kind: CollectedSpan['kind']): (span: CollectedSpan) => boolean {
  return (span) => span.traceId === traceId && span.kind === kind;
}
