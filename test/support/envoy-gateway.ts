/** Everything between a caller and the API, each part a process of its own: Envoy, Headroom, Redis, the origin. */
import { TestEnvoy } from './envoy.ts';
import { Callers } from './envoy-client.ts';
import { TestOrigin } from './origin.ts';
import { TestRedis } from './redis.ts';
import { TestService } from './service.ts';

export interface GatewayOptions {
  /** Headroom processes, which share one Redis; default 1. */
  readonly services?: number;
  /** For every Headroom process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly failureModeDeny?: boolean;
  /** Headroom and Envoy start while there is no Redis. */
  readonly redisIsDown?: boolean;
}

export interface TestGateway {
  readonly redis: TestRedis;
  readonly origin: TestOrigin;
  readonly services: readonly [TestService, ...TestService[]];
  readonly envoy: TestEnvoy;
  readonly callers: Callers;
  stop(): Promise<void>;
}

export async function startGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const { failureModeDeny } = options;
  const [redis, origin] = await Promise.all([TestRedis.start(), TestOrigin.start()]);
  if (options.redisIsDown) await redis.kill();
  // By TCP: at a socket's path nothing answers once Redis is gone, at a port the machine does.
  const env = { REDIS_URL: `127.0.0.1:${redis.port}`, ...options.env };
  const first = await TestService.start(env);
  const others = await Promise.all(Array.from({ length: (options.services ?? 1) - 1 }, () => TestService.start(env)));
  const services = [first, ...others] as const;
  const envoy = await TestEnvoy.start({
    headroomPorts: services.map(({ grpcPort }) => grpcPort),
    originPort: origin.port,
    ...(failureModeDeny === undefined ? {} : { failureModeDeny }),
  });
  const callers = new Callers(envoy.port);
  const stop = async (): Promise<void> => {
    callers.close();
    await envoy.stop();
    await Promise.all([origin.stop(), redis.stop(), ...services.map((service) => service.stop())]);
  };
  return { redis, origin, services, envoy, callers, stop };
}
