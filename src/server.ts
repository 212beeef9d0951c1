/** Wires the parts together, once, and takes them down again in order. Holds no logic. */
import type { FastifyInstance } from 'fastify';
import { MemoryKeys } from './adapters/memory/memory-keys.ts';
import { MemoryStore } from './adapters/memory/memory-store.ts';
import { adminTokens } from './adapters/node-crypto/admin-tokens.ts';
import { keyHasher } from './adapters/node-crypto/hash-api-key.ts';
import { secureRandom } from './adapters/node-crypto/random.ts';
import { PolicyFiles } from './adapters/policy-file/policy-files.ts';
import { connectRedis, type RedisAddress } from './adapters/redis/connect.ts';
import { RedisKeys } from './adapters/redis/redis-keys.ts';
import type { RedisOptions } from './adapters/redis/redis-options.ts';
import { RedisStore } from './adapters/redis/redis-store.ts';
import { systemClock } from './adapters/system-clock/system-clock.ts';
import { AdminGate } from './app/admin-gate.ts';
import { adminPolicies, decisionPolicies } from './app/admin-policy.ts';
import { Audit } from './app/audit.ts';
import { DeniedCache } from './app/denied-cache.ts';
import { guardedRegistry } from './app/guarded-registry.ts';
import { KeyAdmin } from './app/key-admin.ts';
import { KeyUsage } from './app/key-usage.ts';
import { Limiter, type LimiterOptions } from './app/limiter.ts';
import { StoreGuard } from './app/store-guard.ts';
import type { Config } from './config/config.ts';
import { EnvError } from './config/env.ts';
import { observedBy } from './observability/observers.ts';
import { localCacheGauges } from './observability/stats/local-cache.ts';
import type { Stats } from './observability/stats/stats.ts';
import { storeObserver } from './observability/store-observer.ts';
import type { Telemetry } from './observability/telemetry.ts';
import type { CounterStore } from './ports/counter-store.ts';
import type { KeyRegistry } from './ports/key-registry.ts';
import type { Log } from './ports/log.ts';
import { DebugServer } from './surfaces/debug/server.ts';
import { drain } from './surfaces/drain.ts';
import { GrpcServer } from './surfaces/grpc/server.ts';
import { HealthState } from './surfaces/health/health-state.ts';
import { buildHttpServer, httpDoor } from './surfaces/http/server.ts';
import type { AdminApi } from './surfaces/keys/routes.ts';
import { listenWith } from './surfaces/listen.ts';

export interface ServerParts {
  readonly config: Config;
  readonly log: Log;
  readonly telemetry: Telemetry;
  /** Absent: no sink is named, and nothing is counted for one. */
  readonly stats?: Stats | undefined;
  readonly version: string;
}

export interface RunningServer {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly debugPort: number;
  /** Health goes down, calls in flight end, everything closes; settles within the drain times. */
  stop(): Promise<void>;
}

/** @throws EnvError, PolicyFileError, ListenError: nothing is left open then */
export async function startServer(parts: ServerParts): Promise<RunningServer> {
  const { config, log, telemetry, stats } = parts;
  const metrics = telemetry.metrics;
  const files = new PolicyFiles({
    place: config.policies.source,
    mergeDomains: config.policies.mergeDomains,
    clock: systemClock,
    log,
    onLoad: (loaded) => {
      metrics.policiesLoaded(loaded);
      stats?.policiesLoaded(loaded);
    },
  });
  const stores = openStores(config, log);
  const store = new StoreGuard({
    store: stores.counters,
    clock: systemClock,
    timeoutMillis: config.storeTimeoutMillis,
    observer: storeObserver(metrics, log),
  });
  const hasAdmin = config.adminTokens.length > 0;
  const policies = hasAdmin ? decisionPolicies(files) : files;
  const hasher = keyHasher(config.apiKeyHash);
  const deciding = { policies, store, clock: systemClock, observer: observedBy(metrics, stats?.observer), hasher };
  const limiter = new Limiter({ ...deciding, ...ruledBy(config, stats) });
  const admin = hasAdmin ? adminApi({ config, log, files, deciding, guard: store, stores }) : undefined;
  const health = new HealthState();
  const shared = { limiter, health, log, tracer: telemetry.tracer };
  const grpc = new GrpcServer({
    ...shared,
    config: config.grpc,
    clock: systemClock,
    random: secureRandom,
    onCall: stats?.onCall,
  });
  const http = await buildHttpServer({
    ...shared,
    policies,
    probeStore: () => store.probe(),
    version: parts.version,
    admin,
  });
  const debug = new DebugServer({
    metrics: (request, response) => telemetry.prometheus.getMetricsRequestHandler(request, response),
    policies: files,
    version: parts.version,
    clock: systemClock,
    counters: undefined,
    profiling: config.debug.profiling,
  });
  const doors = [grpc, httpDoor(http)];
  const stop = async (delayMillis: number): Promise<void> => {
    await drain({ clock: systemClock, health, doors, delayMillis, timeoutMillis: config.drainTimeoutMillis });
    files.close();
    await Promise.all([debug.close(), store.close()]);
    await stats?.shutdown();
    await telemetry.shutdown();
  };
  try {
    const ports = await openPorts(config, grpc, http, debug);
    files.follow();
    return { ...ports, stop: () => stop(config.drainDelayMillis) };
  } catch (error) {
    await stop(0);
    throw error;
  }
}

/** What holds for all domains. The admin API's own limits go by their policy alone. */
function ruledBy({ deciding, store }: Config, stats: Stats | undefined): Partial<LimiterOptions> {
  const { shadowMode: shadow, quotaMode: quota, stopWhenOver, localCacheBytes: bytesMax } = deciding;
  // Counters in memory answer as fast as any cache of theirs.
  const denied = bytesMax > 0 && store.type === 'redis' ? new DeniedCache({ clock: systemClock, bytesMax }) : undefined;
  if (denied) stats?.localCache(() => localCacheGauges(denied, systemClock));
  return {
    modes: { shadow, quota, stopWhenOver },
    responseHeaders: deciding.responseHeaders,
    hasDynamicMetadata: deciding.dynamicMetadata,
    denied,
  };
}

interface Stores {
  readonly counters: CounterStore;
  readonly registry: KeyRegistry;
}

function openStores(config: Config, log: Log): Stores {
  const { store } = config;
  if (store.type === 'memory') {
    const registry = new MemoryKeys({ clock: systemClock });
    return {
      registry,
      counters: new MemoryStore({ clock: systemClock, subjectsMax: store.subjectsMax, keys: registry }),
    };
  }
  const redis = connectRedis(addressOf(store.redis), {
    onLost: (error) => log.warn({ err: error }, 'the connection to Redis is lost, trying again'),
    onBack: () => log.info({}, 'the connection to Redis is back'),
  });
  return { counters: new RedisStore({ ...store, redis }), registry: new RedisKeys({ ...store, redis }) };
}

interface AdminParts extends Pick<ServerParts, 'config' | 'log'> {
  readonly files: PolicyFiles;
  readonly deciding: LimiterOptions;
  readonly guard: StoreGuard;
  readonly stores: Stores;
}

function adminApi({ config, log, files, deciding, guard, stores }: AdminParts): AdminApi {
  const { policies, hasher } = deciding;
  const registry = guardedRegistry(stores.registry, guard);
  const audit = new Audit({ registry, clock: systemClock, log });
  const keys = new KeyAdmin({ registry, audit, clock: systemClock, random: secureRandom, hasher });
  return {
    gate: new AdminGate({
      tokens: adminTokens(config.adminTokens),
      limiter: new Limiter({ ...deciding, policies: adminPolicies(files) }),
    }),
    keys,
    usage: new KeyUsage({ keys, audit, policies, guard, counters: stores.counters }),
    audit,
  };
}

/** What the configuration can name and nothing serves yet must not be taken for something else. */
function addressOf({ topology, auth, db, tls }: RedisOptions): RedisAddress {
  if (topology.type !== 'single') throw new EnvError('REDIS_TYPE', 'only SINGLE is served yet');
  return { ...topology.endpoint, ...auth, ...(db === undefined ? {} : { db }), tls: tls !== undefined };
}

async function openPorts(config: Config, grpc: GrpcServer, http: FastifyInstance, debug: DebugServer) {
  return {
    debugPort: await debug.listen(config.debug.port, config.debug.host),
    httpPort: await listenWith((address) => http.listen(address), http.server, config.http.port, config.http.host),
    grpcPort: await grpc.listen(),
  };
}
