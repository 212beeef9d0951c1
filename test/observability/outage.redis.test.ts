/** What spans and metrics say while Redis does not answer, or is gone. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { until } from '../support/children.ts';
import { type CollectedSpan, OtlpCollector } from '../support/otlp-collector.ts';
import { TestRedis } from '../support/redis.ts';
import { TestService } from '../support/service.ts';
import { Doors } from './calls.ts';
import { sampleValue } from './prometheus-text.ts';

const DECISIONS = 'headroom_rate_limiting_decisions_total';
const STORE_ERRORS = 'headroom_rate_limiting_store_errors_total';
const BREAKER = 'headroom_rate_limiting_store_breaker_open';
// More than the breaker needs to open.
const BURST = 40;

let redis: TestRedis;
let collector: OtlpCollector;
let service: TestService;
let doors: Doors;

beforeAll(async () => {
  [redis, collector] = await Promise.all([TestRedis.start(), OtlpCollector.start()]);
  service = await TestService.start({ REDIS_URL: redis.socket, REDIS_OP_TIMEOUT: '200ms', ...collector.env });
  doors = new Doors(service);
});

afterAll(async () => {
  await service.stop();
  await Promise.all([redis.stop(), collector.stop()]);
});

test('a frozen Redis: the call and its store span have failed, and the failure is counted by its code', async () => {
  redis.freeze();
  expect(await rls('f1')).toBe('Unavailable');
  const store = await spanOf('f1', 'CLIENT');
  expect(store).toMatchObject({ status: 'ERROR', attributes: { 'error.type': 'STORE_TIMEOUT' } });
  const server = await spanOf('f1', 'SERVER');
  expect(server).toMatchObject({
    status: 'ERROR',
    attributes: {
      'rpc.response.status_code': 'UNAVAILABLE',
      'error.type': 'UNAVAILABLE',
      'headroom.rate_limiting.result': 'error',
    },
  });
  expect(await scraped(STORE_ERRORS, { code: 'STORE_TIMEOUT' })).toBe(1);
  expect(await scraped(DECISIONS, { door: 'rls', result: 'error', domain: 'closient', policy: 'none' })).toBe(1);
});

test('an HTTP call that cannot be decided has failed with 503', async () => {
  const answer = await doors.check({ api_key: 'csk_1' }, { traceparent: traceparentOf('f2') });
  expect(answer.status).toBe(503);
  expect(await spanOf('f2', 'SERVER')).toMatchObject({
    status: 'ERROR',
    attributes: { 'http.response.status_code': 503, 'error.type': '503', 'headroom.rate_limiting.result': 'error' },
  });
  expect(await scraped(DECISIONS, { door: 'check', result: 'error' })).toBe(1);
});

test('an open breaker shows, and what is not sent to Redis has no store span', async () => {
  await Promise.all(Array.from({ length: BURST }, () => rls('f3')));
  expect(await scraped(BREAKER)).toBe(1);
  const sent = await scraped(STORE_ERRORS, { code: 'STORE_TIMEOUT' });
  expect(await rls('f4')).toBe('Unavailable');
  expect(await spanOf('f4', 'SERVER')).toMatchObject({ status: 'ERROR' });
  expect(collector.spans.some(isOf('f4', 'CLIENT'))).toBe(false);
  expect(await scraped(STORE_ERRORS, { code: 'STORE_TIMEOUT' })).toBe(sent);
  expect(await scraped(DECISIONS, { door: 'rls', result: 'error' })).toBeGreaterThanOrEqual(BURST + 2);
});

test('the breaker shows as closed again once Redis answers', async () => {
  redis.thaw();
  await until('the breaker is closed', async () => (await scraped(BREAKER)) === 0);
  expect(await rls('f5')).toBe('OK');
});

test('a Redis that is gone is counted as a store that failed', async () => {
  await redis.kill();
  await until('the service has noticed', async () => {
    await rls('f6');
    return (await scraped(STORE_ERRORS, { code: 'STORE_FAILED' })) > 0;
  });
  expect(await spanOf('f6', 'CLIENT', 'STORE_FAILED')).toMatchObject({ status: 'ERROR' });
});

function rls(name: string): Promise<string> {
  return doors.rls('closient', ['api_key=csk_1'], { traceparent: traceparentOf(name) });
}

/** The trace is named, so that a failing test says which one is missing. */
function traceparentOf(name: string): string {
  return `00-${traceIdOf(name)}-${'b'.repeat(16)}-01`;
}

function traceIdOf(name: string): string {
  return name.padStart(32, '0');
}

function spanOf(name: string, kind: CollectedSpan['kind'], error?: string): Promise<CollectedSpan> {
  return collector.span(`the ${kind} span of ${name}`, (span) => {
    return isOf(name, kind)(span) && (error === undefined || span.attributes['error.type'] === error);
  });
}

function isOf(name: string, kind: CollectedSpan['kind']): (span: CollectedSpan) => boolean {
  return (span) => span.traceId === traceIdOf(name) && span.kind === kind;
}

async function scraped(name: string, labels: Record<string, string> = {}): Promise<number> {
  return sampleValue(await (await fetch(`${service.debug}/metrics`)).text(), name, labels);
}
