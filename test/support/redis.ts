/** A redis-server of a test's own: on a unix socket, or on a port where it has to come back at the same address. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { endChild, startChild, until } from './children.ts';
import { freePort } from './ports.ts';

export class TestRedis {
  readonly folder: string;
  readonly socket: string;
  readonly port: number;
  /** For looking into it from outside. */
  readonly client: Redis;
  #child: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.socket = join(folder, 'redis.sock');
    this.port = port;
    this.client = new Redis({
      path: this.socket,
      lazyConnect: true,
      retryStrategy: () => 20,
      maxRetriesPerRequest: null,
      disconnectTimeout: 20,
    });
    this.client.on('error', () => undefined);
  }

  /** Listens on `socket` and on 127.0.0.1:`port`; keeps nothing on disk. */
  static async start(): Promise<TestRedis> {
    const redis = new TestRedis(mkdtempSync(join(tmpdir(), 'headroom-redis-')), await freePort());
    await redis.start();
    return redis;
  }

  get pid(): number {
    return this.#child?.pid as number;
  }

  /** Again after `kill`, at the same addresses, with nothing in it. */
  async start(): Promise<void> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--unixsocket', this.socket];
    const quiet = ['--save', '', '--appendonly', 'no', '--dir', this.folder];
    this.#child = startChild('redis-server', [...args, ...quiet], { stdio: 'ignore' });
    await until('Redis answers', async () => (await this.client.ping().catch(() => '')) === 'PONG');
  }

  freeze(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  async kill(): Promise<void> {
    if (this.#child) await endChild(this.#child);
  }

  async stop(): Promise<void> {
    this.client.disconnect();
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
