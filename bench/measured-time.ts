/** The measured part of a run: begun and ended once, filled in between with answers, and with the CPU time of those who gave them. */
import { type CpuReading, processTree, readCpu } from './cpu.ts';
import type { Latency, Measured, Processes } from './task.ts';

// 16 MB of latencies; whoever answers more often is measured for a shorter time.
const ANSWERS_MAX = 2_000_000;

interface Moment {
  readonly atMicros: number;
  readonly cpu: CpuReading;
}

export class MeasuredTime {
  readonly #latencies = new Float64Array(ANSWERS_MAX);
  /** Every process whose time is read, and whose it counts as. */
  readonly #processes: readonly { readonly pid: number; readonly as: keyof Measured['cpuMicros'] }[];
  #answers = 0;
  #denied = 0;
  #from: Moment | undefined;
  #to: Moment | undefined;

  constructor({ service, redis }: Processes<number>) {
    const services = service === undefined ? [] : processTree(service);
    this.#processes = [
      ...services.map((pid) => ({ pid, as: 'service' as const })),
      ...(redis === undefined ? [] : [{ pid: redis, as: 'redis' as const }]),
      { pid: process.pid, as: 'client' },
    ];
  }

  get ended(): boolean {
    return this.#to !== undefined;
  }

  /** Begins after the warm-up and ends by itself. */
  schedule(warmupSeconds: number, seconds: number): void {
    setTimeout(() => this.#begin(), warmupSeconds * 1_000);
    setTimeout(() => this.#end(), (warmupSeconds + seconds) * 1_000);
  }

  add(millis: number, isDenied: boolean): void {
    if (this.#from === undefined || this.ended) return;
    this.#latencies[this.#answers] = millis;
    this.#answers += 1;
    if (isDenied) this.#denied += 1;
    if (this.#answers === ANSWERS_MAX) this.#end();
  }

  result(): Measured {
    const [from, to, answers] = [this.#from, this.#to, this.#answers];
    if (from === undefined || to === undefined || answers === 0) throw new Error('nothing was measured');
    const totalTicks = to.cpu.totalTicks - from.cpu.totalTicks;
    const busyShare = (to.cpu.busyTicks - from.cpu.busyTicks) / totalTicks;
    const coreMicros = (to.atMicros - from.atMicros) * navigator.hardwareConcurrency;
    const cpuMicros = { client: 0, ...this.#cpuMicros(from, to) };
    const ownMicros = Object.values(cpuMicros).reduce((sum, micros) => sum + micros, 0);
    return {
      answers,
      denied: this.#denied,
      seconds: (to.atMicros - from.atMicros) / 1_000_000,
      fromMicros: from.atMicros,
      toMicros: to.atMicros,
      latencyMillis: latencyOf(this.#latencies.subarray(0, answers)),
      cpuMicros: mapped(cpuMicros, (micros) => micros / answers),
      othersShare: Math.max(0, busyShare - ownMicros / coreMicros),
    };
  }

  #cpuMicros(from: Moment, to: Moment): Partial<Record<keyof Measured['cpuMicros'], number>> {
    const sums: Partial<Record<keyof Measured['cpuMicros'], number>> = {};
    this.#processes.forEach(({ as }, at) => {
      sums[as] = (sums[as] ?? 0) + (to.cpu.micros[at] ?? 0) - (from.cpu.micros[at] ?? 0);
    });
    return sums;
  }

  #begin(): void {
    this.#from = this.#now();
  }

  #end(): void {
    this.#to ??= this.#now();
  }

  #now(): Moment {
    const atMicros = Number(process.hrtime.bigint() / 1_000n);
    return { atMicros, cpu: readCpu(this.#processes.map(({ pid }) => pid)) };
  }
}

/** Quantiles by nearest rank. @param millis is sorted in place */
export function latencyOf(millis: Float64Array): Latency {
  millis.sort();
  const at = (share: number): number => millis[Math.max(0, Math.ceil(share * millis.length) - 1)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999) };
}

function mapped<T extends Record<string, number>>(figures: T, change: (figure: number) => number): T {
  return Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, change(figure)])) as T;
}
