/** Requests of Node's HTTP servers to Connect's handlers and back. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { Code, ConnectError } from '@connectrpc/connect';
import type { UniversalHandlerFn } from '@connectrpc/connect/protocol';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import type { Log } from '../../ports/log.ts';
import type { HandlerOf } from './connect-handlers.ts';

type NodeRequest = IncomingMessage | Http2ServerRequest;
type NodeResponse = ServerResponse | Http2ServerResponse;

export type NodeHandler = (request: NodeRequest, response: NodeResponse) => void;

export function nodeHandler(handlerOf: HandlerOf, log: Log): NodeHandler {
  return (request, response) => {
    const handler = handlerOf(request.url?.split('?', 1)[0] ?? '');
    if (handler === undefined) {
      // gRPC clients read it as UNIMPLEMENTED. With a body, since one of headers alone would not end their upload.
      response.statusCode = 404;
      response.setHeader('content-type', 'text/plain');
      response.end('no such method\n');
      return;
    }
    answer(handler, request, response).catch((error: unknown) => {
      if (!isAboutCallerGone(error)) log.error({ err: error }, 'an answer could not be sent');
    });
  };
}

async function answer(handler: UniversalHandlerFn, request: NodeRequest, response: NodeResponse): Promise<void> {
  const asked = universalRequestFromNodeRequest(request, response, undefined, undefined);
  await universalResponseToNodeResponse(await handler(asked), response);
}

/** Nobody waits for this answer: its caller has ended the call, or the connection. */
function isAboutCallerGone(error: unknown): boolean {
  const { code, cause } = ConnectError.from(error);
  return code === Code.Aborted || (cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_HTTP2_INVALID_STREAM';
}
