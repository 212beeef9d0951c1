/** The port that Prometheus scrapes. What the page says is not decided here. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CONTENT_TYPE } from '../prometheus.ts';

export interface PageOptions {
  /** Empty: all interfaces. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly path: string;
  /** The whole page. */
  readonly text: () => Promise<string>;
}

export interface Page {
  readonly port: number;
  close(): Promise<void>;
}

/** The port of the page cannot be opened. */
export class PageListenError extends Error {
  readonly code = 'LISTEN_FAILED';

  constructor({ host, port }: PageOptions, cause: Error) {
    super(`PROMETHEUS_ADDR: cannot listen on ${host}:${port}: ${cause.message}`, { cause });
    this.name = 'PageListenError';
  }
}

/** @throws PageListenError */
export async function openPage(options: PageOptions): Promise<Page> {
  const { host, port, path } = options;
  const server = createServer((request, response) => {
    const isPage = request.url?.split('?', 1)[0] === path;
    if (!isPage) answer(response, 404, `not found\n${path}: Prometheus metrics\n`);
    else if (request.method !== 'GET' && request.method !== 'HEAD') answer(response, 405, 'method not allowed\n');
    else if (request.method === 'HEAD') response.writeHead(200, { 'content-type': CONTENT_TYPE }).end();
    else {
      options.text().then(
        (text) => response.writeHead(200, { 'content-type': CONTENT_TYPE }).end(text),
        (error: Error) => answer(response, 500, `${error.message}\n`),
      );
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new PageListenError(options, error)));
    server.listen({ port, ...(host === '' ? {} : { host }) }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' }).end(text);
}
