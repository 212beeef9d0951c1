/** Bodies of the HTTP port: bounded, and text only if they are UTF-8. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { InvalidRequest } from '../../core/errors.ts';

export const BODY_BYTES_MAX = 65_536;

/** Read leniently, all bad bytes are the same replacement character: two callers would share a counter. */
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * JSON for handlers, as Fastify parses it, but for bytes that are no text. Nothing is no body, even if it calls itself JSON,
 * as clients let a DELETE do: whether there must be one is the schema's matter.
 */
export function parseJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (body.length === 0) return done(null, undefined);
    try {
      // It calls `done` itself, at once.
      void parse(request, decode(body), done);
    } catch (error) {
      done(error as Error);
    }
  });
}

/** The body as it is, whatever it calls itself and whatever the method: to be read with `readText`. */
export function leaveBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.addHook('onRequest', (request, _reply, done) => {
    // What is no media type at all would be refused before any parser is asked.
    if (request.raw.headers['content-type'] !== undefined) request.raw.headers['content-type'] = 'text/plain';
    done();
  });
}

/** @throws an error of status 413 beyond BODY_BYTES_MAX, InvalidRequest for what is not UTF-8 */
export async function readText(request: FastifyRequest): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.raw as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw Object.assign(new Error('the body is too large'), { statusCode: 413 });
    chunks.push(chunk);
  }
  return decode(Buffer.concat(chunks));
}

function decode(body: Buffer): string {
  try {
    return UTF8.decode(body);
  } catch {
    throw new InvalidRequest('body', 'the body is not UTF-8');
  }
}
