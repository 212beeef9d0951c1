/** Opens a port or a unix socket, or says clearly why it cannot be had. */
import { lstat, unlink } from 'node:fs/promises';
import { type AddressInfo, createConnection, type Server } from 'node:net';

/** What keeps a server from being reached; the message names what was to be opened, and the reason. */
export class ListenError extends Error {
  readonly code = 'LISTEN_FAILED';

  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'ListenError';
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EACCES: 'not permitted',
  EADDRNOTAVAIL: 'this machine has no such address',
};

// Another process was quicker to replace the socket of a dead one.
const AT_PATH = { ...REASONS, EADDRINUSE: 'another process listens there' };

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
    throw cannotListen(`${host}:${port}`, error);
  }
  return (server.address() as AddressInfo).port;
}

/** @returns the port, for `port` 0 the one that was free @throws ListenError */
export function listen(server: Server, port: number, host: string): Promise<number> {
  return listenWith((address) => opened(server, address), server, port, host);
}

/**
 * Opens a unix socket, whose file is gone when the server has closed. One that a dead process has left is replaced.
 * @throws ListenError also where a living process listens there, or a file stands there that is no socket
 */
export async function listenAtPath(server: Server, path: string): Promise<void> {
  try {
    await opened(server, { path }).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') throw error;
      await removeStale(path);
      await opened(server, { path });
    });
  } catch (error) {
    throw cannotListen(path, error, AT_PATH);
  }
}

function opened(server: Server, address: { port: number; host: string } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function removeStale(path: string): Promise<void> {
  if (!(await lstat(path)).isSocket()) throw new Error('a file that is no socket stands there');
  if (await isAnswered(path)) throw new Error('another process listens there');
  await unlink(path);
}

/** Only a refusal says that nobody listens: one whose queue is full is alive, too. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED'));
  });
}

function cannotListen(where: string, error: unknown, reasons = REASONS): ListenError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new ListenError(`cannot listen on ${where}: ${reasons[code ?? ''] ?? message}`, error);
}
