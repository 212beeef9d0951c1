/** Wires the parts together, once, and takes them down again in order. Holds no logic. */
import type { FastifyInstance } from 'fastify';
import { MemoryStore } from './adapters/memory/memory-store.ts';
import { keyHasher } from './adapters/node-crypto/hash-api-key.ts';
import { PolicyFiles } from './adapters/policy-file/policy-files.ts';
import { connectRedis } from './adapters/redis/connect.ts';
import { RedisStore } from './adapters/redis/redis-store.ts';
import { systemClock } from './adapters/system-clock/system-clock.ts';
import { Limiter } from './app/limiter.ts';
import { StoreGuard } from './app/store-guard.ts';
import type { Config } from './config/config.ts';
import { storeObserver } from './observability/store-observer.ts';
import type { Telemetry } from './observability/telemetry.ts';
import type { CounterStore } from './ports/counter-store.ts';
import type { Log } from './ports/log.ts';
import { DebugServer } from './surfaces/debug/server.ts';
import { drain } from './surfaces/drain.ts';
import { GrpcServer } from './surfaces/grpc/server.ts';
import { HealthState } from './surfaces/health/health-state.ts';
import { buildHttpServer, httpDoor } from './surfaces/http/server.ts';
import { listenWith } from './surfaces/listen.ts';

export interface ServerParts {
  readonly config: Config;
  readonly log: Log;
  readonly telemetry: Telemetry;
  readonly version: string;
}

export interface RunningServer {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly debugPort: number;
  /** Health goes down, calls in flight end, everything closes; settles within the drain times. */
  stop(): Promise<void>;
}

/** @throws PolicyFileError, ListenError: nothing is left open then */
export async function startServer(parts: ServerParts): Promise<RunningServer> {
  const { config, log, telemetry } = parts;
  const metrics = telemetry.metrics;
  const policies = new PolicyFiles({
    path: config.policyPath,
    clock: systemClock,
    log,
    onLoad: (loaded) => metrics.policiesLoaded(loaded),
  });
  const store = new StoreGuard({
    store: openStore(config, log),
    clock: systemClock,
    timeoutMillis: config.storeTimeoutMillis,
    observer: storeObserver(metrics, log),
  });
  const limiter = new Limiter({
    policies,
    store,
    clock: systemClock,
    observer: metrics,
    hasher: keyHasher(config.apiKeyHash),
  });
  const health = new HealthState();
  const shared = { limiter, health, log, tracer: telemetry.tracer };
  const grpc = new GrpcServer(shared);
  const http = await buildHttpServer({ ...shared, policies, probeStore: () => store.probe(), version: parts.version });
  const debug = new DebugServer({
    metrics: (request, response) => telemetry.prometheus.getMetricsRequestHandler(request, response),
  });
  const doors = [grpc, httpDoor(http)];
  const stop = async (delayMillis: number): Promise<void> => {
    await drain({ clock: systemClock, health, doors, delayMillis, timeoutMillis: config.drainTimeoutMillis });
    policies.close();
    await Promise.all([debug.close(), store.close()]);
    await telemetry.shutdown();
  };
  try {
    const ports = await openPorts(config, grpc, http, debug);
    policies.follow();
    return { ...ports, stop: () => stop(config.drainDelayMillis) };
  } catch (error) {
    await stop(0);
    throw error;
  }
}

function openStore(config: Config, log: Log): CounterStore {
  const { store } = config;
  if (store.type === 'memory') return new MemoryStore({ clock: systemClock, subjectsMax: store.subjectsMax });
  const redis = connectRedis(store.redis, {
    onLost: (error) => log.warn({ err: error }, 'the connection to Redis is lost, trying again'),
    onBack: () => log.info({}, 'the connection to Redis is back'),
  });
  return new RedisStore({ ...store, redis });
}

async function openPorts(config: Config, grpc: GrpcServer, http: FastifyInstance, debug: DebugServer) {
  return {
    debugPort: await debug.listen(config.debug.port, config.debug.host),
    httpPort: await listenWith((address) => http.listen(address), http.server, config.http.port, config.http.host),
    grpcPort: await grpc.listen(config.grpc.port, config.grpc.host),
  };
}
