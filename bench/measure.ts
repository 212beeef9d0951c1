/** One measurement: a variant in fresh processes, loaded by the client process, its workload asserted. */
import { fileURLToPath } from 'node:url';
import { lastLineOf, start } from './processes.ts';
import type { Measured, Task } from './task.ts';
import { type RunningVariant, registeredBy, startVariant, type Variant, YARDSTICK } from './variants.ts';
import { SPENT_EVERY } from './workload.ts';

export interface MeasureOptions {
  readonly seconds: number;
  readonly inflight: number;
  readonly connections: number;
  readonly keys: number;
}

/** Figures are of one decision unless they say otherwise. */
export interface Measurement {
  readonly variant: Variant;
  readonly serviceCpuMicros: number;
  readonly redisCpuMicros: number | undefined;
  readonly clientCpuMicros: number;
  readonly decisionsPerSecond: number;
  readonly p50Millis: number;
  readonly p99Millis: number;
  readonly p999Millis: number;
  readonly decisions: number;
  readonly deniedShare: number;
  /** The share of all cores that was used by anything but service, Redis and client. */
  readonly othersShare: number;
  /** The measured time on the monotonic clock. */
  readonly fromMicros: number;
  readonly toMicros: number;
}

// Compilers and caches settle while every key is asked for once; this lets the closed loop settle, too.
const WARMUP_SECONDS = 1;
// For starting, for asking for a key once, and for the last answers: on a busy machine all of it takes its time.
const SPARE_MILLIS = 60_000;
const SPARE_MILLIS_PER_KEY = 2;
// Fewer answers say nothing about the slowest of them.
const DECISIONS_MIN = 500;
// One request of ten is denied, but the answers at both ends of the measured time need not come in whole tens.
const DENIED_SHARE_TOLERANCE = 0.02;

const CLIENT = fileURLToPath(new URL('./client.ts', import.meta.url));

/** @throws Error when anything of the workload is not what it has to be */
export async function measure(
  variant: Variant,
  options: MeasureOptions,
  nodeArgs: readonly string[] = [],
): Promise<Measurement> {
  const running = await startVariant(variant, options.keys, nodeArgs);
  try {
    const measured = await runClient(variant, running, options);
    await assertWorkload(variant, running, measured, options);
    return measurementOf(variant, measured);
  } finally {
    await running.stop();
  }
}

function measurementOf(variant: Variant, measured: Measured): Measurement {
  const [serviceCpuMicros, redisCpuMicros] = measured.cpuMicros;
  return {
    variant,
    serviceCpuMicros: serviceCpuMicros as number,
    redisCpuMicros,
    clientCpuMicros: measured.clientCpuMicros,
    decisionsPerSecond: measured.answers / measured.seconds,
    p50Millis: measured.latencyMillis.p50,
    p99Millis: measured.latencyMillis.p99,
    p999Millis: measured.latencyMillis.p999,
    decisions: measured.answers,
    deniedShare: measured.denied / measured.answers,
    othersShare: measured.othersShare,
    fromMicros: measured.fromMicros,
    toMicros: measured.toMicros,
  };
}

async function runClient(variant: Variant, running: RunningVariant, options: MeasureOptions): Promise<Measured> {
  const task: Task = {
    ...options,
    port: running.port,
    registered: registeredBy(variant),
    seed: 1,
    warmupSeconds: WARMUP_SECONDS,
    denies: variant !== YARDSTICK,
    pids: [running.servicePid, ...(running.redisPid === undefined ? [] : [running.redisPid])],
  };
  const millisMax = SPARE_MILLIS + options.keys * SPARE_MILLIS_PER_KEY + (WARMUP_SECONDS + options.seconds) * 1_000;
  try {
    return JSON.parse(await lastLineOf(start(process.execPath, [CLIENT, JSON.stringify(task)]), millisMax)) as Measured;
  } catch (error) {
    throw new Error(`${variant}: ${(error as Error).message}`, { cause: error });
  }
}

/** The client has checked every single answer; here is what only the whole shows. */
async function assertWorkload(
  variant: Variant,
  running: RunningVariant,
  measured: Measured,
  { keys }: MeasureOptions,
): Promise<void> {
  const { answers, denied } = measured;
  if (answers < DECISIONS_MIN) throw new Error(`${variant}: ${answers} answers are too few: raise --seconds`);
  const expected = variant === YARDSTICK ? 0 : 1 / SPENT_EVERY;
  if (Math.abs(denied / answers - expected) > DENIED_SHARE_TOLERANCE) {
    throw new Error(`${variant}: ${denied} of ${answers} were denied, expected a share of ${expected}`);
  }
  const subjects = await running.subjects();
  if (subjects !== undefined && subjects !== keys) {
    throw new Error(`${variant}: Redis holds ${subjects} subjects for ${keys} keys`);
  }
}
