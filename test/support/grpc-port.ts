/** The gRPC port alone, on 127.0.0.1 with counters in memory, with every choice that an operator has. */
import { MemoryStore } from '../../src/adapters/memory/memory-store.ts';
import { parsePolicy } from '../../src/adapters/policy-file/read-policy.ts';
import { systemClock } from '../../src/adapters/system-clock/system-clock.ts';
import { Limiter } from '../../src/app/limiter.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Log } from '../../src/ports/log.ts';
import { drain } from '../../src/surfaces/drain.ts';
import type { GrpcConfig } from '../../src/surfaces/grpc/config.ts';
import type { RouteOptions } from '../../src/surfaces/grpc/routes.ts';
import { GrpcServer } from '../../src/surfaces/grpc/server.ts';
import { HealthState } from '../../src/surfaces/health/health-state.ts';
import { hasherForTest } from '../core/build.ts';
import { TRANSPORT, type Transport } from './transports.ts';

/** Of the domain that EnvoyCalls asks. */
const POLICY = `
domain: closient
descriptors:
  - key: api_key
    limits: [{ requests: 1000000, per: year }]
`;

export interface GrpcPortOptions {
  readonly transport?: Transport;
  readonly config?: Partial<GrpcConfig>;
  /** For the ages of connections. */
  readonly clock?: Clock;
  readonly onCall?: RouteOptions['onCall'];
  /** How old connections become: from 0, a tenth younger than said, to 255, a tenth older. */
  readonly random?: number;
}

export interface Logged {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export class GrpcPort {
  readonly log: Logged[] = [];
  /** What it writes is in `log`. */
  readonly logger: Log;
  readonly health = new HealthState();
  port = 0;
  readonly #server: GrpcServer;
  #held: Promise<void> | undefined;
  #waiting = 0;

  constructor({ transport = TRANSPORT, config, clock = systemClock, onCall, random = 128 }: GrpcPortOptions = {}) {
    const note =
      (level: Logged['level']) =>
      (fields: object, message: string): void => {
        this.log.push({ level, message, fields: { ...fields } });
      };
    this.logger = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
    this.#server = new GrpcServer({
      config: {
        transport,
        listen: { host: '127.0.0.1', port: 0 },
        maxConnectionAgeMillis: 0,
        maxConnectionAgeGraceMillis: 0,
        ...config,
      },
      clock,
      random: (count) => new Uint8Array(count).fill(random),
      limiter: this.#limiter(),
      health: this.health,
      log: this.logger,
      tracer: undefined,
      onCall,
    });
  }

  static async start(options: GrpcPortOptions = {}): Promise<GrpcPort> {
    const port = new GrpcPort(options);
    await port.listen();
    return port;
  }

  /** @throws ListenError */
  async listen(): Promise<void> {
    this.port = await this.#server.listen();
  }

  /** Of what was logged at this level, in order. */
  messages(level: Logged['level']): readonly string[] {
    return this.log.filter((line) => line.level === level).map(({ message }) => message);
  }

  /** How many calls wait for the counters. */
  get waiting(): number {
    return this.#waiting;
  }

  /** From now on calls wait for their counters, until what is returned is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    return resolve;
  }

  /** As the process does at SIGTERM. */
  stop(timeoutMillis = 1_000): Promise<void> {
    return drain({ clock: systemClock, health: this.health, doors: [this.#server], delayMillis: 0, timeoutMillis });
  }

  #limiter(): Limiter {
    const policy = parsePolicy(POLICY, 'policy.yaml');
    const memory = new MemoryStore({ clock: systemClock, subjectsMax: 1_000 });
    return new Limiter({
      policies: { current: () => new Map([[policy.domain, policy]]) },
      store: {
        take: async (hits) => {
          this.#waiting += 1;
          await this.#held;
          this.#waiting -= 1;
          return memory.take(hits);
        },
      },
      clock: systemClock,
      observer: { decided: () => undefined, undecided: () => undefined, refused: () => undefined },
      hasher: hasherForTest,
    });
  }
}
