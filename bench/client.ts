/** The client process: primes every key, warms up, measures, and prints what it measured. Fails at the first wrong answer. */
import { type CpuReading, readCpu } from './cpu.ts';
import { type Call, Load, type NextCall } from './load.ts';
import type { Measured, Task } from './task.ts';
import { drawsOf, keysOf } from './workload.ts';

const OK = 1;
const OVER_LIMIT = 2;
// 16 MB of latencies; whoever answers more often is measured for a shorter time.
const ANSWERS_MAX = 2_000_000;

/** The measured part of a run: begun and ended once, filled in between. */
class Measurement {
  readonly #latencies = new Float64Array(ANSWERS_MAX);
  readonly #pids: readonly number[];
  #answers = 0;
  #denied = 0;
  #from: { at: number; cpu: CpuReading } | undefined;
  #to: { at: number; cpu: CpuReading } | undefined;

  constructor(pids: readonly number[]) {
    // The last one is this process.
    this.#pids = [...pids, process.pid];
  }

  get ended(): boolean {
    return this.#to !== undefined;
  }

  begin(): void {
    this.#from = { at: nowMicros(), cpu: readCpu(this.#pids) };
  }

  end(): void {
    this.#to ??= { at: nowMicros(), cpu: readCpu(this.#pids) };
  }

  add(millis: number, code: number): void {
    if (this.#from === undefined || this.ended) return;
    this.#latencies[this.#answers] = millis;
    this.#answers += 1;
    if (code === OVER_LIMIT) this.#denied += 1;
    if (this.#answers === ANSWERS_MAX) this.end();
  }

  result(): Measured {
    const [from, to, answers] = [this.#from, this.#to, this.#answers];
    if (from === undefined || to === undefined || answers === 0) throw new Error('nothing was measured');
    const micros = to.cpu.micros.map((value, index) => value - (from.cpu.micros[index] as number));
    const ownMicros = micros.reduce((sum, value) => sum + value, 0);
    const totalTicks = to.cpu.totalTicks - from.cpu.totalTicks;
    const busyShare = (to.cpu.busyTicks - from.cpu.busyTicks) / totalTicks;
    const coreMicros = (to.at - from.at) * navigator.hardwareConcurrency;
    const sorted = this.#latencies.subarray(0, answers).sort();
    const perAnswer = micros.map((value) => value / answers);
    return {
      answers,
      denied: this.#denied,
      seconds: (to.at - from.at) / 1_000_000,
      fromMicros: from.at,
      toMicros: to.at,
      latencyMillis: { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), p999: quantile(sorted, 0.999) },
      cpuMicros: perAnswer.slice(0, -1),
      clientCpuMicros: perAnswer.at(-1) as number,
      othersShare: Math.max(0, busyShare - ownMicros / coreMicros),
    };
  }
}

async function main(task: Task): Promise<Measured> {
  const load = await Load.open(task);
  const keys = keysOf(task.keys, task.registered);
  await load.run(everyKeyOnce(keys), () => undefined);

  const measurement = new Measurement(task.pids);
  const draw = drawsOf(task.keys, task.seed);
  setTimeout(() => measurement.begin(), task.warmupSeconds * 1_000);
  setTimeout(() => measurement.end(), (task.warmupSeconds + task.seconds) * 1_000);
  const next = (): Call | undefined => {
    if (measurement.ended) return undefined;
    const { frame, spent } = keys[draw()] as { frame: Buffer; spent: boolean };
    return { frame, code: spent && task.denies ? OVER_LIMIT : OK };
  };
  await load.run(next, (millis, code) => measurement.add(millis, code));
  load.close();
  return measurement.result();
}

function everyKeyOnce(keys: readonly { readonly frame: Buffer }[]): NextCall {
  let asked = 0;
  return () => {
    const key = keys[asked];
    asked += 1;
    return key && { frame: key.frame, code: OK };
  };
}

/** Nearest rank. */
function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}

function nowMicros(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

try {
  process.stdout.write(JSON.stringify(await main(JSON.parse(process.argv[2] as string) as Task)));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  // Calls may still be in flight; nobody waits for them.
  process.exit(1);
}
