/** Health over HTTP: the reference's check, liveness, and readiness with its reasons. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { PolicySource } from '../../ports/policy-source.ts';
import type { HealthState } from '../health/health-state.ts';

export interface HealthRouteOptions {
  readonly health: HealthState;
  readonly policies: PolicySource;
  readonly probeStore: () => Promise<void>;
}

const readySchema = z.strictObject({
  ready: z.boolean(),
  store: z.string().describe('`ok`, or why the counters do not answer.'),
  domains: z.array(z.string()).describe('The policies in force.'),
  draining: z.boolean().describe('The process was asked to stop.'),
});

export async function installHealth(app: FastifyInstance, options: HealthRouteOptions): Promise<void> {
  const { health, policies, probeStore } = options;
  const text = { produces: ['text/plain'] };
  app.get(
    '/healthcheck',
    { schema: { summary: 'Health, as envoyproxy/ratelimit tells it', ...text } },
    (_request, reply) =>
      reply
        .code(health.serving ? 200 : 500)
        .type('text/plain')
        .send(health.serving ? 'OK' : ''),
  );
  app.get('/healthz', { schema: { summary: 'Liveness: the process answers', ...text } }, (_request, reply) =>
    reply.type('text/plain').send('ok'),
  );
  app.get(
    '/readyz',
    { schema: { summary: 'Readiness: decisions can be given', response: { 200: readySchema, 503: readySchema } } },
    async (_request, reply) => {
      const store = await probeStore().then(
        () => 'ok',
        (error: Error) => error.message,
      );
      const ready = store === 'ok' && health.serving;
      const domains = [...(policies.current()?.keys() ?? [])].sort();
      return reply.code(ready ? 200 : 503).send({ ready, store, domains, draining: health.draining });
    },
  );
}
