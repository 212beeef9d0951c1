/** Opens a port, or says clearly why it cannot be had. */
import type { AddressInfo, Server } from 'node:net';

/** A port that cannot be opened; the message names host, port and reason. */
export class ListenError extends Error {
  readonly code = 'LISTEN_FAILED';

  constructor(host: string, port: number, cause: NodeJS.ErrnoException) {
    super(`cannot listen on ${host}:${port}: ${REASONS[cause.code ?? ''] ?? cause.message}`, { cause });
    this.name = 'ListenError';
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EACCES: 'not permitted',
  EADDRNOTAVAIL: 'this machine has no such address',
};

/** As `listen`, for a server whose framework insists on opening it. @throws ListenError */
export async function listenWith(
  open: (address: { port: number; host: string }) => Promise<unknown>,
  server: Server,
  port: number,
  host: string,
): Promise<number> {
  try {
    await open({ port, host });
  } catch (error) {
    throw new ListenError(host, port, error as NodeJS.ErrnoException);
  }
  return (server.address() as AddressInfo).port;
}

/** @returns the port, for `port` 0 the one that was free @throws ListenError */
export function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => reject(new ListenError(host, port, error));
    server.once('error', fail);
    server.listen({ port, host }, () => {
      server.off('error', fail);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
