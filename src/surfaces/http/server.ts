/** The HTTP port: JSON decisions, health, and the document that describes them. */
import { maxHeaderSize } from 'node:http';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import type { Call, Limiter } from '../../app/limiter.ts';
import type { Log } from '../../ports/log.ts';
import type { Door as DoorName } from '../../ports/observer.ts';
import type { PolicySource } from '../../ports/policy-source.ts';
import type { CallSpan, Tracer } from '../../ports/tracer.ts';
import { type CheckRequest, checkRequestSchema, checkResponseSchema, errorSchema } from '../check/schema.ts';
import { checkOnce } from '../check/service.ts';
import type { Door } from '../drain.ts';
import type { HealthState } from '../health/health-state.ts';
import { IdleSockets } from '../idle-sockets.ts';
import { type AdminApi, installAdmin } from '../keys/routes.ts';
import { jsonRateLimit } from '../rls/json.ts';
import { BODY_BYTES_MAX, leaveBodies, parseJsonBodies, readText } from './body.ts';
import { documentOptions } from './document.ts';
import { frameworkErrors, installErrors } from './errors.ts';
import { installHealth } from './health-routes.ts';

export interface HttpServerOptions {
  readonly limiter: Limiter;
  readonly policies: PolicySource;
  readonly health: HealthState;
  /** Fails when the counter store does not answer. */
  readonly probeStore: () => Promise<void>;
  readonly log: Log;
  readonly tracer: Tracer | undefined;
  readonly version: string;
  /** Without it, its addresses are unknown ones. */
  readonly admin: AdminApi | undefined;
}

declare module 'fastify' {
  interface FastifyRequest {
    callSpan: CallSpan | undefined;
  }
}

// A client that sends its request slower than this is not waited for.
const REQUEST_MILLIS_MAX = 10_000;
// How often Node looks for them; its default would make 10 s into 40.
const CHECK_MILLIS = 1_000;

export async function buildHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: BODY_BYTES_MAX,
    // As long as an address can be: what is too long for an id is an unknown id like any other.
    routerOptions: { maxParamLength: maxHeaderSize },
    requestTimeout: REQUEST_MILLIS_MAX,
    http: { connectionsCheckingInterval: CHECK_MILLIS, headersTimeout: REQUEST_MILLIS_MAX },
    forceCloseConnections: false,
    frameworkErrors,
  });
  parseJsonBodies(app);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  if (options.tracer) installTracing(app, options.tracer);
  installErrors(app, options.log);
  await app.register(swagger, documentOptions(options.version, options.admin !== undefined));
  await app.register(swaggerUi, { routePrefix: '/docs' });
  await app.register((scope) => installCheck(scope, options));
  await app.register((scope) => installJson(scope, options.limiter));
  await app.register((scope) => installHealth(scope, options));
  const { admin } = options;
  if (admin) await app.register((scope) => installAdmin(scope, admin));
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
  await app.ready();
  return app;
}

/** The port as something to be drained: connections without a request are not waited for. */
export function httpDoor(app: FastifyInstance): Door {
  const idle = new IdleSockets(app.server);
  return {
    drain() {
      idle.end();
      return app.close();
    },
    destroy: () => app.server.closeAllConnections(),
  };
}

async function installCheck(app: FastifyInstance, { limiter, policies }: HttpServerOptions): Promise<void> {
  app.post<{ Body: CheckRequest }>(
    '/v1/check',
    {
      schema: {
        summary: 'Decide a request',
        description: 'Answers 200 for every decision, allowed or not.',
        body: checkRequestSchema,
        response: { 200: checkResponseSchema, '4xx': errorSchema, 503: errorSchema },
      },
    },
    (request) => checkOnce(limiter, policies.current(), request.body, callOf('check', request)),
  );
}

/** Any method and any content type: existing callers of the reference send all sorts. */
async function installJson(app: FastifyInstance, limiter: Limiter): Promise<void> {
  leaveBodies(app);
  app.all('/json', { schema: { hide: true } }, async (request, reply) => {
    const answer = await jsonRateLimit(limiter, await readText(request), callOf('json', request));
    return reply.code(answer.status).type('application/json').send(answer.body);
  });
}

function callOf(door: DoorName, request: FastifyRequest): Call {
  return { door, trace: request.callSpan };
}

function installTracing(app: FastifyInstance, tracer: Tracer): void {
  app.decorateRequest('callSpan', undefined);
  app.addHook('onRequest', (request, _reply, done) => {
    request.callSpan = tracer.start({
      name: [request.method, request.routeOptions.url].join(' ').trim(),
      protocol: 'http',
      header: (name) => {
        const value = request.headers[name];
        return Array.isArray(value) ? value[0] : value;
      },
    });
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    request.callSpan?.end(String(reply.statusCode));
    done();
  });
}
