/** What the client process is told, and what it tells: JSON in its argument, JSON on its standard output. */
import type { Registered } from './workload.ts';

export interface Task {
  readonly port: number;
  readonly connections: number;
  readonly inflight: number;
  readonly keys: number;
  readonly registered: Registered;
  readonly seed: number;
  /** Asked for, after every key was asked for once and before anything is measured. */
  readonly warmupSeconds: number;
  readonly seconds: number;
  /** Whether spent keys are denied; a constant answer denies nobody. */
  readonly denies: boolean;
  /** Whose CPU time is read at both ends of the measured time. */
  readonly pids: readonly number[];
}

export interface Measured {
  readonly answers: number;
  readonly denied: number;
  readonly seconds: number;
  /** When the measured time began and ended: microseconds of the monotonic clock. */
  readonly fromMicros: number;
  readonly toMicros: number;
  readonly latencyMillis: { readonly p50: number; readonly p99: number; readonly p999: number };
  /** Per answer, in the order of the task's pids. */
  readonly cpuMicros: readonly number[];
  readonly clientCpuMicros: number;
  /** The share of all cores that anything else used. */
  readonly othersShare: number;
}
