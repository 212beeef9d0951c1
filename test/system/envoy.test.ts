/** The documented policy as callers see it: real Envoy, two Headroom processes, one Redis. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { CheckResponse } from '../../src/surfaces/check/schema.ts';
import type { RateLimitStats } from '../support/envoy.ts';
import { linesOf, type Reply, statusCounts } from '../support/envoy-client.ts';
import { startGateway, type TestGateway } from '../support/envoy-gateway.ts';
import { withinOneMinute } from '../support/envoy-minute.ts';
import type { TestService } from '../support/service.ts';

const POLICY = '300;w=60, 10000;w=86400';

// Three minutes at worst: a measurement that straddles a minute's end is repeated.
const MILLIS_MAX = 240_000;

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGateway({ services: 2 });
  // A crowd meets processes that have compiled what they run; envoy-burst.test.ts has the others.
  await gateway.callers.burst(500, 'csk_warm_up');
}, 60_000);

afterAll(() => gateway?.stop());

test(
  'of 2,000 simultaneous requests with one key, through two processes, exactly 300 pass and are counted',
  async () => {
    await withinOneMinute(async (attempt) => {
      const key = `csk_burst_${attempt}`;
      const { replies, stats } = await burst(2_000, key);
      const used = await Promise.all(gateway.services.map((service) => usedOf(service, key)));
      return { statuses: statusCounts(replies), stats, used };
    }).then((found) =>
      expect(found).toEqual({
        statuses: { 200: 300, 429: 1_700 },
        stats: { ok: 300, overLimit: 1_700, error: 0, failureModeAllowed: 0 },
        used: [
          { minute: 300, day: 300 },
          { minute: 300, day: 300 },
        ],
      }),
    );
    const calls = (await gateway.envoy.headroomHosts()).map((host) => host.calls);
    expect(Math.min(...calls)).toBeGreaterThan(0);
  },
  MILLIS_MAX,
);

test(
  'a publishable key has 100 a minute',
  async () => {
    const found = await withinOneMinute(async (attempt) => {
      const key = `cpk_burst_${attempt}`;
      const { replies, stats } = await burst(300, key);
      return { statuses: statusCounts(replies), stats, used: await usedOf(gateway.services[0], key) };
    });
    expect(found).toEqual({
      statuses: { 200: 100, 429: 200 },
      stats: { ok: 100, overLimit: 200, error: 0, failureModeAllowed: 0 },
      used: { minute: 100, day: 100 },
    });
  },
  MILLIS_MAX,
);

test(
  'without a key an address has 60 a minute, whatever address it claims to have',
  async () => {
    const { replies, stats } = await withinOneMinute(async () => {
      const before = await gateway.envoy.rateLimitStats();
      const replies = await Promise.all(
        Array.from({ length: 200 }, (_, index) =>
          gateway.callers.ask(undefined, { headers: { 'x-forwarded-for': `203.0.113.${index}` } }),
        ),
      );
      return { replies, stats: since(before, await gateway.envoy.rateLimitStats()) };
    });
    expect(statusCounts(replies)).toEqual({ 200: 60, 429: 140 });
    expect(stats).toEqual({ ok: 60, overLimit: 140, error: 0, failureModeAllowed: 0 });
    expect(new Set(replies.flatMap((reply) => linesOf(reply, 'RateLimit-Policy')))).toEqual(new Set(['60;w=60']));
  },
  MILLIS_MAX,
);

test('an empty key is a key like any other, not a way around the limit', async () => {
  const reply = await gateway.callers.ask('');
  expect(reply.status).toBe(200);
  expect(linesOf(reply, 'RateLimit-Limit')).toEqual(['300']);
});

test('a key that is no text is limited like any other: a bad byte does not make the decision fail', async () => {
  const before = await gateway.envoy.rateLimitStats();
  const reply = await gateway.callers.ask('csk_\xff\xfe');
  expect(linesOf(reply, 'RateLimit-Limit')).toEqual(['300']);
  expect(since(before, await gateway.envoy.rateLimitStats())).toMatchObject({ error: 0, failureModeAllowed: 0 });
});

test(
  'a request that passes tells every documented header once, and leaves the headers of the origin alone',
  async () => {
    const [first, second] = await withinOneMinute(async (attempt) => [
      await gateway.callers.ask(`csk_passes_${attempt}`),
      await gateway.callers.ask(`csk_passes_${attempt}`),
    ]);
    expect([first?.status, second?.status]).toEqual([200, 200]);
    expectLimitHeaders(first!, { limit: '300', remaining: '299' });
    expectLimitHeaders(second!, { limit: '300', remaining: '298' });
    expect(linesOf(second!, 'Retry-After')).toEqual([]);
    expect(linesOf(second!, 'Content-Type')).toEqual(['text/plain']);
    expect(linesOf(second!, 'Cache-Control')).toEqual([]);
    expect(second!.body).toBe('hello\n');
  },
  MILLIS_MAX,
);

test(
  'a request over the limit is told when to come back, in every header and in the body',
  async () => {
    const reply = await withinOneMinute(async (attempt) => {
      const key = `csk_denied_${attempt}`;
      await check(gateway.services[0], { api_key: key, hits: 300 });
      return gateway.callers.ask(key);
    });
    expect(reply.status).toBe(429);
    const n = expectLimitHeaders(reply, { limit: '300', remaining: '0' });
    expect(linesOf(reply, 'Retry-After')).toEqual([String(n)]);
    expect(linesOf(reply, 'Content-Type')).toEqual(['application/json']);
    expect(linesOf(reply, 'Cache-Control')).toEqual(['no-store']);
    expect(reply.body).toBe(
      `{"error":{"code":"RATE_LIMITED","message":"Rate limit exceeded.","status":429,"details":{"retry_after_seconds":${n}}}}`,
    );
  },
  MILLIS_MAX,
);

test("a browser's preflight is not charged, and its page may read the headers of every answer", async () => {
  const origin = { origin: 'https://shop.example' };
  const before = await gateway.envoy.rateLimitStats();
  const preflight = await gateway.callers.ask(undefined, {
    method: 'OPTIONS',
    headers: { ...origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-api-key' },
  });
  expect(preflight.status).toBe(200);
  expect(linesOf(preflight, 'Access-Control-Allow-Headers').join()).toContain('x-api-key');
  expect(await gateway.envoy.rateLimitStats()).toEqual(before);
  await check(gateway.services[0], { api_key: 'cpk_page_denied', hits: 100 });
  for (const key of ['cpk_page', 'cpk_page_denied']) {
    const reply = await gateway.callers.ask(key, { headers: origin });
    const exposed = linesOf(reply, 'Access-Control-Expose-Headers').join().toLowerCase().split(/,\s*/);
    const told = reply.headers.map(([name]) => name).filter((name) => /ratelimit-|retry-after/.test(name));
    expect(told.length).toBeGreaterThanOrEqual(7);
    expect(exposed).toEqual(expect.arrayContaining(told.filter((name) => name !== 'x-envoy-ratelimited')));
  }
});

async function burst(count: number, key: string): Promise<{ replies: readonly Reply[]; stats: RateLimitStats }> {
  const before = await gateway.envoy.rateLimitStats();
  const replies = await gateway.callers.burst(count, key);
  return { replies, stats: since(before, await gateway.envoy.rateLimitStats()) };
}

function since(before: RateLimitStats, after: RateLimitStats): RateLimitStats {
  return {
    ok: after.ok - before.ok,
    overLimit: after.overLimit - before.overLimit,
    error: after.error - before.error,
    failureModeAllowed: after.failureModeAllowed - before.failureModeAllowed,
  };
}

/**
 * Each header on one line, all naming one instant: the end of the minute in which the request was decided.
 * @returns the seconds until then
 */
function expectLimitHeaders(reply: Reply, { limit, remaining }: { limit: string; remaining: string }): number {
  expect(linesOf(reply, 'RateLimit-Policy')).toEqual([POLICY]);
  for (const name of ['RateLimit-Limit', 'X-RateLimit-Limit']) expect(linesOf(reply, name)).toEqual([limit]);
  for (const name of ['RateLimit-Remaining', 'X-RateLimit-Remaining'])
    expect(linesOf(reply, name)).toEqual([remaining]);
  const endsAt = Math.ceil((Math.floor(reply.answeredAt / 1_000) + 1) / 60) * 60;
  expect(linesOf(reply, 'X-RateLimit-Reset')).toEqual([String(endsAt)]);
  const [reset, ...more] = linesOf(reply, 'RateLimit-Reset');
  expect(more).toEqual([]);
  expect(reset).toMatch(/^[1-9]\d*$/);
  const decidedAt = endsAt - Number(reset);
  expect(decidedAt).toBeGreaterThanOrEqual(Math.floor(reply.sentAt / 1_000));
  expect(decidedAt).toBeLessThanOrEqual(Math.floor(reply.answeredAt / 1_000));
  return Number(reset);
}

async function check(service: TestService, body: object): Promise<CheckResponse> {
  const response = await fetch(`${service.http}/v1/check`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as CheckResponse;
}

/** Reads without charging. */
async function usedOf(service: TestService, apiKey: string): Promise<Record<string, number>> {
  const entries = [{ key: 'api_key', value: apiKey }];
  const { windows } = await check(service, { domain: 'closient', descriptors: [{ entries, hits_addend: 0 }] });
  return Object.fromEntries(windows.map(({ name, limit, remaining }) => [name, limit - remaining]));
}
