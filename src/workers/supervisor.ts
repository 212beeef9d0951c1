/** Keeps so many workers alive, and ends them together. What a worker does is not known here. */
import type { Clock, Timer } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Ports } from './messages.ts';
import { RestartDelay } from './restart-delay.ts';
import { type WorkerEnd, WorkerProcess } from './worker-process.ts';

// Each sets a flag and says so. One that is busy for longer closes its ports a little after it was asked to leave.
const LEAVE_MILLIS_MAX = 1_000;
// Beyond the drain times a worker sends what its telemetry holds (3 s) and its statistics (1 s), and may have been asked
// while it was still starting.
const STOP_MARGIN_MILLIS = 5_000;

export interface SupervisorOptions {
  readonly count: number;
  /** What workers have in their environment beside this process's own. */
  readonly env: Readonly<Record<string, string>>;
  /** What DRAIN_DELAY and DRAIN_TIMEOUT come to. */
  readonly drainMillis: number;
  readonly clock: Clock;
  readonly log: Log;
  /** A worker serves, but none of them is of use. May be called more than once. */
  readonly onGiveUp: (failure: WorkerFailure) => void;
}

/** What keeps the workers from serving, in the words that the only process would end with. */
export class WorkerFailure extends Error {
  readonly code = 'WORKER_FAILED';

  constructor(message: string) {
    super(message);
    this.name = 'WorkerFailure';
  }
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #alive = new Map<number, WorkerProcess>();
  readonly #delays = new Map<number, RestartDelay>();
  readonly #waiting = new Set<Timer>();
  readonly #watchers = new Set<(worker: WorkerProcess) => void>();
  #isStopping = false;
  #restarts = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Deaths that were no part of a stop. */
  get restarts(): number {
    return this.#restarts;
  }

  /** In the order of their numbers. */
  get serving(): readonly WorkerProcess[] {
    return [...this.#alive.values()].filter((each) => each.isServing).sort((a, b) => a.number - b.number);
  }

  /** Tells of each worker that has ended, whatever for. */
  onEnd(tell: (worker: WorkerProcess) => void): void {
    this.#watchers.add(tell);
  }

  /**
   * Settles when all of them serve. They load their code side by side, but the first one goes ahead: what keeps it from
   * serving would keep every other, and is told once; and a unix socket that a dead process has left is replaced once.
   * @throws WorkerFailure
   */
  async start(): Promise<Ports> {
    const numbers = Array.from({ length: this.#options.count }, (_, index) => index + 1);
    const [first, ...others] = numbers.map((number) => this.#fork(number));
    const ports = await this.#begin(first as WorkerProcess);
    await Promise.all(others.map((worker) => this.#begin(worker)));
    return ports;
  }

  /** @returns whether all of them have ended by themselves, in time and well. Stopping again waits for the same end. */
  async stop(): Promise<boolean> {
    this.#isStopping = true;
    for (const timer of this.#waiting) timer.cancel();
    const workers = [...this.#alive.values()];
    const ends = Promise.all(workers.map((worker) => worker.ended));
    // All are told before any closes: nobody finds health up in one who has just been sent away by another.
    await this.#within(LEAVE_MILLIS_MAX, Promise.all(workers.map((worker) => worker.ask('leave'))));
    for (const worker of workers) worker.stop();
    await this.#within(this.#options.drainMillis + STOP_MARGIN_MILLIS, ends);
    this.kill();
    return (await ends).every(({ code }) => code === 0);
  }

  /** Ends all that are alive, at once and with every call in flight. */
  kill(): void {
    for (const worker of this.#alive.values()) worker.kill();
  }

  async #begin(worker: WorkerProcess): Promise<Ports> {
    if (!this.#isStopping) worker.begin();
    const ports = await worker.started;
    if (ports === undefined) {
      const { code, signal, failure } = await worker.ended;
      const how = signal ?? `exit code ${code}`;
      throw new WorkerFailure(failure ?? `worker ${worker.number} ended before it served (${how})`);
    }
    // From now on it is replaced.
    this.#delays.set(worker.number, new RestartDelay());
    return ports;
  }

  #fork(number: number): WorkerProcess {
    const { env, clock, onGiveUp } = this.#options;
    const worker = new WorkerProcess({ number, env, onGiveUp: (text) => onGiveUp(new WorkerFailure(text)) });
    this.#alive.set(number, worker);
    const bornMillis = clock.monotonicMillis();
    void worker.ended.then((end) => {
      this.#alive.delete(number);
      for (const tell of this.#watchers) tell(worker);
      if (!this.#isStopping) this.#replace(worker, end, clock.monotonicMillis() - bornMillis);
    });
    return worker;
  }

  #replace({ number, pid }: WorkerProcess, { code, signal, failure }: WorkerEnd, livedMillis: number): void {
    const delayMillis = this.#delays.get(number)?.millisAfter(livedMillis);
    if (delayMillis === undefined) return;
    this.#restarts += 1;
    const { log, clock } = this.#options;
    const why = failure === undefined ? {} : { reason: failure };
    log.error(
      { worker: number, pid, code, signal, ...why, delayMillis },
      'a worker has ended, another takes its place',
    );
    const timer = clock.after(delayMillis, () => {
      this.#waiting.delete(timer);
      this.#fork(number).begin();
    });
    this.#waiting.add(timer);
  }

  async #within(millis: number, work: Promise<unknown>): Promise<void> {
    await new Promise<void>((resolve) => {
      const patience = this.#options.clock.after(millis, resolve);
      void work.then(() => {
        patience.cancel();
        resolve();
      });
    });
  }
}
