/** HTTP/2 by Node's own server (GRPC_TRANSPORT=node): everything, ShouldRateLimit too, goes to Connect's handlers. */
import {
  constants,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Clock } from '../../ports/clock.ts';
import { CONCURRENT_STREAMS_MAX, RESETS_BURST_MAX, RESETS_PER_SECOND_MAX } from '../rls/h2/bounds.ts';
import type { Http2Session, OpenHttp2 } from './http2-session.ts';
import { Http2Wire } from './http2-wire.ts';
import type { NodeHandler } from './node-handler.ts';

// MiB of frames and headers that one connection may hold, as Node counts them: of its heap it takes five times as much.
// Node's default of 10 ends connections with a few thousand calls in flight.
const SESSION_MEMORY_MIB_MAX = 64;

export function nodeTransport(handler: NodeHandler, clock: Clock): OpenHttp2 {
  const server = createServer(
    {
      settings: { maxConcurrentStreams: CONCURRENT_STREAMS_MAX },
      maxSessionMemory: SESSION_MEMORY_MIB_MAX,
      streamResetBurst: RESETS_BURST_MAX,
      streamResetRate: RESETS_PER_SECOND_MAX,
    },
    (request: Http2ServerRequest, response: Http2ServerResponse) => {
      request.stream.once('wantTrailers', () => setImmediate(endUpload, request.stream));
      handler(request, response);
    },
  );
  return (socket: Socket) => {
    const wire = new Http2Wire(socket, clock);
    let session: ServerHttp2Session | undefined;
    server.once('session', (opened: ServerHttp2Session) => {
      session = opened;
    });
    // In this very turn it makes a session of it, and tells.
    server.emit('connection', wire);
    return sessionOf(session as unknown as ServerHttp2Session, wire);
  };
}

function sessionOf(session: ServerHttp2Session, wire: Http2Wire): Http2Session {
  return {
    get destroyed() {
      return session.destroyed;
    },
    onClose: (callback) => session.once('close', callback),
    onIdle: (millis, callback) => session.setTimeout(millis, callback),
    sendGoawayNotice: () => wire.sendGoawayNotice(),
    ping: (onPong) => session.ping(onPong),
    close: () => session.close(),
    destroy: () => session.destroy(),
  };
}

/**
 * RFC 9113 §8.1: a client that is still sending when it has its answer is told to stop, or it would wait for ever.
 * Called a turn after the trailers were handed over, when they are out; Node asks for them after every body.
 */
function endUpload(stream: ServerHttp2Stream): void {
  if (!stream.readableEnded && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
}
