/** /stats: how the process does. Counters go to the sink of statistics, and to /metrics. */
import type { Clock } from '../../ports/clock.ts';

export interface ProcessStatsOptions {
  readonly version: string;
  readonly clock: Pick<Clock, 'monotonicMillis'>;
  /** Which of several processes this is. */
  readonly worker?: number | undefined;
}

/** @returns what makes the JSON anew at every call: sizes in bytes, times in seconds */
export function processStats({ version, clock, worker }: ProcessStatsOptions): () => string {
  const startedMillis = clock.monotonicMillis();
  return () => {
    const { user, system } = process.cpuUsage();
    const told = {
      cmdline: process.argv,
      ...(worker === undefined ? {} : { worker, pid: process.pid }),
      version,
      node: process.version,
      uptime_seconds: Math.floor((clock.monotonicMillis() - startedMillis) / 1_000),
      cpu_seconds: { user: user / 1e6, system: system / 1e6 },
      memory_bytes: process.memoryUsage(),
    };
    return `${JSON.stringify(told, null, 2)}\n`;
  };
}
