/** What a client process is told, and what it tells: JSON in its argument, JSON on its standard output. */
import type { Registered } from './workload.ts';

/** Beside the client itself. */
export interface Processes<T> {
  /** With all its children. */
  readonly service?: T | undefined;
  readonly redis?: T | undefined;
}

export interface Task {
  /** Of the gRPC service; 0 where Redis itself is what is asked. */
  readonly port: number;
  readonly redisSocket: string | undefined;
  readonly connections: number;
  readonly inflight: number;
  readonly keys: number;
  readonly registered: Registered;
  readonly seed: number;
  /** Asked for, after every key was asked for once and before anything is measured. */
  readonly warmupSeconds: number;
  readonly seconds: number;
  /** How long bare round trips of each kind are measured afterwards; 0 for not at all. */
  readonly roundTripSeconds: number;
  /** Whether spent keys are denied; a constant answer denies nobody. */
  readonly denies: boolean;
  /** Whose CPU time is read at both ends of the measured time. */
  readonly pids: Processes<number>;
}

export interface Measured {
  readonly answers: number;
  readonly denied: number;
  readonly seconds: number;
  /** When the measured time began and ended: microseconds of the monotonic clock. */
  readonly fromMicros: number;
  readonly toMicros: number;
  readonly latencyMillis: Latency;
  /** Per answer. */
  readonly cpuMicros: Processes<number> & { readonly client: number };
  /** The share of all cores that anything else used. */
  readonly othersShare: number;
  /** By the same client, if they were asked for. */
  readonly roundTripMillis?: RoundTrips;
}

/** Of nothing but a GET, and of nothing but bytes to another process and back. */
export interface RoundTrips {
  readonly get: Latency;
  readonly echo: Latency;
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}
