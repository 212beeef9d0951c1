/** The door of the admin API: before a body is read or an id looked up, who asks is known, or is sent away. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AdminGate } from '../../app/admin-gate.ts';
import { countedAddress } from '../../core/caller-address.ts';
import type { Answer } from '../../core/headers.ts';
import type { Admin } from '../../ports/admin-tokens.ts';
import { sendProblem } from '../http/errors.ts';

declare module 'fastify' {
  interface FastifyRequest {
    admin: Admin | undefined;
  }
  interface FastifyContextConfig {
    /** The token's limit does not count this route: it is how an operator gets out of it. */
    uncharged?: boolean;
  }
}

const BEARER = /^bearer +([\x21-\x7e]+) *$/i; // RFC 9110 §11.1, RFC 6750 §2.1

export function installAuth(app: FastifyInstance, gate: Pick<AdminGate, 'admit'>): void {
  app.decorateRequest('admin', undefined);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    const token = BEARER.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) return refuse(reply);
    const admission = await gate.admit({
      token,
      address: countedAddress(request.socket.remoteAddress ?? '') ?? 'unknown',
      charged: request.routeOptions.config.uncharged !== true,
      trace: request.callSpan,
    });
    setHeaders(reply, admission.answer);
    if (admission.kind === 'wrong') return refuse(reply);
    if (admission.kind === 'limited') return sendLimited(reply, admission.answer);
    request.admin = admission.admin;
  });
}

/** Who asks. */
export function adminOf(request: FastifyRequest): Admin {
  if (request.admin === undefined) throw new Error('a route of the admin API was reached without a token');
  return request.admin;
}

function setHeaders(reply: FastifyReply, answer: Answer | undefined): void {
  for (const [name, value] of answer?.headers ?? []) reply.header(name, value);
}

/** The same words for no token and a wrong one. */
function refuse(reply: FastifyReply): FastifyReply {
  reply.header('www-authenticate', 'Bearer');
  const details = { field: 'authorization' };
  return sendProblem(reply, 401, 'an admin token is required: Authorization: Bearer TOKEN', details);
}

function sendLimited(reply: FastifyReply, { body, retryAfterSeconds }: Answer): FastifyReply {
  // Styles without header fields leave even these to the door.
  if (!reply.hasHeader('content-type')) reply.type('application/json');
  if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds));
  return reply.code(429).send(body);
}
