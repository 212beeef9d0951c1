/** A Redis Cluster of a test's own: three primaries, each with a replica, on ports of 127.0.0.1. */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { SLOTS } from '../../src/adapters/redis/slot.ts';
import { endChild, startChild, until } from './children.ts';
import { freePort } from './ports.ts';

const PRIMARIES = 3;
// A node that says nothing for so long is failed over. Shorter, and a busy machine fails nodes that are well.
const NODE_TIMEOUT_MILLIS = 2_000;

export interface ClusterNode {
  readonly port: number;
  readonly id: string;
  /** For looking into it from outside; never redirected. */
  readonly client: Redis;
  readonly child: ChildProcess;
}

export class TestCluster {
  readonly #folder = mkdtempSync(join(tmpdir(), 'headroom-cluster-'));
  readonly nodes: ClusterNode[] = [];

  /** @param replicas of each primary */
  static async start(replicas = 1): Promise<TestCluster> {
    const cluster = new TestCluster();
    const count = PRIMARIES * (1 + replicas);
    while (cluster.nodes.length < count) cluster.nodes.push(await cluster.#startNode());
    await cluster.#join();
    return cluster;
  }

  get endpoints(): { host: string; port: number }[] {
    return this.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  /** The nodes that serve slots now, by what those that answer say. */
  async primaries(): Promise<ClusterNode[]> {
    const roles = await Promise.all(
      this.nodes.map(async (node) => ({ node, role: await node.client.role().catch(() => ['gone']) })),
    );
    return roles.filter(({ role }) => role[0] === 'master').map(({ node }) => node);
  }

  /** Who serves this slot, as the nodes that answer say. */
  async ownerOf(slot: number): Promise<ClusterNode> {
    for (const { client } of this.nodes) {
      const ranges = (await client.cluster('SLOTS').catch(() => [])) as [number, number, [string, number, string]][];
      const range = ranges.find(([from, to]) => from <= slot && slot <= to);
      const owner = range && this.nodes.find(({ port }) => port === range[2][1]);
      if (owner) return owner;
    }
    throw new Error(`nobody serves slot ${slot}`);
  }

  async replicaOf({ port }: ClusterNode): Promise<ClusterNode> {
    for (const node of this.nodes) {
      const role = await node.client.role().catch(() => []);
      if (role[0] === 'slave' && role[2] === port) return node;
    }
    throw new Error(`nobody replicates ${port}`);
  }

  /** Every key of every primary, as hex by name. */
  async dump(): Promise<Map<string, string>> {
    const all = new Map<string, string>();
    for (const { client } of await this.primaries()) {
      for (const key of await client.keys('*')) {
        if ((await client.type(key)) !== 'string') continue;
        all.set(key, ((await client.getBuffer(key)) as Buffer).toString('hex'));
      }
    }
    return all;
  }

  /** Slot by slot and key by key, as an operator's tool does; `between` is called after each step. */
  async migrate(slot: number, to: ClusterNode, between: () => Promise<void> = async () => undefined): Promise<void> {
    const from = await this.ownerOf(slot);
    await to.client.cluster('SETSLOT', slot, 'IMPORTING', from.id);
    await from.client.cluster('SETSLOT', slot, 'MIGRATING', to.id);
    await between();
    for (;;) {
      const keys = (await from.client.cluster('GETKEYSINSLOT', slot, 1)) as string[];
      if (keys.length === 0) break;
      await from.client.migrate('127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...keys);
      await between();
    }
    for (const node of [to, from, ...(await this.primaries())])
      await node.client.cluster('SETSLOT', slot, 'NODE', to.id);
  }

  /** One more node, which serves no slot. */
  async grow(): Promise<ClusterNode> {
    const node = await this.#startNode();
    await node.client.cluster('MEET', '127.0.0.1', (this.nodes[0] as ClusterNode).port);
    this.nodes.push(node);
    await until('all know it', () => this.isWhole(), 30_000);
    return node;
  }

  async kill(node: ClusterNode): Promise<void> {
    await endChild(node.child);
  }

  async stop(): Promise<void> {
    for (const { client } of this.nodes) client.disconnect();
    await Promise.all(this.nodes.map(({ child }) => endChild(child)));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #startNode(): Promise<ClusterNode> {
    // The bus takes the port 10,000 above.
    let port = await freePort();
    while (port > 55_000) port = await freePort();
    const dir = join(this.#folder, String(port));
    mkdirSync(dir);
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no'];
    const cluster = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(NODE_TIMEOUT_MILLIS)];
    const quick = ['--repl-diskless-sync-delay', '0', '--cluster-replica-validity-factor', '0'];
    const child = startChild('redis-server', [...args, ...cluster, ...quick], { stdio: 'ignore' });
    const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 50, maxRetriesPerRequest: 0 });
    client.on('error', () => undefined);
    await until('the node answers', async () => (await client.ping().catch(() => '')) === 'PONG');
    return { port, id: (await client.cluster('MYID')) as string, client, child };
  }

  async #join(): Promise<void> {
    const [first, ...others] = this.nodes;
    for (const [index, { client }] of this.nodes.entries()) await client.cluster('SET-CONFIG-EPOCH', index + 1);
    for (const { client } of others) await client.cluster('MEET', '127.0.0.1', first!.port);
    const primaries = this.nodes.slice(0, PRIMARIES);
    const share = Math.ceil(SLOTS / PRIMARIES);
    for (const [index, { client }] of primaries.entries()) {
      await client.cluster('ADDSLOTSRANGE', index * share, Math.min((index + 1) * share, SLOTS) - 1);
    }
    const replicas = this.nodes.slice(PRIMARIES);
    for (const [index, { client }] of replicas.entries()) {
      const primary = primaries[index % PRIMARIES] as ClusterNode;
      await until('the nodes have met', async () => String(await client.cluster('NODES')).includes(primary.id));
      await until('the node replicates', async () =>
        client.cluster('REPLICATE', primary.id).then(
          () => true,
          () => false,
        ),
      );
    }
    await until('the cluster is whole', () => this.isWhole(), 30_000);
  }

  /** All slots are served, everybody agrees on that, and every replica that is there is in step. */
  async isWhole(): Promise<boolean> {
    const states = await Promise.all(
      this.nodes.map(async ({ client }) => {
        const info = await client.cluster('INFO').catch(() => undefined);
        if (info === undefined) return true;
        const replication = await client.info('replication');
        const isInStep = replication.includes('role:master') || replication.includes('master_link_status:up');
        return (
          String(info).includes('cluster_state:ok') &&
          String(info).includes(`cluster_known_nodes:${this.nodes.length}`) &&
          isInStep
        );
      }),
    );
    return states.every((isWell) => isWell);
  }
}
