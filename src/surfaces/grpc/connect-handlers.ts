/** Connect's handlers by their paths, with one correction: bytes that are no message are the caller's mistake. */
import { Code, type ConnectRouter, type ConnectRouterOptions, createConnectRouter } from '@connectrpc/connect';
import type { UniversalHandlerFn, UniversalServerResponse } from '@connectrpc/connect/protocol';

/** @param path without its query @returns undefined if nobody serves it */
export type HandlerOf = (path: string) => UniversalHandlerFn | undefined;

export function connectHandlers(routes: (router: ConnectRouter) => void, options: ConnectRouterOptions): HandlerOf {
  const router = createConnectRouter(options);
  routes(router);
  const handlers = new Map(
    router.handlers.map((handler): [string, UniversalHandlerFn] => [
      handler.requestPath,
      async (request) => corrected(await handler(request)),
    ]),
  );
  return (path) => handlers.get(path);
}

/** How Connect's message about bytes that are no message begins, as text and in a trailer. */
const PARSE_ERROR = 'parse binary:';
const PARSE_ERROR_TRAILER = encodeURIComponent(PARSE_ERROR);

/**
 * Connect calls them INTERNAL, which would blame this service: INVALID_ARGUMENT says who is to mend it.
 * In gRPC the status is a trailer, in gRPC-Web a frame of the body, in Connect a body of JSON.
 */
async function corrected(answer: UniversalServerResponse): Promise<UniversalServerResponse> {
  const { body, trailer, status, header } = answer;
  if (body === undefined) return answer;
  if (trailer !== undefined) return { ...answer, body: withTrailer(body, trailer) };
  if (header?.get('content-type')?.startsWith('application/grpc-web')) return { ...answer, body: withFrame(body) };
  return status === 500 ? withJson(await text(body), answer) : answer;
}

/** The trailer is read when the body has ended. */
async function* withTrailer(body: AsyncIterable<Uint8Array>, trailer: Headers): AsyncGenerator<Uint8Array> {
  yield* body;
  if (trailer.get('grpc-message')?.startsWith(PARSE_ERROR_TRAILER)) {
    trailer.set('grpc-status', String(Code.InvalidArgument));
  }
}

/** The frame keeps its length: white space behind a field's value is none of it (RFC 9110 §5.5). */
async function* withFrame(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    const isTrailer = ((chunk[0] as number) & 0x80) !== 0;
    const frame = isTrailer ? Buffer.from(chunk).toString('latin1') : '';
    const isParseError = frame.includes(PARSE_ERROR_TRAILER);
    yield isParseError ? Buffer.from(frame.replace('grpc-status: 13', 'grpc-status: 3 '), 'latin1') : chunk;
  }
}

function withJson(json: string, answer: UniversalServerResponse): UniversalServerResponse {
  const isParseError = json.includes(PARSE_ERROR);
  const body = Buffer.from(isParseError ? json.replace('"internal"', '"invalid_argument"') : json);
  const header = new Headers(answer.header);
  header.set('content-length', String(body.length));
  return { ...answer, status: isParseError ? 400 : answer.status, header, body: once(body) };
}

async function text(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
