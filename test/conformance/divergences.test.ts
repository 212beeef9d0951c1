/** Where Headroom does not do as the reference does: one test for each row of the list of deliberate divergences. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { http1, postJson } from '../support/clients-http.ts';
import { type Answer, type AskedDescriptor, grpcJsClient } from '../support/clients-rls.ts';
import { TestRedis } from '../support/redis.ts';
import type { Call } from './case-format.ts';
import type { Refusal, ShortAnswer } from './rls-client.ts';
import { type Files, ServiceUnderTest } from './service-under-test.ts';

const TEST_MILLIS = 30_000;
const HOURLY: Files = {
  'config.yaml': ['domain: d', 'descriptors:', '  - key: k', '    rate_limit: { unit: hour, requests_per_unit: 3 }'],
};
const BROKEN: Files = { 'config.yaml': ['domain: d', 'nonsense: 1'] };

let redis: TestRedis;
beforeAll(async () => {
  redis = await TestRedis.start();
});
afterAll(async () => {
  await redis.stop();
});
beforeEach(async () => {
  await redis.client.flushall();
});

const services: ServiceUnderTest[] = [];
afterEach(async () => {
  redis.thaw();
  await Promise.all(services.splice(0).map((service) => service.stop()));
});

async function start(files: Files = HOURLY, env: Readonly<Record<string, string>> = {}): Promise<ServiceUnderTest> {
  const service = await ServiceUnderTest.start({ REDIS_URL: `127.0.0.1:${redis.port}`, ...env }, files);
  services.push(service);
  return service;
}

type Asked = Call['descriptors'][number];

function described(value: string, more: Partial<Asked> = {}): Asked {
  return { entries: [['k', value]], ...more };
}

function ask(service: ServiceUnderTest, ...descriptors: Asked[]): Promise<ShortAnswer | Refusal> {
  return service.client.call({ domain: 'd', descriptors });
}

function json(service: ServiceUnderTest, descriptor: object): Promise<number> {
  const body = { domain: 'd', descriptors: [{ entries: [{ key: 'k', value: 'v' }], ...descriptor }] };
  return postJson(`${service.process.http}/json`, body).then(({ status }) => status);
}

const INVALID = { error: { code: 'INVALID_ARGUMENT', message: expect.any(String) } };
const UNAVAILABLE = { error: { code: 'UNAVAILABLE', message: expect.any(String) } };
const left = (remaining: number) =>
  expect.objectContaining({ statuses: [expect.objectContaining({ limit_remaining: remaining })] });

describe("a caller's mistakes are told from failures", () => {
  test.each([
    ['INVALID_ARGUMENT', '', [described('v')], 'rate limit domain must not be empty'],
    ['INVALID_ARGUMENT', 'd', [], 'rate limit descriptor list must not be empty'],
  ])(
    '%s: domain %j, %j',
    async (code, domain, descriptors, message) => {
      const service = await start();
      expect(await service.client.call({ domain, descriptors })).toEqual({
        error: { code, message: expect.stringContaining(message) },
      });
    },
    TEST_MILLIS,
  );

  test(
    'UNAVAILABLE: no configuration, and the message says so',
    async () => {
      const service = await start(BROKEN);
      const message = expect.stringContaining('no rate limit configuration loaded');
      expect(await ask(service, described('v'))).toEqual({ error: { code: 'UNAVAILABLE', message } });
    },
    TEST_MILLIS,
  );

  test(
    '/json answers 400 for bad input and 503 for a failure of the store',
    async () => {
      const service = await start();
      expect(await json(service, { nonsense: 1 })).toBe(400);
      expect(await json(service, {})).toBe(200);
      redis.freeze();
      expect(await json(service, {})).toBe(503);
    },
    TEST_MILLIS,
  );
});

describe('nobody harms others by one call', () => {
  test(
    'an override with a unit that is absent, unknown or out of range is INVALID_ARGUMENT',
    async () => {
      const service = await start();
      for (const unit of [0, 8, 99, -1]) {
        expect(await ask(service, described('v', { limit: { requests_per_unit: 5, unit } }))).toEqual(INVALID);
      }
      expect(await json(service, { limit: { requestsPerUnit: 5 } })).toBe(400);
      expect(await ask(service, described('v'))).toEqual(left(2));
    },
    TEST_MILLIS,
  );

  test(
    'hits that cannot be counted exactly are INVALID_ARGUMENT and give nothing back',
    async () => {
      const service = await start();
      expect(await ask(service, described('v', { hits_addend: 2 }))).toEqual(left(1));
      for (const hits of [2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n]) {
        expect(await ask(service, described('v', { hits_addend: String(hits) }))).toEqual(INVALID);
      }
      expect(await ask(service, described('v', { hits_addend: 0 }))).toEqual(left(1));
    },
    TEST_MILLIS,
  );

  test(
    'only is_negative_hits gives hits back, and never below nothing',
    async () => {
      const service = await start();
      const client = grpcJsClient(service.process.grpc);
      const hit = (more: Partial<AskedDescriptor>): Promise<Answer> =>
        client.ask({ domain: 'd', descriptors: [{ entries: [{ key: 'k', value: 'v' }], ...more }] });
      await hit({ hitsAddend: 3n });
      expect((await hit({ hitsAddend: 2n, isNegativeHits: true })).statuses[0]?.remaining).toBe(2);
      expect((await hit({ hitsAddend: 9n, isNegativeHits: true })).statuses[0]?.remaining).toBe(3);
      client.close();
    },
    TEST_MILLIS,
  );

  test(
    'what the reference joins to one key has counters of its own, in a layout of its own',
    async () => {
      const hour = Math.floor(Date.now() / 3_600_000) * 3_600;
      for (const start of [hour, hour + 3_600]) await redis.client.set(`d_k_v_${start}`, 1_000);
      const service = await start();
      const limit = { requests_per_unit: 9, unit: 'HOUR' as const };
      const all: Asked[] = [
        { entries: [['k', 'v']], limit },
        { entries: [['a', 'b_c_d']], limit },
        { entries: [['a_b', 'c_d']], limit },
        {
          entries: [
            ['a', 'b'],
            ['c', 'd'],
          ],
          limit,
        },
      ];
      const answer = (await ask(service, ...all)) as ShortAnswer;
      expect(answer.statuses.map(({ limit_remaining }) => limit_remaining)).toEqual([8, 8, 8, 8]);
    },
    TEST_MILLIS,
  );
});

describe('a store that is gone or frozen', () => {
  const CALLS = 20;
  const STORE = { REDIS_OP_TIMEOUT: '1s' };
  // Waiting for a frozen store each time would take twice as long as is allowed.
  const WAVES = 20;
  const MILLIS_MAX = 10_000;

  test.each(['gone', 'frozen'])(
    '%s: every call is UNAVAILABLE in time, most of them at once, and it recovers',
    async (how) => {
      const service = await start(HOURLY, STORE);
      expect(await ask(service, described('v'))).toEqual(left(2));
      if (how === 'gone') await redis.kill();
      else redis.freeze();
      const askMany = () => Promise.all(Array.from({ length: CALLS }, () => ask(service, described('v'))));
      const began = performance.now();
      expect(await askMany()).toEqual(Array(CALLS).fill(UNAVAILABLE));
      const first = performance.now();
      expect(first - began).toBeLessThan(MILLIS_MAX);
      // The breaker has opened: nothing waits for the store any more.
      for (let wave = 0; wave < WAVES; wave += 1) expect(await askMany()).toEqual(Array(CALLS).fill(UNAVAILABLE));
      expect(performance.now() - first).toBeLessThan(MILLIS_MAX);
      expect(await ask(service, { entries: [['unmatched', 'v']] })).toMatchObject({ overall_code: 'OK' });
      if (how === 'gone') await redis.start();
      else redis.thaw();
      await eventually(async () => expect(await ask(service, described('w'))).toMatchObject({ overall_code: 'OK' }));
    },
    TEST_MILLIS,
  );
});

/** Repeats until what is expected comes; what holds only after a time is not to be slept for. */
async function eventually(expectation: () => Promise<void>, millis = 15_000): Promise<void> {
  const deadline = Date.now() + millis;
  for (;;) {
    try {
      return await expectation();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

describe('the local cache', () => {
  const CACHE = { LOCAL_CACHE_SIZE_IN_BYTES: '1000000' };

  test(
    'does not refuse what a raised limit admits',
    async () => {
      const service = await start(HOURLY, CACHE);
      expect(await ask(service, described('v', { hits_addend: 4 }))).toMatchObject({ overall_code: 'OVER_LIMIT' });
      const limit = { requests_per_unit: 10, unit: 'HOUR' as const };
      expect(await ask(service, described('v', { limit }))).toEqual(left(5));
    },
    TEST_MILLIS,
  );

  test(
    'forgets within a second that a counter was spent',
    async () => {
      const service = await start(HOURLY, CACHE);
      await ask(service, described('v', { hits_addend: 4 }));
      expect(await ask(service, described('v'))).toMatchObject({ overall_code: 'OVER_LIMIT' });
      await redis.client.flushall();
      await eventually(
        async () => expect(await ask(service, described('v'))).toMatchObject({ overall_code: 'OK' }),
        2_000,
      );
    },
    TEST_MILLIS,
  );
});

test(
  'metadata does not leak into other rules, and is kept beside detailed_metric',
  async () => {
    const rule = (key: string, metadata: string, more = '') =>
      `  - { key: ${key}, rate_limit: { unit: hour, requests_per_unit: 9 }, metadata: ${metadata}${more} }`;
    const files = {
      'config.yaml': [
        'domain: d',
        'descriptors:',
        rule('p', '{ owner: { name: p, px: 1 } }'),
        rule('q', '{ owner: { name: q, qx: 1 } }', ', detailed_metric: true'),
      ],
    };
    const service = await start(files, { RESPONSE_DYNAMIC_METADATA: 'true' });
    const p: Asked = { entries: [['p', 'v']] };
    const q: Asked = { entries: [['q', 'v']] };
    const both = { owner: { name: 'p', px: 1, qx: 1 } };
    expect(await ask(service, p, q)).toMatchObject({ dynamic_metadata: { metadata: both } });
    const ofOne = async (asked: Asked) => ((await ask(service, asked)) as ShortAnswer).dynamic_metadata;
    expect(await ofOne(p)).toHaveProperty('metadata', { owner: { name: 'p', px: 1 } });
    expect(await ofOne(q)).toHaveProperty('metadata', { owner: { name: 'q', qx: 1 } });
  },
  TEST_MILLIS,
);

test(
  'health tells that no configuration is loaded, and that one is',
  async () => {
    const service = await start(BROKEN);
    expect((await http1(`${service.process.http}/healthcheck`)).status).toBe(500);
    expect(await service.client.health('ratelimit')).toEqual({ status: 'NOT_SERVING' });
    service.write(HOURLY);
    await eventually(async () => expect(await service.client.health('ratelimit')).toEqual({ status: 'SERVING' }));
    expect((await http1(`${service.process.http}/healthcheck`)).status).toBe(200);
  },
  TEST_MILLIS,
);
