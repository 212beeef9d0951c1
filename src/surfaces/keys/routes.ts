/** The routes of the admin API. What they do is app/key-admin.ts's and app/key-usage.ts's matter. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { AdminGate } from '../../app/admin-gate.ts';
import type { Audit } from '../../app/audit.ts';
import type { Issued, KeyAdmin } from '../../app/key-admin.ts';
import type { KeyUsage } from '../../app/key-usage.ts';
import { viewOf } from '../../app/key-view.ts';
import { countedAddress } from '../../core/caller-address.ts';
import { InvalidRequest } from '../../core/errors.ts';
import type { KeyRecord } from '../../core/key-record.ts';
import { errorSchema } from '../check/schema.ts';
import { adminOf, installAuth } from './auth.ts';
import { contentTag, isKnown, recordTag, versionsOf } from './conditional.ts';
import * as schema from './schema.ts';
import { auditOf, changeOf, createdOf, envelopeOf, queryOf, rotatedOf, usageOf, wantedOf } from './wire.ts';

export interface AdminApi {
  readonly gate: AdminGate;
  readonly keys: KeyAdmin;
  readonly usage: KeyUsage;
  readonly audit: Audit;
}

/** What the page of the document calls the way to authenticate. */
export const BEARER_SCHEME = 'admin_token';

const shared = { tags: ['admin'], security: [{ [BEARER_SCHEME]: [] }] };
/** Statuses of every route. */
const refusals = { 400: errorSchema, 401: errorSchema, 429: errorSchema, 503: errorSchema };
const bodyRefusals = { ...refusals, 413: errorSchema, 415: errorSchema };
const readable = { ...refusals, 304: schema.notModifiedSchema };
const absent = { 404: errorSchema };
const changeable = { ...absent, 409: errorSchema, 412: errorSchema };

type Scope = ReturnType<typeof typed>;

export async function installAdmin(app: FastifyInstance, api: AdminApi): Promise<void> {
  installAuth(app, api.gate);
  const scope = typed(app);
  installCollection(scope, api);
  installRecord(scope, api);
  installRotation(scope, api);
  installUsage(scope, api);
  installOwn(scope, api);
}

function typed(app: FastifyInstance) {
  return app.withTypeProvider<ZodTypeProvider>();
}

function installCollection(app: Scope, { keys }: AdminApi): void {
  app.post(
    '/v1/keys',
    {
      schema: {
        ...shared,
        summary: 'Create a key',
        description: 'The key itself is in this answer and in no other.',
        headers: schema.createHeaders,
        body: schema.createSchema,
        response: { 201: schema.createdSchema, ...bodyRefusals, 409: errorSchema },
      },
    },
    async (request, reply) => {
      const asked = { by: adminOf(request), idempotencyKey: request.headers['idempotency-key'] };
      const issued = await keys.create(wantedOf(request.body), asked);
      markReply(reply, issued).header('location', `/v1/keys/${issued.record.id}`);
      return reply.code(201).send(createdOf(issued));
    },
  );
  app.get(
    '/v1/keys',
    {
      schema: {
        ...shared,
        summary: 'List keys',
        headers: schema.readHeaders,
        querystring: schema.listSchema,
        response: { 200: schema.keysSchema, ...readable },
      },
    },
    async (request, reply) => {
      const query = queryOf(request.query);
      const { items, totalCount } = await keys.list(query);
      return sendRead(request, reply, envelopeOf(items.map(viewOf), query.page, query.pageSize, totalCount));
    },
  );
  app.post(
    '/v1/keys/lookup',
    {
      schema: {
        ...shared,
        summary: 'Find the record of a key',
        description: 'Finds inactive keys, too.',
        body: schema.lookupSchema,
        response: { 200: schema.keySchema, ...bodyRefusals, ...absent },
      },
    },
    async (request, reply) => sendRecord(reply, await keys.lookup(request.body.key)),
  );
}

function installRecord(app: Scope, { keys }: AdminApi): void {
  const url = '/v1/keys/:id';
  app.get(
    url,
    {
      schema: {
        ...shared,
        summary: 'Read one key',
        params: schema.idSchema,
        headers: schema.readHeaders,
        response: { 200: schema.keySchema, ...readable, ...absent },
      },
    },
    async (request, reply) => {
      const record = await keys.find(request.params.id);
      return sendRead(request, reply, viewOf(record), recordTag(record.version));
    },
  );
  app.patch(
    url,
    {
      schema: {
        ...shared,
        summary: 'Change a key',
        description: 'Without If-Match the last change wins.',
        params: schema.idSchema,
        headers: schema.changeHeaders,
        body: schema.changeSchema,
        response: { 200: schema.keySchema, ...bodyRefusals, ...changeable },
      },
    },
    async (request, reply) => {
      const asked = { by: adminOf(request), versions: versionsOf(request.headers['if-match']) };
      return sendRecord(reply, await keys.change(request.params.id, changeOf(request.body), asked));
    },
  );
  app.delete(
    url,
    {
      schema: {
        ...shared,
        summary: 'Revoke a key',
        description: 'For good; the record stays. Revoking it again changes nothing.',
        params: schema.idSchema,
        headers: schema.changeHeaders,
        response: { 200: schema.keySchema, ...bodyRefusals, ...changeable },
      },
    },
    async (request, reply) => {
      const asked = { by: adminOf(request), versions: versionsOf(request.headers['if-match']) };
      return sendRecord(reply, await keys.revoke(request.params.id, asked));
    },
  );
}

function installRotation(app: Scope, { keys }: AdminApi): void {
  app.post(
    '/v1/keys/:id/rotate',
    {
      schema: {
        ...shared,
        summary: 'Replace the key of a record',
        description: 'Record and counters stay. The new key itself is in this answer and in no other.',
        params: schema.idSchema,
        headers: schema.rotateHeaders,
        body: schema.rotateSchema,
        response: { 200: schema.rotatedSchema, ...bodyRefusals, ...changeable },
      },
      preValidation: takeNoBodyForEmpty,
    },
    async (request, reply) => {
      const issued = await keys.rotate(request.params.id, request.body.grace_seconds, {
        by: adminOf(request),
        versions: versionsOf(request.headers['if-match']),
        idempotencyKey: request.headers['idempotency-key'],
      });
      return markReply(reply, issued).send(rotatedOf(issued));
    },
  );
}

function installUsage(app: Scope, { usage }: AdminApi): void {
  app.get(
    '/v1/keys/:id/usage',
    {
      schema: {
        ...shared,
        summary: 'What a key has used',
        params: schema.idSchema,
        headers: schema.readHeaders,
        response: { 200: schema.usageSchema, ...readable, ...absent },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      return sendRead(request, reply, usageOf(id, await usage.usage(id)));
    },
  );
  app.post(
    '/v1/keys/:id/reset',
    {
      schema: {
        ...shared,
        summary: 'Forget what a key has used',
        params: schema.idSchema,
        body: schema.resetSchema,
        response: { 200: schema.usageSchema, ...bodyRefusals, ...absent },
      },
      preValidation: takeNoBodyForEmpty,
    },
    async (request, reply) => {
      const { id } = request.params;
      const content = usageOf(id, await usage.reset(id, request.body, adminOf(request)));
      return reply.header('etag', contentTag(content)).send(content);
    },
  );
}

function installOwn(app: Scope, { audit, usage }: AdminApi): void {
  app.get(
    '/v1/audit',
    {
      schema: {
        ...shared,
        summary: 'Who changed what, the newest first',
        headers: schema.readHeaders,
        querystring: schema.pageSchema,
        response: { 200: schema.auditSchema, ...readable },
      },
    },
    async (request, reply) => {
      const { page, page_size } = request.query;
      return sendRead(request, reply, auditOf(await audit.list(page, page_size), page, page_size));
    },
  );
  app.post(
    '/v1/limits/reset',
    {
      config: { uncharged: true },
      schema: {
        ...shared,
        summary: 'Forget what the limits of this API have counted',
        description: 'The limit of tokens does not count this route.',
        body: schema.limitsResetSchema,
        response: { 200: schema.limitsResetAnswerSchema, ...bodyRefusals },
      },
    },
    async (request) => {
      const { address, token = false } = request.body;
      const counted = address === undefined ? undefined : countedAddress(address);
      if (address !== undefined && counted === undefined) {
        throw new InvalidRequest('address', 'address: expected an IPv4 or IPv6 address');
      }
      const reset = await usage.resetAdmin(counted, token, adminOf(request));
      return { reset: [...reset] };
    },
  );
}

async function takeNoBodyForEmpty(request: FastifyRequest): Promise<void> {
  if (request.body === undefined) request.body = {};
}

function sendRecord(reply: FastifyReply, record: KeyRecord): FastifyReply {
  return reply.header('etag', recordTag(record.version)).send(viewOf(record));
}

function sendRead(
  request: FastifyRequest,
  reply: FastifyReply,
  content: unknown,
  tag: string = contentTag(content),
): FastifyReply {
  reply.header('etag', tag);
  if (isKnown(request.headers['if-none-match'], tag)) return reply.code(304).send();
  return reply.send(content);
}

function markReply(reply: FastifyReply, { record, replayed }: Issued): FastifyReply {
  if (replayed) reply.header('idempotent-replayed', 'true');
  return reply.header('etag', recordTag(record.version));
}
