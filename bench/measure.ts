/** One measurement: a variant in fresh processes, loaded by the client process, its workload asserted. */
import { fileURLToPath } from 'node:url';
import { ALONE, isUnder, nameOf, type Setup } from './plan.ts';
import { lastLineOf, start } from './processes.ts';
import type { Measured, Task } from './task.ts';
import { type RunningVariant, startVariant, TRAITS } from './variants.ts';
import { SPENT_EVERY } from './workload.ts';

export interface MeasureOptions {
  readonly seconds: number;
  readonly keys: number;
  /** For the service's own Node, such as --cpu-prof. */
  readonly nodeArgs?: readonly string[];
}

/** CPU is per decision. */
export interface Measurement extends Measured {
  readonly setup: Setup;
}

// Compilers and caches settle while every key is asked for once, and for some seconds of the closed loop: V8 optimizes code again and again.
const WARMUP_SECONDS = 4;
const ROUND_TRIP_SECONDS = 1;
// For starting, for asking for a key once, and for the last answers: on a busy machine all of it takes its time.
const SPARE_MILLIS = 60_000;
const SPARE_MILLIS_PER_KEY = 2;
// Fewer answers say nothing about the slowest of them.
const ANSWERS_MIN = 500;
// One request of ten is denied, but the answers at both ends of the measured time need not come in whole tens.
const DENIED_SHARE_TOLERANCE = 0.02;

const GRPC_CLIENT = fileURLToPath(new URL('./client.ts', import.meta.url));
const REDIS_CLIENT = fileURLToPath(new URL('./redis-incrby.ts', import.meta.url));

/** @throws Error when anything of the workload is not what it has to be */
export async function measure(setup: Setup, options: MeasureOptions): Promise<Measurement> {
  const running = await startVariant(setup.variant, { ...options, workers: setup.workers });
  try {
    const measured = await runClient(setup, running, options);
    await assertWorkload(setup, running, measured, options.keys);
    return { setup, ...measured };
  } catch (error) {
    throw new Error(`${nameOf(setup)}: ${(error as Error).message}`, { cause: error });
  } finally {
    await running.stop();
  }
}

async function runClient(setup: Setup, running: RunningVariant, options: MeasureOptions): Promise<Measured> {
  const { service, registered, denies } = TRAITS[setup.variant];
  const task: Task = {
    port: running.port,
    redisSocket: running.redisSocket,
    connections: setup.connections,
    inflight: setup.inflight,
    keys: options.keys,
    registered,
    seed: 1,
    warmupSeconds: WARMUP_SECONDS,
    seconds: options.seconds,
    // Beside anything else in flight, a round trip would measure how long that keeps Redis.
    roundTripSeconds: isUnder(setup, ALONE) && service !== 'none' ? ROUND_TRIP_SECONDS : 0,
    denies,
    pids: { service: running.servicePid, redis: running.redisPid },
  };
  const client = start(process.execPath, [service === 'none' ? REDIS_CLIENT : GRPC_CLIENT, JSON.stringify(task)]);
  const seconds = WARMUP_SECONDS + options.seconds + task.roundTripSeconds;
  const millisMax = SPARE_MILLIS + options.keys * SPARE_MILLIS_PER_KEY + seconds * 1_000;
  return JSON.parse(await lastLineOf(client, millisMax)) as Measured;
}

/** The client has checked every single answer; here is what only the whole shows. */
async function assertWorkload(
  { variant }: Setup,
  running: RunningVariant,
  { answers, denied }: Measured,
  keys: number,
): Promise<void> {
  if (answers < ANSWERS_MIN) throw new Error(`${answers} answers are too few: raise --seconds`);
  const expected = TRAITS[variant].denies ? 1 / SPENT_EVERY : 0;
  if (Math.abs(denied / answers - expected) > DENIED_SHARE_TOLERANCE) {
    throw new Error(`${denied} of ${answers} were denied, expected a share of ${expected}`);
  }
  const subjects = await running.subjects();
  if (subjects !== undefined && subjects !== keys) throw new Error(`Redis holds ${subjects} subjects for ${keys} keys`);
}
