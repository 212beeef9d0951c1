/** A primary with a replica and the sentinels that watch them, of a test's own, on ports of 127.0.0.1. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { endChild, startChild, until } from './children.ts';
import { freePort } from './ports.ts';

const SENTINELS = 3;
const QUORUM = 2;
// A primary that says nothing for so long is failed over.
const DOWN_AFTER_MILLIS = 1_000;
const FAILOVER_MILLIS = 5_000;

export interface SentinelNode {
  readonly port: number;
  /** For looking into it from outside. */
  readonly client: Redis;
  readonly child: ChildProcess;
}

export class TestSentinel {
  readonly master = 'counters';
  readonly #folder = mkdtempSync(join(tmpdir(), 'headroom-sentinel-'));
  /** The first is the primary at the start. */
  readonly servers: SentinelNode[] = [];
  readonly sentinels: SentinelNode[] = [];

  static async start(): Promise<TestSentinel> {
    const sentinel = new TestSentinel();
    const primary = await sentinel.#startServer([]);
    await sentinel.#startServer(['--replicaof', `127.0.0.1 ${primary.port}`]);
    for (let index = 0; index < SENTINELS; index++) await sentinel.#startSentinel(index, primary.port);
    await until('the sentinels know each other and the replica', () => sentinel.#isKnown(), 30_000);
    return sentinel;
  }

  get endpoints(): { host: string; port: number }[] {
    return this.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  async primary(): Promise<SentinelNode> {
    const [, port] = (await this.sentinels[0]!.client.call(
      'SENTINEL',
      'get-master-addr-by-name',
      this.master,
    )) as string[];
    return this.servers.find((server) => server.port === Number(port)) as SentinelNode;
  }

  async kill(node: SentinelNode): Promise<void> {
    await endChild(node.child);
  }

  async stop(): Promise<void> {
    const all = [...this.servers, ...this.sentinels];
    for (const { client } of all) client.disconnect();
    await Promise.all(all.map(({ child }) => endChild(child)));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #startServer(more: readonly string[]): Promise<SentinelNode> {
    const quiet = ['--save', '', '--appendonly', 'no', '--dir', this.#folder, '--repl-diskless-sync-delay', '0'];
    const server = await this.#start((port) => ['--port', String(port), '--bind', '127.0.0.1', ...quiet, ...more]);
    this.servers.push(server);
    return server;
  }

  async #startSentinel(index: number, primaryPort: number): Promise<void> {
    const { master } = this;
    const file = join(this.#folder, `sentinel-${index}.conf`);
    const sentinel = await this.#start((port) => {
      // A sentinel takes its settings from a file alone, and writes what it learns there.
      const lines = [
        `port ${port}`,
        'bind 127.0.0.1',
        `dir ${this.#folder}`,
        `sentinel monitor ${master} 127.0.0.1 ${primaryPort} ${QUORUM}`,
        `sentinel down-after-milliseconds ${master} ${DOWN_AFTER_MILLIS}`,
        `sentinel failover-timeout ${master} ${FAILOVER_MILLIS}`,
      ];
      writeFileSync(file, `${lines.join('\n')}\n`);
      return [file, '--sentinel'];
    });
    this.sentinels.push(sentinel);
  }

  async #start(argsOf: (port: number) => readonly string[]): Promise<SentinelNode> {
    const port = await freePort();
    const child = startChild('redis-server', argsOf(port), { stdio: 'ignore' });
    const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 50, maxRetriesPerRequest: 0 });
    client.on('error', () => undefined);
    await until('the server answers', async () => (await client.ping().catch(() => '')) === 'PONG');
    return { port, client, child };
  }

  async #isKnown(): Promise<boolean> {
    const seen = await Promise.all(
      this.sentinels.map(async ({ client }) => {
        const facts = (await client.call('SENTINEL', 'MASTER', this.master)) as string[];
        const fact = (name: string): string | undefined => facts[facts.indexOf(name) + 1];
        return fact('num-slaves') === '1' && fact('num-other-sentinels') === String(SENTINELS - 1);
      }),
    );
    return seen.every((isWell) => isWell);
  }
}
