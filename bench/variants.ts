/** What is measured: each variant started from nothing, its policy and its Redis included. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BenchRedis } from './bench-redis.ts';
import { type Running, start, stop, waitFor } from './processes.ts';
import { POLICY } from './workload.ts';

/** The first one is what the others are compared with. */
export const VARIANTS = ['grpc-js-constant', 'headroom-memory', 'headroom-redis'] as const;
export type Variant = (typeof VARIANTS)[number];

export const YARDSTICK: Variant = VARIANTS[0];

export interface RunningVariant {
  readonly port: number;
  readonly servicePid: number;
  readonly redisPid: number | undefined;
  /** How many subjects Redis holds; undefined without Redis. */
  subjects(): Promise<number | undefined>;
  stop(): Promise<void>;
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** @param nodeArgs for the service's own Node, such as --cpu-prof */
export async function startVariant(variant: Variant, nodeArgs: readonly string[] = []): Promise<RunningVariant> {
  const redis = variant === 'headroom-redis' ? await BenchRedis.start(workFolder()) : undefined;
  const service = startService(variant, nodeArgs, redis);
  const port = await waitFor(service, () => grpcPortIn(service.output()));
  return {
    port,
    servicePid: service.pid,
    redisPid: redis?.pid,
    subjects: async () => redis?.subjects(),
    stop: async () => {
      await stop(service);
      await redis?.stop();
    },
  };
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
