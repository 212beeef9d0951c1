/** Child processes of tests: none outlives its test process. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

const alive = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

export function startChild(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const child = spawn(command, [...args], options);
  alive.add(child);
  child.on('exit', () => alive.delete(child));
  child.on('error', () => alive.delete(child));
  return child;
}

/** Sends the signal (a frozen process is woken first) and settles when the process is gone. */
export async function endChild(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  child.kill('SIGCONT');
  await gone;
}

/** Polls until `condition` holds; for what another process does at a time of its own. */
export async function until(what: string, condition: () => Promise<boolean> | boolean, millis = 10_000): Promise<void> {
  const deadline = Date.now() + millis;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${millis} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
