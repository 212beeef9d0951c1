/** A worker's end of the line to its supervisor. What is answered and done is not decided here. */
import cluster from 'node:cluster';
import type { Socket } from 'node:net';
import { type Ports, type Question, type ToSupervisor, type ToWorker, WORKER_VARIABLE } from './messages.ts';

/** What a worker does for its supervisor once it serves. */
export interface Duties {
  readonly answers: Readonly<Record<Question, () => string | Promise<string>>>;
  /** Answers a connection of the debug port, of which `head` was read already. */
  readonly debug: (socket: Socket, head: string) => void;
}

/** @returns the number of the worker that this process is; undefined: it is none */
export function workerNumber(environment: NodeJS.ProcessEnv): number | undefined {
  const number = environment[WORKER_VARIABLE];
  return number !== undefined && cluster.isWorker ? Number(number) : undefined;
}

export class SupervisorLink {
  /** Whether this process is to serve at all: it may be stopped before. */
  readonly begun: Promise<boolean>;
  /** The supervisor says so, or is no more: then nobody brings connections, and whoever is here is to go. */
  readonly stopped: Promise<void>;
  #duties: Duties | undefined;

  constructor() {
    const begun = Promise.withResolvers<boolean>();
    const stopped = Promise.withResolvers<void>();
    this.stopped = stopped.promise;
    this.begun = Promise.race([begun.promise, stopped.promise.then(() => false)]);
    process.on('message', (message: ToWorker, socket: Socket | undefined) => {
      if (message.type === 'ask') void this.#answer(message.id, message.question);
      else if (message.type === 'begin') begun.resolve(true);
      else if (message.type === 'stop') stopped.resolve();
      else this.#take(message.id, message.head, socket);
    });
    cluster.worker?.once('disconnect', () => {
      // Otherwise node:cluster ends this process at once.
      if (cluster.worker) cluster.worker.exitedAfterDisconnect = true;
      stopped.resolve();
    });
  }

  serving(ports: Ports, duties: Duties): void {
    this.#duties = duties;
    void this.#send({ type: 'serving', ...ports });
  }

  /** Settles when it has been sent. */
  failed(text: string): Promise<void> {
    return this.#send({ type: 'failed', text });
  }

  gaveUp(text: string): void {
    void this.#send({ type: 'gaveUp', text });
  }

  /** @param socket undefined: its client has gone while it was on its way */
  #take(id: number, head: string, socket: Socket | undefined): void {
    void this.#send({ type: 'took', id });
    if (this.#duties === undefined) socket?.destroy();
    else if (socket !== undefined) this.#duties.debug(socket, head);
  }

  async #answer(id: number, question: Question): Promise<void> {
    try {
      const text = await this.#duties?.answers[question]();
      await this.#send({ type: 'answer', id, ...(text === undefined ? {} : { text }) });
    } catch {
      // Metrics cannot be read once telemetry has been shut down.
      await this.#send({ type: 'answer', id });
    }
  }

  /** A supervisor that is no more is told nothing. */
  #send(message: ToSupervisor): Promise<void> {
    return new Promise((resolve) => {
      if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
      else resolve();
    });
  }
}
