/** Two processes on one Redis: what is changed through one rules the very next decision of the other. */

import { Agent } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { http1 } from '../support/clients-http.ts';
import { grpcJsClient, type RlsClient } from '../support/clients-rls.ts';
import { withinOneMinute } from '../support/envoy-minute.ts';
import { TestRedis } from '../support/redis.ts';
import { TestService } from '../support/service.ts';

const TOKEN = 'the-admin-token-of-this-test';
const agent = new Agent({ keepAlive: true });
let redis: TestRedis;
let services: readonly [TestService, TestService];
let clients: readonly [RlsClient, RlsClient];

beforeAll(async () => {
  redis = await TestRedis.start();
  // What is tested is what decisions know, not how fast they are.
  const env = { REDIS_URL: redis.socket, ADMIN_TOKEN: TOKEN, REDIS_OP_TIMEOUT: '2s' };
  services = [await TestService.start(env), await TestService.start(env)];
  clients = [grpcJsClient(services[0].grpc), grpcJsClient(services[1].grpc)];
});

afterAll(async () => {
  agent.destroy();
  for (const client of clients) client.close();
  await Promise.all(services.map((service) => service.stop()));
  await redis.stop();
});

/** Through the process with this number. */
async function admin(at: number, method: string, path: string, body?: object) {
  const answer = await http1(services[at]?.http + path, {
    method,
    agent,
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (answer.status >= 300) throw new Error(answer.text);
  return JSON.parse(answer.text) as { readonly id: string; readonly key: string };
}

/** Asked of the process with this number: `allowed` or what denies, then limit and remaining as the caller is told. */
async function decide(at: number, key: string): Promise<string> {
  const question = { domain: 'closient', descriptors: [{ entries: [{ key: 'api_key', value: key }] }] };
  const { code, headers, body } = await (clients[at] as RlsClient).ask(question);
  const fields = new Map(headers);
  const reason = body === '' ? undefined : (JSON.parse(body) as { error: { code: string } }).error.code;
  const verdict = code === 'OK' ? 'allowed' : reason;
  const limit = fields.get('RateLimit-Limit');
  return limit === undefined ? `${verdict}` : `${verdict} ${fields.get('RateLimit-Remaining')}/${limit}`;
}

interface Step {
  /** What is changed through the first process; nothing: another decision under the same record. */
  readonly set?: object;
  /** The next decision of the second. */
  readonly next: string;
}

const rows: readonly { readonly title: string; readonly type: string; readonly steps: readonly Step[] }[] = [
  {
    title: 'raised, then lowered to what is used, below it, and raised again: a secret key',
    type: 'secret',
    steps: [
      { next: 'allowed 299/300' },
      { set: { rate_limit_per_minute: 500 }, next: 'allowed 498/500' },
      { set: { rate_limit_per_minute: 3 }, next: 'allowed 0/3' },
      { next: 'RATE_LIMITED 0/3' },
      { set: { rate_limit_per_minute: 1 }, next: 'RATE_LIMITED 0/1' },
      { set: { rate_limit_per_minute: 4 }, next: 'allowed 0/4' },
      { set: { rate_limit_per_minute: 0 }, next: 'allowed 295/300' },
    ],
  },
  {
    title: 'raised, then lowered to what is used, below it, and raised again: a publishable key',
    type: 'publishable',
    steps: [
      { next: 'allowed 99/100' },
      { set: { rate_limit_per_minute: 500 }, next: 'allowed 498/500' },
      { set: { rate_limit_per_minute: 2 }, next: 'RATE_LIMITED 0/2' },
      { set: { rate_limit_per_minute: 0 }, next: 'allowed 97/100' },
    ],
  },
  {
    title: 'a day below the minute reports the day',
    type: 'secret',
    steps: [
      { set: { rate_limit_per_day: 2 }, next: 'allowed 1/2' },
      { next: 'allowed 0/2' },
      { next: 'RATE_LIMITED 0/2' },
      { set: { rate_limit_per_day: 0, rate_limit_per_minute: 0 }, next: 'allowed 297/300' },
    ],
  },
  {
    title: 'disabled and active again',
    type: 'secret',
    steps: [
      { set: { status: 'disabled' }, next: 'INVALID_API_KEY' },
      { set: { status: 'active' }, next: 'allowed 299/300' },
      { set: { expires_at: '2020-01-01T00:00:00Z' }, next: 'INVALID_API_KEY' },
      { set: { expires_at: null }, next: 'allowed 298/300' },
      { set: { status: 'revoked' }, next: 'INVALID_API_KEY' },
    ],
  },
];

describe('a key that is changed through one process is decided anew by the other', () => {
  test.each(rows)('$title', async ({ type, steps }) => {
    const found = await withinOneMinute(async () => {
      const { id, key } = await admin(0, 'POST', '/v1/keys', { name: 'row', type });
      const outcomes: string[] = [];
      for (const { set } of steps) {
        if (set !== undefined) await admin(0, 'PATCH', `/v1/keys/${id}`, set);
        outcomes.push(await decide(1, key));
      }
      return outcomes;
    });
    expect(found).toEqual(steps.map(({ next }) => next));
  });

  test('a key that is rotated goes on counting where it was, and the old one ends', async () => {
    const found = await withinOneMinute(async () => {
      const old = await admin(0, 'POST', '/v1/keys', { name: 'rotated' });
      const outcomes = [await decide(1, old.key)];
      const graced = await admin(0, 'POST', `/v1/keys/${old.id}/rotate`, { grace_seconds: 3_600 });
      outcomes.push(await decide(1, graced.key), await decide(1, old.key));
      const last = await admin(1, 'POST', `/v1/keys/${old.id}/rotate`, {});
      outcomes.push(await decide(0, last.key), await decide(0, graced.key));
      return outcomes;
    });
    expect(found).toEqual([
      'allowed 299/300',
      'allowed 298/300',
      'allowed 297/300',
      'allowed 296/300',
      'INVALID_API_KEY',
    ]);
  });
});

test('of 1,000 changes and decisions in turns over two processes none is decided by what was before', async () => {
  const rounds = 1_000;
  const keys = [
    await admin(0, 'POST', '/v1/keys', { name: 'turns', type: 'secret' }),
    await admin(1, 'POST', '/v1/keys', { name: 'turns', type: 'publishable' }),
  ];
  const stale: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const { id, key } = keys[round % 2] as (typeof keys)[number];
    const [changes, decides] = round % 4 < 2 ? [0, 1] : [1, 0];
    // Above the policy's and different each time, so that no older number can look like the newest.
    const limit = 1_000 + round;
    await admin(changes as number, 'PATCH', `/v1/keys/${id}`, { rate_limit_per_minute: limit });
    const outcome = await decide(decides as number, key);
    if (!outcome.startsWith('allowed ') || !outcome.endsWith(`/${limit}`)) stale.push(`${limit}: ${outcome}`);
  }
  expect(stale).toEqual([]);
}, 60_000);
