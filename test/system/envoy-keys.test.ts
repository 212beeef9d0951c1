/** A key's own limits as callers meet them: real Envoy, two Headroom processes, one Redis, and an operator who changes his mind. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { HeadroomClient } from '../../src/client/client.ts';
import { linesOf, type Reply, statusCounts } from '../support/envoy-client.ts';
import { startGateway, type TestGateway } from '../support/envoy-gateway.ts';
import { withinOneMinute } from '../support/envoy-minute.ts';

const TOKEN = 'the-admin-token-of-this-test';

let gateway: TestGateway;
let operator: HeadroomClient;

beforeAll(async () => {
  gateway = await startGateway({ services: 2, env: { ADMIN_TOKEN: TOKEN } });
  operator = new HeadroomClient({ baseUrl: gateway.services[0].http, token: TOKEN });
  await gateway.callers.burst(100, 'csk_warm_up');
}, 60_000);

afterAll(() => gateway?.stop());

test('exactly as many pass as the key’s own limit says, and as it says after each change', async () => {
  const found = await withinOneMinute(async () => {
    const { id, key } = await operator.createKey({ name: 'own limit', rate_limit_per_minute: 20 });
    const statuses = [statusCounts(await gateway.callers.burst(100, key))];
    await operator.changeKey(id, { rate_limit_per_minute: 35 });
    statuses.push(statusCounts(await gateway.callers.burst(100, key)));
    await operator.changeKey(id, { rate_limit_per_minute: 1 });
    statuses.push(statusCounts(await gateway.callers.burst(10, key)));
    const { policies } = await operator.keyUsage(id);
    return { statuses, used: policies[0]?.windows.map(({ limit, used, remaining }) => [limit, used, remaining]) };
  });
  expect(found).toEqual({
    statuses: [{ 200: 20, 429: 80 }, { 200: 15, 429: 85 }, { 429: 10 }],
    used: [
      [1, 35, 0],
      [10_000, 35, 9_965],
    ],
  });
}, 240_000);

test('a revoked key is told so, once for each header and with nothing that promises a better time', async () => {
  const { id, key } = await operator.createKey({ name: 'revoked' });
  expect((await gateway.callers.ask(key)).status).toBe(200);
  await operator.revokeKey(id);
  const reply = await gateway.callers.ask(key);
  expect(reply.status).toBe(429);
  expect(JSON.parse(reply.body)).toEqual({
    error: { code: 'INVALID_API_KEY', message: 'The API key is not valid.', status: 401, details: {} },
  });
  expect(fieldsOf(reply)).toEqual({
    'content-type': ['application/json'],
    'cache-control': ['no-store'],
    'retry-after': [],
    'ratelimit-limit': [],
  });
});

function fieldsOf(reply: Reply): Record<string, string[]> {
  const names = ['content-type', 'cache-control', 'retry-after', 'ratelimit-limit'];
  return Object.fromEntries(names.map((name) => [name, [...linesOf(reply, name)]]));
}
