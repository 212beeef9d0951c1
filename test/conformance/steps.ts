/** What the steps of a case do. Each throws if what comes is not what the case expects. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { unixSeconds } from '../support/clients-time.ts';
import type { TestRedis } from '../support/redis.ts';
import type { Call, Step } from './case-format.ts';
import { expectAnswer, expectHttp, expectRefusal, type Span } from './expected.ts';
import type { ServiceUnderTest } from './service-under-test.ts';

export interface Context {
  readonly service: ServiceUnderTest;
  readonly redis: TestRedis;
}

// The reference takes up to 300 ms; a case may also expect that nothing changes.
const RELOAD_WAIT_MILLIS = 1_000;
const RETRY_MILLIS = 50;
/** A limit so large that any counter can be read through it, by a request without hits. */
const PROBE_LIMIT = 4_000_000_000;

/** One with `within_ms` is repeated until it succeeds or that time is over. */
export async function runStep(context: Context, step: Step): Promise<void> {
  const deadline = Date.now() + (step.within_ms ?? 0);
  for (;;) {
    try {
      return await perform(context, step);
    } catch (error) {
      if (Date.now() >= deadline) throw error;
      await sleep(RETRY_MILLIS);
    }
  }
}

async function perform({ service, redis }: Context, step: Step): Promise<void> {
  if ('call' in step) {
    const [answer, span] = await timed(() => service.client.call(step.call));
    if (step.expect) expectAnswer(answer, step.expect, span);
  } else if ('http' in step) {
    const [answer, span] = await timed(() => service.http(step.http));
    if (step.expect) expectHttp(answer, step.expect, span);
  } else if ('health' in step) {
    const answer = await service.client.health(step.health);
    if (step.expect && 'error' in step.expect) expectRefusal(answer, step.expect);
    else if (step.expect) expect(answer).toEqual(step.expect);
  } else if ('counter' in step) {
    expect(await counted(service, step.counter)).toBe(step.expect);
  } else if ('reload' in step) {
    service.write(step.reload);
    await sleep(RELOAD_WAIT_MILLIS);
  } else if ('restart' in step) {
    await service.restart(step.restart);
  } else {
    await changeStore(redis, step.store);
  }
}

async function timed<T>(ask: () => Promise<T>): Promise<[T, Span]> {
  const from = unixSeconds();
  const answer = await ask();
  return [answer, { from, to: unixSeconds() }];
}

async function counted(
  service: ServiceUnderTest,
  { domain, entries, unit }: Extract<Step, { counter: object }>['counter'],
): Promise<number> {
  const limit = { requests_per_unit: PROBE_LIMIT, unit };
  const question: Call = { domain, descriptors: [{ entries, hits_addend: 0, limit }] };
  const answer = await service.client.call(question);
  if ('error' in answer) throw new Error(`no counter but ${answer.error.code}: ${answer.error.message}`);
  return PROBE_LIMIT - (answer.statuses[0]?.limit_remaining ?? Number.NaN);
}

async function changeStore(redis: TestRedis, action: 'break' | 'stop' | 'start'): Promise<void> {
  if (action === 'stop') await redis.kill();
  else if (action === 'start') await redis.start();
  else await breakEveryKey(redis);
}

/** Every key gets another type, so that whatever counts in it fails. */
async function breakEveryKey({ client }: TestRedis): Promise<void> {
  for (const key of await client.keys('*')) {
    const type = await client.type(key);
    await client.del(key);
    if (type === 'list') await client.sadd(key, 'not a counter');
    else await client.lpush(key, 'not a counter');
  }
}
