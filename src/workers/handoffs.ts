/**
 * Connections on their way from the supervisor to a worker. node:cluster keeps each until the worker says that it has
 * it, and for ever if the worker dies before: its client would wait on a connection that nobody reads.
 */
import type { ChildProcess } from 'node:child_process';

interface Handle {
  /** Does nothing to one that is closed already. */
  close(): void;
}

interface NewConnection {
  readonly act: 'newconn';
  /** Of the port. There is one connection of each port under way to a worker at a time. */
  readonly key: string;
}

/** Closes them when the worker dies: clients notice at once, and connect again. */
export function closeHandoffsOf(worker: ChildProcess): void {
  const underWay = new Map<string, Handle>();
  const send = worker.send.bind(worker) as (message: unknown, handle: unknown, ...rest: unknown[]) => boolean;
  const watched = (message: unknown, handle: unknown, ...rest: unknown[]): boolean => {
    if (isNewConnection(message)) underWay.set(message.key, handle as Handle);
    return send(message, handle, ...rest);
  };
  worker.send = watched as ChildProcess['send'];
  worker.once('exit', () => {
    for (const handle of underWay.values()) handle.close();
  });
}

function isNewConnection(message: unknown): message is NewConnection {
  return (message as Partial<NewConnection> | undefined)?.act === 'newconn';
}
