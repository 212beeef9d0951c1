/** Knows which connections of an HTTP/1.1 server have nothing to answer, so that no shutdown waits for them. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export class IdleSockets {
  readonly #idle = new Set<Socket>();
  #ending = false;

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      socket.once('close', () => this.#idle.delete(socket));
      this.#rest(socket);
    });
    server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      this.#idle.delete(socket);
      response.once('close', () => this.#rest(socket));
    });
  }

  /** Ends those that are idle now, and every other one as soon as it has its answer. */
  end(): void {
    this.#ending = true;
    for (const socket of this.#idle) socket.destroy();
  }

  #rest(socket: Socket): void {
    if (this.#ending) socket.destroySoon();
    else if (!socket.destroyed) this.#idle.add(socket);
  }
}
