/** A real Envoy with deploy/envoy/envoy.yaml, of which only the addresses are replaced. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envoyBinary, localEnvoyConfig } from '../../deploy/envoy/local-config.ts';
import { endChild, startChild, until } from './children.ts';

export interface TestEnvoyOptions {
  readonly headroomPorts: readonly number[];
  readonly originPort: number;
  /** As deploy/envoy/envoy.yaml says, unless given. */
  readonly failureModeDeny?: boolean;
  /** Headroom is asked by TLS, as deploy/envoy/headroom-mtls.yaml says, with these files. */
  readonly headroomTls?: { readonly certPath: string; readonly keyPath: string; readonly caPath: string };
}

/** What Envoy's filter has counted: every request stands under exactly one of the first three. */
export interface RateLimitStats {
  readonly ok: number;
  readonly overLimit: number;
  readonly error: number;
  /** Those of `error` that passed. */
  readonly failureModeAllowed: number;
}

/** How Envoy sees one Headroom process. */
export interface EnvoyHost {
  readonly port: number;
  readonly healthy: boolean;
  /** Calls sent to it, health checks included. */
  readonly calls: number;
}

export class TestEnvoy {
  port = 0;
  readonly #folder: string;
  readonly #child: ChildProcess;
  #admin = '';
  #output = '';

  private constructor(options: TestEnvoyOptions) {
    this.#folder = mkdtempSync(join(tmpdir(), 'headroom-envoy-'));
    const config = join(this.#folder, 'envoy.yaml');
    writeFileSync(config, localEnvoyConfig({ ...options, listenerPort: 0, adminPort: 0 }));
    const own = ['--admin-address-path', this.#adminFile, '--use-dynamic-base-id'];
    this.#child = startChild(envoyBinary(), ['-c', config, ...own, '--concurrency', '2', '--log-level', 'warn'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#output += chunk.toString();
    });
  }

  /** Settles when it takes requests, and so after its first health check of every Headroom process. */
  static async start(options: TestEnvoyOptions): Promise<TestEnvoy> {
    const envoy = new TestEnvoy(options);
    await until('Envoy takes requests', () => envoy.#isReady(), 30_000);
    return envoy;
  }

  /** What it had to complain about. */
  get output(): string {
    return this.#output;
  }

  /** Counters and gauges whose names begin with `prefix`, which is left out of them. */
  async stats(prefix: string): Promise<ReadonlyMap<string, number>> {
    const text = await this.#ask(`/stats?filter=^${prefix}`);
    const lines = text.split('\n').filter((line) => line !== '');
    return new Map(lines.map((line) => parseStat(line.slice(prefix.length))));
  }

  async rateLimitStats(): Promise<RateLimitStats> {
    const stats = await this.stats('cluster.origin.ratelimit.');
    const of = (name: string): number => stats.get(name) ?? 0;
    return {
      ok: of('ok'),
      overLimit: of('over_limit'),
      error: of('error'),
      failureModeAllowed: of('failure_mode_allowed'),
    };
  }

  /** In the order of their ports. */
  async headroomHosts(): Promise<readonly EnvoyHost[]> {
    const { cluster_statuses } = JSON.parse(await this.#ask('/clusters?format=json')) as ClustersAnswer;
    const hosts = cluster_statuses.find(({ name }) => name === 'headroom')?.host_statuses ?? [];
    return hosts
      .map(({ address, health_status, stats }) => ({
        port: address.socket_address.port_value,
        healthy: health_status.failed_active_health_check !== true,
        calls: Number(stats.find(({ name }) => name === 'rq_total')?.value ?? 0),
      }))
      .sort((a, b) => a.port - b.port);
  }

  async stop(): Promise<void> {
    await endChild(this.#child);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #adminFile(): string {
    return join(this.#folder, 'admin');
  }

  async #isReady(): Promise<boolean> {
    if (this.#child.exitCode !== null) throw new Error(`Envoy ended: ${this.#output}`);
    if (this.#admin === '') this.#admin = existsSync(this.#adminFile) ? readFileSync(this.#adminFile, 'utf8') : '';
    if (this.#admin === '') return false;
    const listeners = await fetch(`http://${this.#admin}/ready`).then(
      (ready) => (ready.ok ? this.#ask('/listeners?format=json') : undefined),
      () => undefined,
    );
    if (listeners === undefined) return false;
    const [listener] = (JSON.parse(listeners) as ListenersAnswer).listener_statuses ?? [];
    this.port = listener?.local_address.socket_address.port_value ?? 0;
    return this.port !== 0;
  }

  async #ask(path: string): Promise<string> {
    const response = await fetch(`http://${this.#admin}${path}`);
    if (!response.ok) throw new Error(`Envoy's admin port answers ${response.status} to ${path}`);
    return response.text();
  }
}

interface SocketAddress {
  readonly socket_address: { readonly port_value: number };
}

interface ListenersAnswer {
  readonly listener_statuses?: readonly { readonly local_address: SocketAddress }[];
}

interface ClustersAnswer {
  readonly cluster_statuses: readonly {
    readonly name: string;
    readonly host_statuses?: readonly {
      readonly address: SocketAddress;
      readonly health_status: { readonly failed_active_health_check?: boolean };
      readonly stats: readonly { readonly name: string; readonly value?: string }[];
    }[];
  }[];
}

/** `upstream_rq_200: 5` */
function parseStat(line: string): [string, number] {
  const colon = line.indexOf(': ');
  return [line.slice(0, colon), Number(line.slice(colon + 2))];
}
