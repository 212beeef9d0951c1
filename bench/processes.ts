/** Child processes of the benchmark: none outlives it, and none is waited for without a bound. */
import { type ChildProcess, spawn } from 'node:child_process';

const alive = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const START_MILLIS_MAX = 20_000;

export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Everything written so far. */
  output(): string;
  /** Settles with the exit code; null after a signal. */
  readonly exited: Promise<number | null>;
}

export function start(command: string, args: readonly string[], env: Record<string, string> = {}): Running {
  const child = spawn(command, [...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  alive.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const exited = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      output += error.message;
      resolve(1);
    });
    child.once('close', resolve);
  });
  void exited.then(() => alive.delete(child));
  return { child, pid: child.pid ?? 0, output: () => output, exited };
}

/** Asks it to stop and settles when it has. */
export async function stop(running: Running): Promise<void> {
  running.child.kill('SIGTERM');
  await running.exited;
}

/** Polls until `look` finds something. @throws Error when the process ends, or 20 seconds pass, before it does */
export async function waitFor<T>(running: Running, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = performance.now() + START_MILLIS_MAX;
  let ended = false;
  void running.exited.then(() => {
    ended = true;
  });
  while (!ended && performance.now() < deadline) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${running.child.spawnargs.join(' ')} did not get ready: ${running.output()}`);
}

/** @returns the last line of a process that ends by itself @throws Error unless it ends well within `millis` */
export async function lastLineOf(running: Running, millis: number): Promise<string> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    running.child.kill('SIGKILL');
  }, millis);
  const code = await running.exited;
  clearTimeout(timer);
  if (late) throw new Error(`no end within ${millis} ms: ${running.output()}`);
  const output = running.output().trim();
  if (code !== 0) throw new Error(output || `ended with code ${code}`);
  return output.slice(output.lastIndexOf('\n') + 1);
}
