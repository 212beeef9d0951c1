/** What is measured: each variant started from nothing, its policy and its Redis included. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RedisKeys } from '../src/adapters/redis/redis-keys.ts';
import type { StoredKey } from '../src/core/key-record.ts';
import { BenchRedis } from './bench-redis.ts';
import { type Running, start, stop, waitFor } from './processes.ts';
import { POLICY, type Registered, recordsOf } from './workload.ts';

/** The first one is what the others are compared with. */
export const VARIANTS = [
  'grpc-js-constant',
  'headroom-memory',
  'headroom-redis',
  'headroom-redis-record',
  'headroom-redis-override',
] as const;
export type Variant = (typeof VARIANTS)[number];

export const YARDSTICK: Variant = VARIANTS[0];

export interface RunningVariant {
  readonly port: number;
  readonly servicePid: number;
  readonly redisPid: number | undefined;
  /** How many subjects were counted in Redis; undefined without Redis. */
  subjects(): Promise<number | undefined>;
  stop(): Promise<void>;
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export function registeredBy(variant: Variant): Registered {
  if (variant === 'headroom-redis-record') return 'record';
  return variant === 'headroom-redis-override' ? 'override' : 'none';
}

/** @param keys how many have a record, if the variant is about records @param nodeArgs for the service's own Node, such as --cpu-prof */
export async function startVariant(
  variant: Variant,
  keys: number,
  nodeArgs: readonly string[] = [],
): Promise<RunningVariant> {
  const redis = variant.startsWith('headroom-redis') ? await BenchRedis.start(workFolder()) : undefined;
  if (redis) await register(redis, recordsOf(keys, registeredBy(variant)));
  const registered = (await redis?.subjects()) ?? 0;
  const service = startService(variant, nodeArgs, redis);
  const port = await waitFor(service, () => grpcPortIn(service.output()));
  return {
    port,
    servicePid: service.pid,
    redisPid: redis?.pid,
    subjects: async () => redis && (await redis.subjects()) - registered,
    stop: async () => {
      await stop(service);
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
function startService(variant: Variant, nodeArgs: readonly string[], redis?: BenchRedis): Running {
  if (variant === 'grpc-js-constant') {
    return start(process.execPath, [...nodeArgs, join(ROOT, 'bench/grpc-js-constant.ts')]);
  }
  const policyPath = join(workFolder(), 'policy.yaml');
  writeFileSync(policyPath, POLICY);
  return start(process.execPath, [...nodeArgs, join(ROOT, 'dist/main.js'), 'serve'], {
    HOST: '127.0.0.1',
    PORT: '0',
    GRPC_HOST: '127.0.0.1',
    GRPC_PORT: '0',
    DEBUG_PORT: '0',
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'json',
    POLICY_PATH: policyPath,
    // A busy machine must not turn a slow call into a failed one: what is measured is the cost of decisions.
    REDIS_OP_TIMEOUT: '10s',
    ...(redis ? { REDIS_URL: redis.socket } : {}),
  });
}

function grpcPortIn(output: string): number | undefined {
  const line = output.split('\n').find((text) => text.includes('"grpcPort"') && text.endsWith('}'));
  return line === undefined ? undefined : (JSON.parse(line) as { grpcPort: number }).grpcPort;
}
