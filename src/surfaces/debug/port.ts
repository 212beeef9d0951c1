/** The debug port: what operators and their tools read, and callers never should. What it answers is not decided here. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { listen } from '../listen.ts';
import { answerText } from './answer.ts';

/** @param path without its query */
export type DebugAnswer = (path: string, request: IncomingMessage, response: ServerResponse) => unknown;

export class DebugPort {
  readonly #server: Server;
  /** The port is for this machine alone. */
  #isLocal = false;

  constructor(answer: DebugAnswer) {
    this.#server = createServer((request, response) => {
      // A page in a browser of this machine reaches the port under a name of its own, and must not read a heap, nor limits.
      if (this.#isLocal && !namesLoopback(request.headers.host))
        return answerText(response, 403, 'ask for it by the name localhost\n');
      return answer(request.url?.split('?', 1)[0] ?? '', request, response);
    });
  }

  /** @returns the port @throws ListenError */
  listen(port: number, host: string): Promise<number> {
    this.#isLocal = namesLoopback(host.includes(':') ? `[${host}]` : host);
    return listen(this.#server, port, host);
  }

  /** A connection to a port of another process, which has read this much of it. */
  take(socket: Socket, head: string): void {
    socket.on('error', () => socket.destroy());
    socket.unshift(Buffer.from(head, 'latin1'));
    this.#server.emit('connection', socket);
  }

  close(): void {
    // Of a server that has given connections to other processes, Node never says when it has closed.
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** @param host of a request, with or without its port; a browser always sends one */
function namesLoopback(host: string | undefined): boolean {
  if (host === undefined) return true;
  const name = URL.parse(`http://${host}`)?.hostname ?? '';
  return name === 'localhost' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name);
}
