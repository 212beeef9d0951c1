/** The HTTP port while the counters cannot be reached: clear errors, and answers where none are needed. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/children.ts';
import { http1, postJson } from '../support/clients-http.ts';
import { grpcJsClient } from '../support/clients-rls.ts';
import { type InProcess, startInProcess } from '../support/in-process.ts';
import { TestRedis } from '../support/redis.ts';

const POLICY = `
domain: doors
descriptors:
  - key: user
    limits:
      - { requests: 5, per: year }
`;
const LIMITED = { domain: 'doors', descriptors: [{ entries: [{ key: 'user', value: 'u' }] }] };
const FREE = { domain: 'doors', descriptors: [{ entries: [{ key: 'free', value: '' }] }] };

describe('started without Redis', () => {
  let redis: TestRedis;
  let server: InProcess;

  beforeAll(async () => {
    redis = await TestRedis.start();
    await redis.kill();
    server = await startInProcess([POLICY], { REDIS_URL: redis.socket });
  });

  afterAll(async () => {
    await server.stop();
    await redis.stop();
  });

  test.each(['/v1/check', '/json'])('%s answers 503 in the envelope, with the reason', async (path) => {
    const { status, headers, text } = await postJson(server.http + path, LIMITED);
    expect(status).toBe(503);
    expect(headers['content-type']).toMatch(/^application\/json/);
    expect(JSON.parse(text)).toEqual({
      error: {
        code: 'UNAVAILABLE',
        message: 'the counter store failed',
        status: 503,
        details: { reason: 'STORE_FAILED' },
      },
    });
  });

  test('ShouldRateLimit answers UNAVAILABLE with the reason, and not OVER_LIMIT', async () => {
    const client = grpcJsClient(server.grpc);
    const answer = client.ask(LIMITED);
    await expect(answer).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'STORE_FAILED: the counter store failed',
    });
    client.close();
  });

  test.each(['/v1/check', '/json'])('%s answers what meets no limit', async (path) => {
    expect((await postJson(server.http + path, FREE)).status).toBe(200);
  });

  test('/readyz answers 503 with the reason, and the policies that are loaded', async () => {
    const { status, headers, text } = await http1(`${server.http}/readyz`);
    expect(status).toBe(503);
    expect(headers['content-type']).toMatch(/^application\/json/);
    expect(JSON.parse(text)).toEqual({
      ready: false,
      store: 'the counter store failed',
      domains: ['doors'],
      draining: false,
    });
  });

  test('liveness and the reference’s health do not depend on Redis', async () => {
    expect((await http1(`${server.http}/healthz`)).status).toBe(200);
    expect((await http1(`${server.http}/healthcheck`)).status).toBe(200);
  });

  test('the loss is logged once, however often Redis is tried again', async () => {
    await until('the loss is logged', () => server.log.some((line) => line.includes('Redis')));
    for (let call = 0; call < 5; call++) await postJson(`${server.http}/json`, LIMITED);
    expect(server.log.filter((line) => line.includes('Redis'))).toHaveLength(1);
  });

  test('after many failures the breaker answers without asking', async () => {
    for (let call = 0; call < 20; call++) await postJson(`${server.http}/json`, LIMITED);
    const { status, text } = await postJson(`${server.http}/json`, LIMITED);
    expect(status).toBe(503);
    expect(JSON.parse(text)).toMatchObject({ error: { details: { reason: 'STORE_OPEN' } } });
  });

  test('once Redis is there, decisions and readiness come back by themselves', async () => {
    await redis.start();
    await until('a call is decided', async () => (await postJson(`${server.http}/v1/check`, LIMITED)).status === 200);
    await until('the service is ready', async () => (await http1(`${server.http}/readyz`)).status === 200);
    const { text } = await http1(`${server.http}/readyz`);
    expect(JSON.parse(text)).toEqual({ ready: true, store: 'ok', domains: ['doors'], draining: false });
  });
});
