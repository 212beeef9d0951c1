/** Every error of the HTTP port, in the envelope that the documented API promises. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { withoutKeys } from '../../core/api-key.ts';
import { InvalidApiKey, Refusal, Undecidable } from '../../core/errors.ts';
import { errorBody } from '../../core/headers.ts';
import type { Log } from '../../ports/log.ts';

interface Problem {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly details: object;
}

const CODES: Readonly<Record<number, string>> = {
  400: 'INVALID_REQUEST',
  401: 'UNAUTHENTICATED',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  409: 'CONFLICT',
  412: 'PRECONDITION_FAILED',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  503: 'UNAVAILABLE',
};

const STATUSES: Readonly<Record<Refusal['code'], number>> = {
  INVALID_REQUEST: 400,
  NOT_FOUND: 404,
  CONFLICT: 409,
  PRECONDITION_FAILED: 412,
};

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];

/** Call it before there are routes: it notes them, so that a wrong method can be told from a wrong address. */
export function installErrors(app: FastifyInstance, log: Log): void {
  const routes = noteRoutes(app);
  app.setErrorHandler((error: FastifyError, _request, reply) => send(reply, problemOf(error, log)));
  // Before a body is read: what it holds does not matter at an address that there is not.
  app.addHook('onRequest', (request, reply, done) => {
    if (request.is404) sendNotFound(routes, request, reply);
    else done();
  });
}

/** What fails before there is a route. */
export function frameworkErrors(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  send(reply, problem(error.statusCode ?? 400, 'the address cannot be decoded', { field: 'path' }));
}

/** For what is no error to the code, but one to the caller. */
export function sendProblem(reply: FastifyReply, status: number, message: string, details: object): FastifyReply {
  return send(reply, problem(status, message, details));
}

interface NotedRoute {
  readonly methods: readonly string[];
  readonly path: RegExp;
}

/** Fastify finds routes by their patterns, but has no question for which of them an address would meet. */
function noteRoutes(app: FastifyInstance): readonly NotedRoute[] {
  const routes: NotedRoute[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    const path = url
      .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
      .replace(/:[^/]+/g, '[^/]+')
      .replace(/\*/g, '.*');
    routes.push({ methods: [method].flat(), path: new RegExp(`^${path}$`) });
  });
  return routes;
}

function sendNotFound(routes: readonly NotedRoute[], request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const url = request.url.split('?', 1)[0] as string;
  const met = routes.filter(({ path }) => path.test(url)).flatMap(({ methods }) => methods);
  const allowed = METHODS.filter((method) => met.includes(method));
  if (allowed.length === 0) return send(reply, problem(404, `there is nothing at ${url}`, { field: 'path' }));
  reply.header('allow', allowed.join(', '));
  return send(reply, problem(405, `${request.method} is not allowed here`, { field: 'method', allowed }));
}

function send(reply: FastifyReply, { status, code, message, details }: Problem): FastifyReply {
  // The rest of such a body is not read, so the connection can carry no other request.
  if (status === 413) reply.header('connection', 'close');
  return reply
    .code(status)
    .type('application/json')
    .send(errorBody(code, message, status, details));
}

function problemOf(error: FastifyError, log: Log): Problem {
  if (hasZodFastifySchemaValidationErrors(error)) return validationProblem(error);
  if (error instanceof Refusal) return problem(STATUSES[error.code], error.message, { field: error.field });
  if (error instanceof InvalidApiKey) return { status: 401, code: error.code, message: error.message, details: {} };
  if (error instanceof Undecidable) return problem(503, error.message, { reason: error.code });
  const status = error.statusCode ?? 500;
  if (status === 413) return problem(413, 'the body is too large', { field: 'body' });
  if (status === 415) return problem(415, 'the body must be application/json', { field: 'content-type' });
  if (status >= 400 && status < 500) return problem(status, error.message, { field: 'body' });
  log.error({ err: error }, 'a request failed unexpectedly');
  return { status: 500, code: 'INTERNAL', message: 'internal error', details: {} };
}

function validationProblem(error: {
  validation: { instancePath: string; message?: string; params?: unknown }[];
}): Problem {
  const [first] = error.validation;
  const unknownKeys = (first?.params as { keys?: string[] } | undefined)?.keys ?? [];
  const path = (first?.instancePath ?? '').split('/').slice(1);
  // What is called by a name that there is not may be a key in the wrong place.
  const field = withoutKeys([...path, ...unknownKeys.slice(0, 1)].reduce(joinField, '')) || 'body';
  return problem(400, `${field}: ${first?.message ?? 'invalid'}`, { field });
}

function joinField(path: string, step: string): string {
  if (/^\d+$/.test(step)) return `${path}[${step}]`;
  return path === '' ? step : `${path}.${step}`;
}

function problem(status: number, message: string, details: object): Problem {
  return { status, code: CODES[status] ?? 'INVALID_REQUEST', message: withoutKeys(message), details };
}
