/** One worker as its supervisor sees it, from birth to death. When there is to be one is the supervisor's matter. */
import cluster, { type Worker } from 'node:cluster';
import type { Socket } from 'node:net';
import { closeHandoffsOf } from './handoffs.ts';
import { type Ports, type Question, type ToSupervisor, type ToWorker, WORKER_VARIABLE } from './messages.ts';

export interface WorkerEnd {
  readonly code: number | null;
  readonly signal: string | null;
  /** Why it could not start, if it has said so. */
  readonly failure: string | undefined;
}

export interface WorkerProcessOptions {
  /** From 1; that of a dead worker passes to its successor. */
  readonly number: number;
  /** What its environment has beside the supervisor's. */
  readonly env: Readonly<Record<string, string>>;
  readonly onGiveUp: (text: string) => void;
}

export class WorkerProcess {
  readonly number: number;
  /** Undefined: it ended before it served. */
  readonly started: Promise<Ports | undefined>;
  readonly ended: Promise<WorkerEnd>;
  readonly #worker: Worker;
  /** Both by the ids of the messages. */
  readonly #asked = new Map<number, (text: string | undefined) => void>();
  readonly #handedOver = new Map<number, Socket>();
  #messages = 0;
  #isServing = false;
  #failure: string | undefined;

  constructor({ number, env, onGiveUp }: WorkerProcessOptions) {
    this.number = number;
    // In turn, as the connections come: ADR 0026.
    cluster.schedulingPolicy = cluster.SCHED_RR;
    this.#worker = cluster.fork({ ...env, [WORKER_VARIABLE]: String(number) });
    closeHandoffsOf(this.#worker.process);
    // What is sent to a process that is dying is lost; its death is told below.
    this.#worker.on('error', () => undefined);
    const started = Promise.withResolvers<Ports | undefined>();
    this.started = started.promise;
    this.#worker.on('message', (message: ToSupervisor) => {
      if (message.type === 'answer') this.#answered(message.id, message.text);
      else if (message.type === 'took') this.#letGo(message.id);
      else if (message.type === 'failed') this.#failure = message.text;
      else if (message.type === 'gaveUp') onGiveUp(message.text);
      else {
        this.#isServing = true;
        started.resolve(message);
      }
    });
    this.ended = new Promise((resolve) => {
      this.#worker.once('exit', (code: number | null, signal: string | null) => {
        this.#isServing = false;
        started.resolve(undefined);
        for (const id of [...this.#asked.keys()]) this.#answered(id, undefined);
        for (const id of [...this.#handedOver.keys()]) this.#letGo(id);
        resolve({ code, signal, failure: this.#failure });
      });
    });
  }

  get pid(): number | undefined {
    return this.#worker.process.pid;
  }

  get isServing(): boolean {
    return this.#isServing;
  }

  /** @returns undefined when it ends before it has answered, or cannot */
  ask(question: Question): Promise<string | undefined> {
    if (!this.#worker.isConnected()) return Promise.resolve(undefined);
    const id = this.#messages++;
    return new Promise((resolve) => {
      this.#asked.set(id, resolve);
      this.#send({ type: 'ask', id, question });
    });
  }

  /** Gives it a connection of the debug port. @param head what was read of it */
  handOver(socket: Socket, head: string): void {
    const id = this.#messages++;
    this.#handedOver.set(id, socket);
    // Until it has arrived there, it is this process that closes it.
    this.#worker.send({ type: 'debug', id, head } satisfies ToWorker, socket, { keepOpen: true }, () => undefined);
  }

  /** It is born with its code alone: nothing is read, or opened, before. */
  begin(): void {
    this.#send({ type: 'begin' });
  }

  stop(): void {
    this.#send({ type: 'stop' });
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }

  #send(message: ToWorker): void {
    this.#worker.send(message, undefined, undefined, () => undefined);
  }

  /** Open in the worker, it stays open. */
  #letGo(id: number): void {
    this.#handedOver.get(id)?.destroy();
    this.#handedOver.delete(id);
  }

  #answered(id: number, text: string | undefined): void {
    this.#asked.get(id)?.(text);
    this.#asked.delete(id);
  }
}
