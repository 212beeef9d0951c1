/** Outages of Redis as callers see them: real Envoy, real Redis, steady load. */
import { afterEach, expect, test } from '@jest/globals';
import { until } from '../support/children.ts';
import { startGateway, type TestGateway } from '../support/envoy-gateway.ts';
import { isDecided, SteadyLoad } from '../support/envoy-load.ts';
import type { TestRedis } from '../support/redis.ts';

const ANSWER_MILLIS_MAX = 300;
const RECOVERY_MILLIS_MAX = 2_000;
const TEST_MILLIS_MAX = 120_000;

interface Outage {
  readonly begin: (redis: TestRedis) => unknown;
  readonly end: (redis: TestRedis) => unknown;
}

const FROZEN: Outage = { begin: (redis) => redis.freeze(), end: (redis) => redis.thaw() };
const KILLED: Outage = { begin: (redis) => redis.kill(), end: (redis) => redis.start() };

let gateway: TestGateway | undefined;

afterEach(async () => {
  await gateway?.stop();
  gateway = undefined;
});

test.each([
  { fate: 'passes', status: 200, failureModeDeny: false },
  { fate: 'is refused', status: 500, failureModeDeny: true },
])(
  'while Redis is frozen, then dead, every request $fate within 300 ms, and is decided within 2 s of its return',
  async ({ status, failureModeDeny }) => {
    gateway = await startGateway({ failureModeDeny });
    const load = await SteadyLoad.start(gateway);
    await until('requests are decided', () => load.lastAreDecided);
    const recoveries = [await recoveryMillis(load, FROZEN, 200), await recoveryMillis(load, KILLED, 200)];
    await load.stop();
    expectPromptAnswers(load, status);
    expect(Math.max(...recoveries)).toBeLessThan(RECOVERY_MILLIS_MAX + load.noiseMillis);
  },
  TEST_MILLIS_MAX,
);

test(
  'a Redis that was frozen for longer than its connection lives is found again within 2 s of its return',
  async () => {
    gateway = await startGateway();
    const load = await SteadyLoad.start(gateway);
    const recovery = await recoveryMillis(load, FROZEN, 1_400);
    await load.stop();
    expectPromptAnswers(load, 200);
    expect(recovery).toBeLessThan(RECOVERY_MILLIS_MAX + load.noiseMillis);
  },
  TEST_MILLIS_MAX,
);

test(
  'Headroom starts without Redis, says that it is not ready, and decides within 2 s of its arrival',
  async () => {
    gateway = await startGateway({ redisIsDown: true });
    const [service] = gateway.services;
    expect(await readiness(service.http)).toMatchObject({ status: 503, ready: false });
    const load = await SteadyLoad.start(gateway);
    const recovery = await recoveryMillis(load, { begin: () => undefined, end: KILLED.end }, 100);
    await load.stop();
    expectPromptAnswers(load, 200);
    expect(recovery).toBeLessThan(RECOVERY_MILLIS_MAX + load.noiseMillis);
    expect(await readiness(service.http)).toMatchObject({ status: 200, ready: true });
  },
  TEST_MILLIS_MAX,
);

/**
 * Lets the outage last for so many undecided requests (200 a second).
 * @returns how long after its end the last undecided answer came
 */
async function recoveryMillis(load: SteadyLoad, { begin, end }: Outage, requests: number): Promise<number> {
  const { redis } = gateway as TestGateway;
  const from = load.replies.length;
  await begin(redis);
  await until(
    'the outage has lasted',
    () => load.replies.slice(from).filter((reply) => !isDecided(reply)).length >= requests,
    30_000,
  );
  await end(redis);
  const endedAt = Date.now();
  await until('requests are decided again', () => load.lastAreDecided, 30_000);
  return load.undecidedUntil - endedAt;
}

/** Of decided requests all pass: no key comes near its limit. */
function expectPromptAnswers(load: SteadyLoad, undecidedStatus: number): void {
  const statuses = (decided: boolean) =>
    new Set(load.replies.filter((reply) => isDecided(reply) === decided).map(({ status }) => status));
  expect(load.unanswered).toBe(0);
  expect(statuses(true)).toEqual(new Set([200]));
  expect(statuses(false)).toEqual(new Set([undecidedStatus]));
  expect(load.slowestMillis).toBeLessThan(ANSWER_MILLIS_MAX + load.noiseMillis);
}

async function readiness(address: string): Promise<object> {
  const response = await fetch(`${address}/readyz`);
  return { ...((await response.json()) as object), status: response.status };
}
