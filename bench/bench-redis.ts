/** A redis-server of the benchmark's own, on a unix socket, that keeps nothing on disk. */
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { openRedis, type RedisConnection } from '../src/adapters/redis/connect.ts';
import { type Running, start, stop, waitFor } from './processes.ts';

export class BenchRedis {
  readonly socket: string;
  readonly #running: Running;
  /** Asked only before and after a measurement. */
  readonly client: Redis;

  private constructor(socket: string, running: Running, client: Redis) {
    this.socket = socket;
    this.#running = running;
    this.client = client;
  }

  static async start(folder: string): Promise<BenchRedis> {
    const socket = join(folder, 'redis.sock');
    const quiet = ['--port', '0', '--save', '', '--appendonly', 'no', '--dir', folder];
    const running = start('redis-server', ['--unixsocket', socket, ...quiet]);
    const client = new Redis({ path: socket, maxRetriesPerRequest: null, retryStrategy: () => 20 });
    // Until the socket is there; whether it ever is, is waitFor's matter.
    client.on('error', () => undefined);
    try {
      await waitFor(running, () => (client.status === 'ready' ? true : undefined));
    } catch (error) {
      client.disconnect();
      throw error;
    }
    return new BenchRedis(socket, running, client);
  }

  get pid(): number {
    return this.#running.pid;
  }

  connect(): Promise<RedisConnection> {
    return connectTo(this.socket);
  }

  /** How many keys it holds. */
  size(): Promise<number> {
    return this.client.dbsize();
  }

  /** How many different names its keys have. @param nameOf of a key */
  async countersBy(nameOf: (key: string) => string): Promise<number> {
    return new Set((await this.client.keys('*')).map(nameOf)).size;
  }

  async stop(): Promise<void> {
    this.client.disconnect();
    await stop(this.#running);
  }
}

/** As the service connects. */
export async function connectTo(socket: string): Promise<RedisConnection> {
  const connection = openRedis(
    {
      topology: { type: 'single', endpoint: { path: socket } },
      dialTimeoutMillis: 1_000,
      startup: { initialMillis: 50, maxMillis: 500, maxElapsedMillis: 0 },
    },
    { onLost: () => undefined, onBack: () => undefined },
  );
  await new Promise((resolve) => connection.client.once('ready', resolve));
  return connection;
}
