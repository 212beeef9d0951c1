/** The built service as a process of its own, started by bin/headroom as an operator would. */
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { endChild, startChild, until } from './children.ts';
import { TRANSPORT, transportEnv } from './transports.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const BIN = `${ROOT}bin/headroom`;
export const DOCUMENTED_POLICY = `${ROOT}examples/closient.yaml`;

// A start takes a second of a core, one of several workers three; the machine may be busy with other tests.
const START_MILLIS_MAX = 30_000;

export interface ServiceExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class TestService {
  httpPort = 0;
  grpcPort = 0;
  debugPort = 0;
  #output = '';
  readonly child: ChildProcess;
  readonly exited: Promise<ServiceExit>;

  private constructor(env: Record<string, string>, args: readonly string[]) {
    this.child = startChild(BIN, args, {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    }
    this.exited = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve({ code, signal })));
  }

  /** Serves the documented policy with memory counters on free ports, unless `env` says otherwise. */
  static async start(env: Record<string, string> = {}): Promise<TestService> {
    const service = new TestService({ ...LOCAL, ...env }, ['serve']);
    try {
      await until('the service serves', () => service.#isServing(), START_MILLIS_MAX);
    } catch (error) {
      await service.stop('SIGKILL');
      throw error;
    }
    return service;
  }

  /** Any command line, such as one that is meant to fail. Await `exited`. */
  static run(args: readonly string[], env: Record<string, string> = {}): TestService {
    return new TestService({ ...LOCAL, ...env }, args);
  }

  /** Everything written to standard output and standard error so far. */
  get output(): string {
    return this.#output;
  }

  get http(): string {
    return `http://127.0.0.1:${this.httpPort}`;
  }

  get grpc(): string {
    return `http://127.0.0.1:${this.grpcPort}`;
  }

  get debug(): string {
    return `http://127.0.0.1:${this.debugPort}`;
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    return endChild(this.child, signal);
  }

  #isServing(): boolean {
    if (this.child.exitCode !== null) throw new Error(`the service ended: ${this.#output}`);
    const line = this.#output.split('\n').find((text) => text.includes('"@message":"serving"'));
    if (line === undefined) return false;
    Object.assign(this, JSON.parse(line));
    return true;
  }
}

const LOCAL = {
  HOST: '127.0.0.1',
  PORT: '0',
  GRPC_HOST: '127.0.0.1',
  GRPC_PORT: '0',
  ...transportEnv(TRANSPORT),
  DEBUG_PORT: '0',
  LOG_LEVEL: 'info',
  LOG_FORMAT: 'json',
  POLICY_PATH: DOCUMENTED_POLICY,
};
