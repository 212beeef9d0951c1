/** Node requests to Connect's handlers and back, with one correction: bytes that are no message are the caller's mistake. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import {
  Code,
  ConnectError,
  type ConnectRouter,
  type ConnectRouterOptions,
  createConnectRouter,
} from '@connectrpc/connect';
import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import type { Log } from '../../ports/log.ts';

export type NodeHandler = (
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
) => void;

export function connectAdapter(
  routes: (router: ConnectRouter) => void,
  options: ConnectRouterOptions,
  log: Log,
): NodeHandler {
  const router = createConnectRouter(options);
  routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return (request, response) => {
    const handler = handlers.get(request.url?.split('?', 1)[0] ?? '');
    if (handler === undefined) {
      // gRPC clients read it as UNIMPLEMENTED. With a body, since one of headers alone would not end their upload.
      response.statusCode = 404;
      response.setHeader('content-type', 'text/plain');
      response.end('no such method\n');
      return;
    }
    handler(universalRequestFromNodeRequest(request, response, undefined, undefined))
      .then(async (answer) => universalResponseToNodeResponse(await corrected(answer), response))
      .catch((error: unknown) => {
        if (!isAboutCallerGone(error)) log.error({ err: error }, 'an answer could not be sent');
      });
  };
}

/** Nobody waits for this answer: its caller has ended the call, or the connection. */
function isAboutCallerGone(error: unknown): boolean {
  const { code, cause } = ConnectError.from(error);
  return code === Code.Aborted || (cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_HTTP2_INVALID_STREAM';
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
