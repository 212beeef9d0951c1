/** Wires the parts together, once, and takes them down again in order. Holds no logic. */
import type { FastifyInstance } from 'fastify';
import { keyHasher } from './adapters/node-crypto/hash-api-key.ts';
import { secureRandom } from './adapters/node-crypto/random.ts';
import { systemClock } from './adapters/system-clock/system-clock.ts';
import { decisionPolicies } from './app/admin-policy.ts';
import { Limiter } from './app/limiter.ts';
import { StoreGuard } from './app/store-guard.ts';
import { adminApi } from './composition/admin-api.ts';
import { rulesOf } from './composition/deciding.ts';
import { openPolicies } from './composition/policies.ts';
import { openStores } from './composition/stores.ts';
import type { Config } from './config/config.ts';
import { observedBy } from './observability/observers.ts';
import type { Stats } from './observability/stats/stats.ts';
import { storeObserver } from './observability/store-observer.ts';
import type { Telemetry } from './observability/telemetry.ts';
import type { Log } from './ports/log.ts';
import { debugAnswers } from './surfaces/debug/answers.ts';
import { DebugPort } from './surfaces/debug/port.ts';
import { drain } from './surfaces/drain.ts';
import { GrpcServer } from './surfaces/grpc/server.ts';
import { HealthState } from './surfaces/health/health-state.ts';
import { buildHttpServer, httpDoor } from './surfaces/http/server.ts';
import { listenWith } from './surfaces/listen.ts';

export interface ServerParts {
  readonly config: Config;
  readonly log: Log;
  readonly telemetry: Telemetry;
  /** Absent: no sink is named, and nothing is counted for one. */
  readonly stats?: Stats | undefined;
  readonly version: string;
  /** Which of several processes this is: the debug port is another's, which hands over what it is asked there. */
  readonly worker?: number | undefined;
  /** Redis was not reached for as long as REDIS_STARTUP_MAX_ELAPSED_TIME says: this process is of no use. */
  readonly onGiveUp?: (error: Error) => void;
}

export interface RunningServer {
  readonly httpPort: number;
  readonly grpcPort: number;
  /** 0 in a worker. */
  readonly debugPort: number;
  readonly debug: DebugPort;
  /** Health goes down, and nothing else yet. */
  leave(): void;
  /** Health goes down, calls in flight end, everything closes; settles within the drain times. */
  stop(): Promise<void>;
}

/** @throws EnvError, PolicyFileError, ListenError: nothing is left open then */
export async function startServer(parts: ServerParts): Promise<RunningServer> {
  const { config, log, telemetry, stats } = parts;
  const metrics = telemetry.metrics;
  const health = new HealthState();
  const files = openPolicies(config, { log, metrics, stats, health });
  const stores = openStores(config, { log, stats, health, onGiveUp: parts.onGiveUp });
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
  const limiter = new Limiter({ ...deciding, ...rulesOf(config, stats) });
  const admin = hasAdmin ? adminApi({ config, log, files, deciding, guard: store, stores }) : undefined;
  const shared = { limiter, health, log, tracer: telemetry.tracer };
  const clock = systemClock;
  const grpc = new GrpcServer({ ...shared, config: config.grpc, clock, random: secureRandom, onCall: stats?.onCall });
  const { version } = parts;
  const http = await buildHttpServer({ ...shared, policies, probeStore: () => store.probe(), version, admin });
  const debug = new DebugPort(
    debugAnswers({
      metrics: (request, response) => telemetry.prometheus.getMetricsRequestHandler(request, response),
      policies: files,
      version: parts.version,
      clock: systemClock,
      profiling: config.debug.profiling,
      worker: parts.worker,
    }),
  );
  const doors = [grpc, httpDoor(http)];
  const stop = async (delayMillis: number): Promise<void> => {
    await drain({ clock, health, doors, delayMillis, timeoutMillis: config.drainTimeoutMillis });
    files.close();
    debug.close();
    await store.close();
    await stats?.shutdown();
    await telemetry.shutdown();
  };
  try {
    const ports = await openPorts(parts, grpc, http, debug);
    files.follow();
    return {
      ...ports,
      debug,
      leave: () => health.setReason('draining', true),
      stop: () => stop(config.drainDelayMillis),
    };
  } catch (error) {
    await stop(0);
    throw error;
  }
}

async function openPorts({ config, worker }: ServerParts, grpc: GrpcServer, http: FastifyInstance, debug: DebugPort) {
  return {
    debugPort: worker === undefined ? await debug.listen(config.debug.port, config.debug.host) : 0,
    httpPort: await listenWith((address) => http.listen(address), http.server, config.http.port, config.http.host),
    grpcPort: await grpc.listen(),
  };
}
