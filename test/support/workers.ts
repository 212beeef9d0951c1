/** A service of several processes with a Redis of its own, and its workers one by one. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './children.ts';
import { http1 } from './clients-http.ts';
import { EnvoyCalls } from './envoy-calls.ts';
import { TestRedis } from './redis.ts';
import { TestService } from './service.ts';

/** Admitted of each API key, in a window that does not end during a test. */
export const LIMIT = 300;
const POLICY = `
domain: closient
descriptors:
  - key: api_key
    limits: [ { requests: ${LIMIT}, per: year } ]
`;

// A start takes a second of a core; the machine may be busy with other tests.
const REPLACED_MILLIS_MAX = 30_000;

export class WorkersService {
  readonly service: TestService;
  readonly redis: TestRedis;
  readonly folder: string;
  readonly #connections: EnvoyCalls[] = [];

  private constructor(service: TestService, redis: TestRedis, folder: string) {
    this.service = service;
    this.redis = redis;
    this.folder = folder;
  }

  /** Two workers, unless `env` says otherwise. Calls wait for Redis for long: the machine may be busy. */
  static async start(env: Record<string, string> = {}): Promise<WorkersService> {
    const folder = mkdtempSync(join(tmpdir(), 'headroom-workers-'));
    writeFileSync(join(folder, 'policy.yaml'), POLICY);
    const redis = await TestRedis.start();
    const ours = { WORKERS: '2', REDIS_URL: redis.socket, REDIS_OP_TIMEOUT: '10s', POLICY_PATH: folder };
    const service = await TestService.start({ ...ours, ...env }).catch(async (error: Error) => {
      await redis.stop();
      throw error;
    });
    return new WorkersService(service, redis, folder);
  }

  /** Ends whatever is left. */
  async stop(): Promise<void> {
    for (const connection of this.#connections) connection.close();
    const pids = this.childPids();
    await this.service.stop('SIGKILL');
    for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    await this.redis.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Each call is a connection of its own; opened one after the other, they go to the workers in turn. */
  async connect(count: number): Promise<EnvoyCalls[]> {
    const opened: EnvoyCalls[] = [];
    for (let index = 0; index < count; index++) opened.push(await EnvoyCalls.open(this.service.grpc));
    this.#connections.push(...opened);
    return opened;
  }

  /** Undefined while no worker of that number serves. */
  async pid(worker: number): Promise<number | undefined> {
    // One that has just died has taken the question with it.
    const answer = await http1(`${this.service.debug}/stats?worker=${worker}`).catch(() => undefined);
    return answer?.status === 200 ? (JSON.parse(answer.text) as { pid: number }).pid : undefined;
  }

  /** Settles when another process serves as this worker. */
  async replaced(worker: number, pid: number | undefined): Promise<number> {
    let next: number | undefined;
    await until(
      `worker ${worker} is another`,
      async () => {
        next = await this.pid(worker);
        return next !== undefined && next !== pid;
      },
      REPLACED_MILLIS_MAX,
    );
    return next as number;
  }

  async kill(worker: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<number> {
    const pid = (await this.pid(worker)) as number;
    process.kill(pid, signal);
    return pid;
  }

  /** Of the main process, whatever they are. */
  childPids(): number[] {
    const { pid } = this.service.child;
    if (pid === undefined || !isAlive(pid)) return [];
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  }

  /** The sum over all series of that name. @param worker of that one alone */
  async metric(name: string, worker?: number): Promise<number> {
    const query = worker === undefined ? '' : `?worker=${worker}`;
    const { text } = await http1(`${this.service.debug}/metrics${query}`);
    return sumOf(text, name);
  }

  /** What was logged so far with this message. */
  logged(message: string): Record<string, unknown>[] {
    const lines = this.service.output.split('\n').filter((line) => line.startsWith('{'));
    const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    return events.filter((event) => event['@message'] === message);
  }
}

export function sumOf(text: string, name: string): number {
  const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** A zombie is none. */
export function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
