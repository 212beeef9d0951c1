/** The metrics of all workers as those of one service: what was counted never steps back, whoever ends or is late. */
import type { Clock } from '../ports/clock.ts';
import type { Question } from './messages.ts';
import { addPage, ENDED_SERIES_MAX, type MetricsPage, pageOf, seriesIn, textOf } from './metrics-page.ts';

// A scrape has 10 s. A worker that is alive answers in milliseconds.
export const ANSWER_MILLIS_MAX = 1_000;

/** A worker, as far as it is asked for metrics. */
export interface MeasuredWorker {
  /** @returns undefined when it has ended, or cannot tell */
  ask(question: Question): Promise<string | undefined>;
}

export interface CollectedMetricsOptions {
  readonly question: 'metrics' | 'page';
  readonly workers: () => readonly MeasuredWorker[];
  /** How many have died. */
  readonly restarts: () => number;
  readonly clock: Pick<Clock, 'after'>;
}

export class CollectedMetrics {
  readonly #options: CollectedMetricsOptions;
  /** What each that is alive has told last. */
  readonly #told = new Map<MeasuredWorker, MetricsPage>();
  /** Those that have not answered yet, be it for long: nobody is asked twice at a time. */
  readonly #asked = new Map<MeasuredWorker, Promise<void>>();
  /** What those that have ended had counted when they last told. */
  #ended: MetricsPage = new Map();

  constructor(options: CollectedMetricsOptions) {
    this.#options = options;
  }

  /** A worker that does not answer in time counts as it last did, and has no gauges. */
  async text(): Promise<string> {
    const { workers, restarts } = this.#options;
    const inTime = new Set<MeasuredWorker>();
    const answers = workers().map((worker) => this.#ask(worker).then(() => inTime.add(worker)));
    await this.#inTime(Promise.all(answers));
    const sum: MetricsPage = new Map();
    addPage(sum, this.#ended, false);
    for (const [worker, page] of this.#told) addPage(sum, page, inTime.has(worker));
    const reporting = [...inTime].filter((worker) => this.#told.has(worker)).length;
    return textOf(sum) + ownText(restarts(), reporting);
  }

  /** What it had counted is kept. */
  forget(worker: MeasuredWorker): void {
    const page = this.#told.get(worker);
    this.#told.delete(worker);
    if (page === undefined || seriesIn(this.#ended) + seriesIn(page) > ENDED_SERIES_MAX) return;
    addPage(this.#ended, page, false);
  }

  #ask(worker: MeasuredWorker): Promise<void> {
    const asked = this.#asked.get(worker) ?? this.#listen(worker);
    this.#asked.set(worker, asked);
    return asked;
  }

  async #listen(worker: MeasuredWorker): Promise<void> {
    const text = await worker.ask(this.#options.question);
    this.#asked.delete(worker);
    if (text !== undefined) this.#told.set(worker, pageOf(text));
  }

  #inTime(work: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const deadline = this.#options.clock.after(ANSWER_MILLIS_MAX, resolve);
      void work.then(() => {
        deadline.cancel();
        resolve();
      });
    });
  }
}

function ownText(restarts: number, reporting: number): string {
  return `# HELP headroom_workers_restarts_total Workers that have ended and were replaced
# TYPE headroom_workers_restarts_total counter
headroom_workers_restarts_total ${restarts}
# HELP headroom_workers_reporting Workers whose metrics of now are among these
# TYPE headroom_workers_reporting gauge
headroom_workers_reporting ${reporting}
`;
}
