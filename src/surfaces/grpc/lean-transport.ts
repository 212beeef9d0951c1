/** HTTP/2 by this service's own server (GRPC_TRANSPORT=lean): ShouldRateLimit is answered at once, all else by Connect's handlers. */
import type { Socket } from 'node:net';
import type { Clock } from '../../ports/clock.ts';
import { Connection } from '../rls/h2/connection.ts';
import type { Stream, StreamConsumer } from '../rls/h2/stream.ts';
import { isPlainRateLimit, RateLimitCall, type RateLimitLane } from '../rls/rate-limit-call.ts';
import type { HandlerOf } from './connect-handlers.ts';
import type { OpenHttp2 } from './http2-session.ts';
import { UniversalCall } from './universal-call.ts';

export interface LeanTransportOptions extends Omit<RateLimitLane, 'clock' | 'serveElse'> {
  readonly handlerOf: HandlerOf;
  readonly clock: Clock;
}

export function leanTransport({ handlerOf, ...options }: LeanTransportOptions): OpenHttp2 {
  const { clock, log } = options;
  const serveElse = (stream: Stream, connection: Connection): StreamConsumer => {
    const call = new UniversalCall(stream, connection, clock);
    call.start(handlerOf(stream.head.path.split('?', 1)[0] as string), log);
    return call;
  };
  const lane: RateLimitLane = { ...options, serveElse };
  const serve = (stream: Stream, connection: Connection): StreamConsumer =>
    isPlainRateLimit(stream.head) ? new RateLimitCall(lane, stream, connection) : serveElse(stream, connection);
  return (socket: Socket) => new Connection({ socket, clock, log, serve });
}
