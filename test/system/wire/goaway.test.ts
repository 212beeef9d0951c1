/** Connections that end under load, by age and by SIGTERM: real clients lose no call. */
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterEach, describe, expect, test } from '@jest/globals';
import { until } from '../../support/children.ts';
import { ReflectionClient } from '../../support/clients-reflection.ts';
import { statusCounts } from '../../support/envoy-client.ts';
import { startGateway, type TestGateway } from '../../support/envoy-gateway.ts';
import { isDecided, SteadyLoad } from '../../support/envoy-load.ts';
import { TestService } from '../../support/service.ts';
import { TRANSPORTS, transportEnv } from '../../support/transports.ts';

const SHORT_LIVED = { GRPC_MAX_CONNECTION_AGE: '500ms', GRPC_MAX_CONNECTION_AGE_GRACE: '10s' };
// Calls of one client at once: each asks again when it is answered.
const CALLERS = 16;
const LOAD_MILLIS = 2_500;

describe.each(TRANSPORTS)('%s:', (transport) => {
  const services: TestService[] = [];
  let gateway: TestGateway | undefined;

  afterEach(async () => {
    await gateway?.stop();
    gateway = undefined;
    await Promise.all(services.splice(0).map((service) => service.stop('SIGKILL')));
  });

  async function start(env: Readonly<Record<string, string>>): Promise<TestService> {
    const service = await TestService.start({ ...transportEnv(transport), ...env });
    services.push(service);
    return service;
  }

  test('grpc-js loses no call to connections that live for half a second', async () => {
    const service = await start(SHORT_LIVED);
    const load = new GrpcJsLoad([service.grpcPort]);
    await passed(LOAD_MILLIS);
    const { asked, answers } = await load.stop();
    expect(asked).toBeGreaterThan(CALLERS);
    expect(answers).toEqual({ OK: asked });
  }, 60_000);

  test('grpc-js loses no call to a process of two that is told to stop', async () => {
    const [leaving, staying] = [await start({ DRAIN_DELAY: '200ms' }), await start({})];
    const load = new GrpcJsLoad([leaving.grpcPort, staying.grpcPort]);
    await until('both are asked', () => load.answered > 20 * CALLERS, 30_000);
    leaving.child.kill('SIGTERM');
    expect(await leaving.exited).toEqual({ code: 0, signal: null });
    const gone = load.answered;
    await until('the other one is asked alone', () => load.answered > gone + 20 * CALLERS, 30_000);
    const { asked, answers } = await load.stop();
    expect(answers).toEqual({ OK: asked });
  }, 60_000);

  test('a reflection stream that is open at the stop ends in good order', async () => {
    const service = await start({});
    const client = new ReflectionClient(`127.0.0.1:${service.grpcPort}`, 'v1');
    const { ended } = await client.hold();
    service.child.kill('SIGTERM');
    expect(await ended).toBe('OK');
    expect(await service.exited).toEqual({ code: 0, signal: null });
    client.close();
  });

  test('Envoy loses no call to connections that live for half a second, nor to a process that is told to stop', async () => {
    const env = { ...transportEnv(transport), ...SHORT_LIVED, DRAIN_DELAY: '2s', REDIS_OP_TIMEOUT: '5s' };
    gateway = await startGateway({ services: 2, env });
    const { envoy } = gateway;
    const load = await SteadyLoad.start(gateway);
    const before = await envoy.rateLimitStats();
    const had = load.replies.length;
    await passed(LOAD_MILLIS);
    await gateway.services[0].stop('SIGTERM');
    await passed(LOAD_MILLIS / 5);
    await load.stop();
    const after = await envoy.rateLimitStats();
    const replies = load.replies.slice(had);
    expect(load.unanswered).toBe(0);
    expect(replies.filter((reply) => !isDecided(reply))).toEqual([]);
    expect(statusCounts(replies)).toEqual({ 200: replies.length });
    expect([after.error - before.error, after.failureModeAllowed - before.failureModeAllowed]).toEqual([0, 0]);
    const connections = (await envoy.stats('cluster.headroom.')).get('upstream_cx_total') ?? 0;
    // Old ones were replaced all the time.
    expect(connections).toBeGreaterThan(8);
  }, 120_000);
});

/** ShouldRateLimit from one grpc-js channel over all addresses, a few calls at a time. */
class GrpcJsLoad {
  answered = 0;
  readonly #client: grpc.Client;
  readonly #answers: Record<string, number> = {};
  readonly #callers: readonly Promise<void>[];
  #asked = 0;
  #isStopping = false;

  constructor(ports: readonly number[]) {
    const addresses = ports.map((port) => `127.0.0.1:${port}`).join(',');
    const roundRobin = JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] });
    this.#client = new grpc.Client(`ipv4:${addresses}`, grpc.credentials.createInsecure(), {
      'grpc.service_config': roundRobin,
    });
    this.#callers = Array.from({ length: CALLERS }, (_, caller) => this.#ask(`csk_${caller}`));
  }

  /** Settles when every call has its answer. @returns how many were asked, and how many answers there were by status */
  async stop(): Promise<{ readonly asked: number; readonly answers: Readonly<Record<string, number>> }> {
    this.#isStopping = true;
    await Promise.all(this.#callers);
    this.#client.close();
    return { asked: this.#asked, answers: this.#answers };
  }

  async #ask(value: string): Promise<void> {
    const question = { domain: 'closient', descriptors: [{ entries: [{ key: 'api_key', value }] }] };
    while (!this.#isStopping) {
      this.#asked += 1;
      const status = await new Promise<string>((resolve) => {
        const { path, requestSerialize, responseDeserialize } = SHOULD_RATE_LIMIT;
        this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, question, (error) => {
          resolve(error === null ? 'OK' : `${grpc.status[error.code]}: ${error.details}`);
        });
      });
      this.answered += 1;
      this.#answers[status] = (this.#answers[status] ?? 0) + 1;
    }
  }
}

const SHOULD_RATE_LIMIT = ((): grpc.MethodDefinition<object, object> => {
  const root = fileURLToPath(new URL('../../../proto', import.meta.url));
  const loaded = loadSync('envoy/service/ratelimit/v3/rls.proto', { includeDirs: [root] });
  const service = loaded['envoy.service.ratelimit.v3.RateLimitService'] as grpc.ServiceDefinition;
  return service.ShouldRateLimit as grpc.MethodDefinition<object, object>;
})();

/** Load needs time. */
function passed(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
