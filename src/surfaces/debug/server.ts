/** The debug port: what operators' tools read, and callers never should. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { listen } from '../listen.ts';

export interface DebugServerOptions {
  /** Writes the metrics in Prometheus's text format and ends the response. */
  readonly metrics: (request: IncomingMessage, response: ServerResponse) => void;
}

const INDEX = '/metrics: Prometheus metrics\n';

export class DebugServer {
  readonly #server: Server;

  constructor({ metrics }: DebugServerOptions) {
    this.#server = createServer((request, response) => {
      const path = request.url?.split('?', 1)[0];
      if (path === '/metrics' && request.method === 'GET') metrics(request, response);
      else answer(response, path === '/' ? 200 : 404, path === '/' ? INDEX : `not found\n${INDEX}`);
    });
  }

  /** @returns the port @throws ListenError */
  listen(port: number, host: string): Promise<number> {
    return listen(this.#server, port, host);
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' }).end(text);
}
