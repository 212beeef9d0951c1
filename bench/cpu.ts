/** CPU time as Linux accounts it: of single processes, and of the whole machine to see who else was busy. */
import { readdirSync, readFileSync } from 'node:fs';

export interface CpuReading {
  /** Microseconds since each process started, in the order of the pids. */
  readonly micros: readonly number[];
  /** Clock ticks of all cores since boot. */
  readonly busyTicks: number;
  readonly totalTicks: number;
}

/** A process and all that it has started, directly or not. */
export function processTree(root: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), parent: parentOf(name) }));
  const tree = [root];
  // Grows while it is walked.
  for (const pid of tree) tree.push(...parents.filter(({ parent }) => parent === pid).map((child) => child.pid));
  return tree;
}

/** @returns undefined when it has just ended */
function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name before is in parentheses, and may hold anything.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

/** @throws Error when one of the processes has ended: its time would be lost */
export function readCpu(pids: readonly number[]): CpuReading {
  const ticks = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.trim().split(/\s+/).slice(1, 9).map(Number) ?? [];
  const totalTicks = ticks.reduce((sum, value) => sum + value, 0);
  const [, , , idle = 0, ioWait = 0] = ticks;
  return { micros: pids.map(processMicros), busyTicks: totalTicks - idle - ioWait, totalTicks };
}

/**
 * User and system time of all threads. From schedstat, in nanoseconds: the ticks of /proc/PID/stat are 10 ms, a tenth of
 * what Redis uses in a run.
 */
function processMicros(pid: number): number {
  const folder = `/proc/${pid}/task`;
  const nanos = readdirSync(folder).map((thread) => {
    const [onCpu] = readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ');
    return Number(onCpu);
  });
  return nanos.reduce((sum, value) => sum + value, 0) / 1_000;
}
