/** /stats: how the process does, and the counters of its statistics where somebody collects them. */
import type { Clock } from '../../ports/clock.ts';

export interface ProcessStatsOptions {
  readonly version: string;
  readonly clock: Pick<Clock, 'monotonicMillis'>;
  /** By the names that envoyproxy/ratelimit gives them. Undefined where no statistics are collected. */
  readonly counters: (() => Readonly<Record<string, number>>) | undefined;
}

/** @returns what makes the JSON anew at every call: sizes in bytes, times in seconds */
export function processStats({ version, clock, counters }: ProcessStatsOptions): () => string {
  const startedMillis = clock.monotonicMillis();
  return () => {
    const { user, system } = process.cpuUsage();
    const told = {
      cmdline: process.argv,
      version,
      node: process.version,
      uptime_seconds: Math.floor((clock.monotonicMillis() - startedMillis) / 1_000),
      cpu_seconds: { user: user / 1e6, system: system / 1e6 },
      memory_bytes: process.memoryUsage(),
      ...(counters ? { counters: counters() } : {}),
    };
    return `${JSON.stringify(told, null, 2)}\n`;
  };
}
