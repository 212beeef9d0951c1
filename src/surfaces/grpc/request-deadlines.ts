/** Ends connections of HTTP/1.1 that take too long over a request. Node's own deadlines need a server that listens itself. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../ports/clock.ts';

/** What one connection is about. */
interface Exchange {
  /** Until the request that comes must have ended; undefined while there is none to wait for. */
  deadline: Timer | undefined;
  /** Requests that have no answer yet. */
  unanswered: number;
}

/**
 * A request must have been read to its end so long after its connection was opened, or after the answer before it.
 * Whoever rests in between is closed by `keepAliveTimeout`, which must be shorter.
 */
export function limitRequests(server: Server, clock: Clock, requestMillisMax: number): void {
  const exchanges = new WeakMap<Socket, Exchange>();
  const awaitNext = (socket: Socket, exchange: Exchange): void => {
    exchange.deadline?.cancel();
    exchange.deadline = clock.after(requestMillisMax, () => socket.destroy());
  };
  server.on('connection', (socket: Socket) => {
    const exchange: Exchange = { deadline: undefined, unanswered: 0 };
    exchanges.set(socket, exchange);
    awaitNext(socket, exchange);
    socket.once('close', () => exchange.deadline?.cancel());
  });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    const exchange = exchanges.get(socket) as Exchange;
    exchange.unanswered += 1;
    request.once('end', () => {
      // One that was answered before it had ended leaves alone what is waited for now.
      if (exchange.unanswered > 0) exchange.deadline?.cancel();
    });
    response.once('close', () => {
      exchange.unanswered -= 1;
      // What is pipelined behind it has been read, or is under the deadline of its own.
      if (exchange.unanswered === 0 && !socket.destroyed) awaitNext(socket, exchange);
    });
  });
}
