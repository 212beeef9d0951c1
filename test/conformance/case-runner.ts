/** Runs cases one after the other: an empty store, a service with the case's files, its steps, what is left behind. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { unixSeconds } from '../support/clients-time.ts';
import { TestRedis } from '../support/redis.ts';
import type { Call, ConformanceCase, ExpectedStats } from './case-format.ts';
import { searchable } from './expected.ts';
import { ServiceUnderTest } from './service-under-test.ts';
import { FLUSH_MILLIS, StatsdServer } from './statsd-server.ts';
import { type Context, runStep } from './steps.ts';
import { align, waitForSecond } from './windows.ts';

const STATS_MILLIS_MAX = 3_000;
const LOG_SHOWN_CHARACTERS = 1_500;
const WARM_UP: Call = { domain: 'warm-up', descriptors: [{ entries: [['warm', 'up']] }] };

interface Shared {
  readonly key: string;
  readonly service: ServiceUnderTest;
  readonly statsd: StatsdServer | undefined;
}

export class CaseRunner {
  readonly #redis: TestRedis;
  /** Kept for the next case if it needs the same environment: starting a process costs far more than a new folder. */
  #shared: Shared | undefined;

  private constructor(redis: TestRedis) {
    this.#redis = redis;
  }

  static async start(): Promise<CaseRunner> {
    return new CaseRunner(await TestRedis.start());
  }

  /** @throws Error, or what jest's `expect` throws, for the first thing that is not as the case says */
  async run(claim: ConformanceCase): Promise<void> {
    if ((await this.#redis.client.ping().catch(() => '')) !== 'PONG') await this.#redis.start();
    await this.#redis.client.flushall();
    if (environmentOf(claim) !== '') return this.#runShared(claim);
    const statsd = claim.stats ? await StatsdServer.start() : undefined;
    const service = await ServiceUnderTest.start(this.#env(claim, statsd), claim.files);
    try {
      await this.#check(claim, service);
      if (claim.config_error) expectConfigError(service.log, claim.config_error);
      if (statsd && claim.stats) await expectStats(statsd, claim.stats);
    } finally {
      await service.stop();
      statsd?.stop();
    }
  }

  async stop(): Promise<void> {
    await this.#endShared();
    await this.#redis.stop();
  }

  async #runShared(claim: ConformanceCase): Promise<void> {
    const { service, statsd } = await this.#sharedFor(claim);
    try {
      // Whatever earlier cases counted has been sent: each of them waited for it.
      statsd?.forget();
      await service.replaceAll(claim.files);
      await this.#check(claim, service);
      if (statsd && claim.stats) await expectStats(statsd, claim.stats);
    } catch (error) {
      // Nothing is known of a process in which something went wrong.
      await this.#endShared();
      throw error;
    }
  }

  async #sharedFor(claim: ConformanceCase): Promise<Shared> {
    const key = environmentOf(claim);
    if (this.#shared?.key === key) return this.#shared;
    await this.#endShared();
    const statsd = claim.stats ? await StatsdServer.start() : undefined;
    const service = await ServiceUnderTest.startReplaceable(this.#env(claim, statsd));
    this.#shared = { key, service, statsd };
    return this.#shared;
  }

  async #endShared(): Promise<void> {
    const shared = this.#shared;
    this.#shared = undefined;
    await shared?.service.stop();
    shared?.statsd?.stop();
  }

  #env(claim: ConformanceCase, statsd: StatsdServer | undefined): Record<string, string> {
    return { ...claim.env, ...statsd?.environment, REDIS_URL: `127.0.0.1:${this.#redis.port}` };
  }

  async #check(claim: ConformanceCase, service: ServiceUnderTest): Promise<void> {
    await service.client.call(WARM_UP);
    const keysBefore = await this.#redis.client.keys('*');
    await runSteps(claim, { service, redis: this.#redis });
    if (claim.no_new_keys) expect((await this.#redis.client.keys('*')).sort()).toEqual(keysBefore.sort());
  }
}

/** Cases of equal text may share a process one after the other; cases of which each needs its own have an empty one. */
export function environmentOf(claim: ConformanceCase): string {
  return isSelfContained(claim) ? JSON.stringify([claim.env ?? {}, claim.stats !== undefined]) : '';
}

/** Whether nothing that it checks or leaves behind goes beyond its answers, its files, its hits and its statistics. */
function isSelfContained({ env, steps, config_error }: ConformanceCase): boolean {
  // What a process remembers of a caller outlives the emptying of the store.
  if (config_error || env?.LOCAL_CACHE_SIZE_IN_BYTES) return false;
  return !steps.some((step) => {
    // What is loaded besides the case's files shows at the debug port alone.
    const looksInside = 'http' in step && step.http.port === 'debug';
    return looksInside || 'reload' in step || 'restart' in step || 'store' in step;
  });
}

async function runSteps(claim: ConformanceCase, context: Context): Promise<void> {
  await align(claim.align);
  const began = unixSeconds();
  for (const [index, step] of claim.steps.entries()) {
    if (step.at_second) await waitForSecond(began + step.at_second);
    try {
      await runStep(context, step);
    } catch (error) {
      const place = `step ${index + 1} of ${claim.steps.length}, ${JSON.stringify(step)}`;
      throw new Error(`${place}:\n${(error as Error).message}`, { cause: error });
    }
  }
  // Also after an answer, what is asked may end a process.
  if (!context.service.isRunning) throw new Error(`the service ended: ${endOf(context.service.log)}`);
}

/** The log names one of the files and, where a message is given, contains it. */
function expectConfigError(log: string, { files, message }: NonNullable<ConformanceCase['config_error']>): void {
  const text = searchable(log);
  const isNamed = files.some((file) => text.includes(file));
  if (!isNamed) throw new Error(`the log names none of ${files.join(', ')}: ${endOf(log)}`);
  if (message && !text.includes(message)) throw new Error(`the log lacks "${message}": ${endOf(log)}`);
}

function endOf(log: string): string {
  return log.slice(-LOG_SHOWN_CHARACTERS) || '(empty)';
}

async function expectStats(statsd: StatsdServer, wanted: ExpectedStats): Promise<void> {
  // All of what was counted has been sent when two flushes have passed; what comes late is waited for.
  await sleep(2 * FLUSH_MILLIS);
  const deadline = Date.now() + STATS_MILLIS_MAX;
  while (!areAsWanted(statsd, wanted) && Date.now() < deadline) await sleep(FLUSH_MILLIS / 2);
  if (areAsWanted(statsd, wanted)) return;
  throw new Error(`the counters ${JSON.stringify(statsd.counters)} are not ${JSON.stringify(wanted)}`);
}

function areAsWanted(statsd: StatsdServer, { equal = {}, at_least = {}, absent = [] }: ExpectedStats): boolean {
  return (
    Object.entries(equal).every(([name, value]) => statsd.value(name) === value) &&
    Object.entries(at_least).every(([name, value]) => statsd.value(name) >= value) &&
    absent.every((name) => statsd.value(name) === 0)
  );
}
