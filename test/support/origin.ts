/** The API behind the gateway as a process of its own: deploy/origin.mjs on a free port. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { endChild, startChild } from './children.ts';
import { ROOT } from './service.ts';

export class TestOrigin {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(): Promise<TestOrigin> {
    const child = startChild(process.execPath, [`${ROOT}deploy/origin.mjs`], {
      env: { HOST: '127.0.0.1', PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface(child.stdout as Readable)) {
      return new TestOrigin(child, (JSON.parse(line) as { port: number }).port);
    }
    throw new Error('the origin ended before it served');
  }

  stop(): Promise<void> {
    return endChild(this.#child);
  }
}
