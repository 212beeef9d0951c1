/** What is measured: each variant started from nothing, its policy and its Redis included. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RedisKeys } from '../src/adapters/redis/redis-keys.ts';
import type { StoredKey } from '../src/core/key-record.ts';
import { BenchRedis } from './bench-redis.ts';
import { withoutWindow } from './incrby.ts';
import { type Running, start, stop, waitFor } from './processes.ts';
import { POLICY, type Registered, recordsOf } from './workload.ts';

interface Traits {
  /** What answers: Headroom, a yardstick, or Redis itself. */
  readonly service: 'headroom' | 'constant' | 'incrby' | 'none';
  readonly withRedis: boolean;
  readonly registered: Registered;
  /** GRPC_TRANSPORT. */
  readonly transport: 'lean' | 'node';
  /** Whether a spent key is denied. */
  readonly denies: boolean;
}

const HEADROOM: Traits = { service: 'headroom', withRedis: false, registered: 'none', transport: 'lean', denies: true };
const WITH_REDIS: Traits = { ...HEADROOM, withRedis: true };

export const TRAITS = {
  'grpc-js-constant': { ...HEADROOM, service: 'constant', denies: false },
  'headroom-memory': HEADROOM,
  'headroom-redis': WITH_REDIS,
  'grpc-js-incrby': { ...WITH_REDIS, service: 'incrby' },
  'redis-incrby': { ...WITH_REDIS, service: 'none' },
  'headroom-memory-node': { ...HEADROOM, transport: 'node' },
  'headroom-redis-node': { ...WITH_REDIS, transport: 'node' },
  'headroom-redis-record': { ...WITH_REDIS, registered: 'record' },
  'headroom-redis-override': { ...WITH_REDIS, registered: 'override' },
} as const satisfies Record<string, Traits>;

export type Variant = keyof typeof TRAITS;
export const VARIANTS = Object.keys(TRAITS) as readonly Variant[];

/** What every service's CPU is compared with. */
export const YARDSTICK: Variant = 'grpc-js-constant';

export interface RunningVariant {
  /** Of gRPC; 0 without a service. */
  readonly port: number;
  /** Undefined of what has none. */
  readonly debugPort: number | undefined;
  readonly servicePid: number | undefined;
  readonly redisPid: number | undefined;
  readonly redisSocket: string | undefined;
  /** All that the service has written. */
  output(): string;
  /** How many subjects were counted in Redis; undefined without Redis. */
  subjects(): Promise<number | undefined>;
  stop(): Promise<void>;
}

export interface StartOptions {
  /** How many keys have a record, if the variant is about records. */
  readonly keys: number;
  /** WORKERS. */
  readonly workers: number;
  /** For the service's own Node, such as --cpu-prof. */
  readonly nodeArgs?: readonly string[];
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export async function startVariant(variant: Variant, options: StartOptions): Promise<RunningVariant> {
  const { withRedis, registered, service: kind } = TRAITS[variant];
  const redis = withRedis ? await BenchRedis.start(workFolder()) : undefined;
  if (redis) await register(redis, recordsOf(options.keys, registered));
  const records = (await redis?.size()) ?? 0;
  const service = kind === 'none' ? undefined : startService(variant, options, redis);
  const ports = service && (await waitFor(service, () => portsIn(service.output())));
  return {
    port: ports?.grpcPort ?? 0,
    debugPort: ports?.debugPort,
    servicePid: service?.pid,
    redisPid: redis?.pid,
    redisSocket: redis?.socket,
    output: () => service?.output() ?? '',
    subjects: async () => {
      return kind === 'headroom' ? redis && (await redis.size()) - records : redis?.countersBy(withoutWindow);
    },
    stop: async () => {
      if (service !== undefined) await stop(service);
      await redis?.stop();
    },
  };
}

// More in flight would only fill the connection's buffer.
const WRITES_AT_ONCE = 100;

async function register(redis: BenchRedis, records: readonly StoredKey[]): Promise<void> {
  const connection = await redis.connect();
  const registry = new RedisKeys({ redis: connection, keyPrefix: '' });
  for (let from = 0; from < records.length; from += WRITES_AT_ONCE) {
    const some = records.slice(from, from + WRITES_AT_ONCE);
    await Promise.all(
      some.map((after) => {
        const audit = { at: 0, actor: 'bench', action: 'key.created', subject: after.record.id };
        return registry.write({ before: undefined, after, audit: { ...audit, before: undefined, after: undefined } });
      }),
    );
  }
  connection.close();
}

let folder: string | undefined;

/** One for all variants, since they run one after another; gone when the benchmark ends, however it ends. */
function workFolder(): string {
  if (folder !== undefined) return folder;
  const created = mkdtempSync(join(tmpdir(), 'headroom-bench-'));
  process.once('exit', () => rmSync(created, { recursive: true, force: true }));
  folder = created;
  return created;
}

/** All variants run on the Node that runs the benchmark. */
function startService(variant: Variant, { nodeArgs = [], workers }: StartOptions, redis?: BenchRedis): Running {
  const { service, transport } = TRAITS[variant];
  const redisUrl = redis ? { REDIS_URL: redis.socket } : {};
  if (service !== 'headroom') {
    return start(process.execPath, [...nodeArgs, join(ROOT, `bench/grpc-js-${service}.ts`)], redisUrl);
  }
  const policyPath = join(workFolder(), 'policy.yaml');
  writeFileSync(policyPath, POLICY);
  return start(process.execPath, [...nodeArgs, join(ROOT, 'dist/main.js'), 'serve'], {
    HOST: '127.0.0.1',
    PORT: '0',
    GRPC_HOST: '127.0.0.1',
    GRPC_PORT: '0',
    GRPC_TRANSPORT: transport,
    WORKERS: String(workers),
    DEBUG_PORT: '0',
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'json',
    POLICY_PATH: policyPath,
    // A busy machine must not turn a slow call into a failed one: what is measured is the cost of decisions.
    REDIS_OP_TIMEOUT: '10s',
    ...redisUrl,
  });
}

interface Ports {
  readonly grpcPort: number;
  readonly debugPort?: number;
}

/** From the first line that a service writes when it is ready. */
function portsIn(output: string): Ports | undefined {
  const line = output.split('\n').find((text) => text.includes('"grpcPort"') && text.endsWith('}'));
  return line === undefined ? undefined : (JSON.parse(line) as Ports);
}
