/** How much memory a process has in use, as the system counts it. */
import { readFileSync } from 'node:fs';

/** Resident, in MiB; Linux. */
export function residentMib(pid: number): number {
  const [, kib = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1_024;
}
