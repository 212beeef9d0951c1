/** Metrics of several workers, asked by a deadline: nothing that was counted is taken back. */
import { expect, test } from '@jest/globals';
import { ANSWER_MILLIS_MAX, CollectedMetrics, type MeasuredWorker } from '../../src/workers/collected-metrics.ts';
import { ENDED_SERIES_MAX } from '../../src/workers/metrics-page.ts';
import { ManualClock } from '../support/clock.ts';
import { sumOf } from '../support/workers.ts';

/** Answers what it is told to, when it is told to. */
class Scripted implements MeasuredWorker {
  asked = 0;
  #waiting: ((text: string | undefined) => void)[] = [];
  #ready: string | undefined;

  ask(): Promise<string | undefined> {
    this.asked += 1;
    if (this.#ready !== undefined) return Promise.resolve(this.#ready);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** At once, from now on. */
  tells(counter: number): this {
    this.#ready = text(counter);
    return this;
  }

  isSilent(): this {
    this.#ready = undefined;
    return this;
  }

  answers(counter: number | undefined): void {
    for (const resolve of this.#waiting.splice(0)) resolve(counter === undefined ? undefined : text(counter));
  }
}

function text(counter: number): string {
  return `# TYPE c counter\nc ${counter}\n# TYPE g gauge\ng 1\n`;
}

function collected(...workers: Scripted[]) {
  const clock = new ManualClock();
  const metrics = new CollectedMetrics({ question: 'metrics', workers: () => workers, restarts: () => 3, clock });
  /** As much time passes as an answer may take. */
  const scrape = async (): Promise<Record<string, number>> => {
    const answer = metrics.text();
    await clock.pass(ANSWER_MILLIS_MAX);
    const page = await answer;
    return { c: sumOf(page, 'c'), g: sumOf(page, 'g'), reporting: sumOf(page, 'headroom_workers_reporting') };
  };
  return { metrics, scrape, workers };
}

test('all that answer are summed, and how many died is told', async () => {
  const { metrics, scrape } = collected(new Scripted().tells(2), new Scripted().tells(5));
  expect(await scrape()).toEqual({ c: 7, g: 2, reporting: 2 });
  expect(sumOf(await metrics.text(), 'headroom_workers_restarts_total')).toBe(3);
});

test('one that is late counts as it last did, has no gauges, and is not asked again meanwhile', async () => {
  const late = new Scripted().tells(2);
  const { metrics, scrape } = collected(late, new Scripted().tells(5));
  await scrape();
  late.isSilent();
  expect(await scrape()).toEqual({ c: 7, g: 1, reporting: 1 });
  expect(await scrape()).toEqual({ c: 7, g: 1, reporting: 1 });
  expect(late.asked).toBe(2);
  late.answers(4);
  late.tells(6);
  await metrics.text();
  expect(await scrape()).toEqual({ c: 11, g: 2, reporting: 2 });
});

test('one that has never answered is not there', async () => {
  const { scrape } = collected(new Scripted(), new Scripted().tells(5));
  expect(await scrape()).toEqual({ c: 5, g: 1, reporting: 1 });
});

test('what one had counted stays when it ends, and its successor begins beside that', async () => {
  const [first, other] = [new Scripted().tells(2), new Scripted().tells(5)];
  const { metrics, scrape, workers } = collected(first, other);
  await scrape();
  workers.splice(0, 1, new Scripted().tells(0));
  metrics.forget(first);
  expect(await scrape()).toEqual({ c: 7, g: 2, reporting: 2 });
  workers[0]?.tells(1);
  expect(await scrape()).toEqual({ c: 8, g: 2, reporting: 2 });
});

test('one that ends while it is asked is waited for no longer', async () => {
  const dying = new Scripted();
  const { metrics, workers } = collected(dying, new Scripted().tells(5));
  const answer = metrics.text();
  dying.answers(undefined);
  workers.splice(0, 1);
  metrics.forget(dying);
  expect(sumOf(await answer, 'c')).toBe(5);
  expect(sumOf(await answer, 'headroom_workers_reporting')).toBe(1);
});

test('of more series than there may be of the ended, those of the last one are not kept', async () => {
  const many = Array.from({ length: ENDED_SERIES_MAX }, (_, index) => `c{n="${index}"} 1`).join('\n');
  const worker: MeasuredWorker = { ask: () => Promise.resolve(`# TYPE c counter\n${many}\n`) };
  const workers = [worker, new Scripted().tells(5)];
  const options = { question: 'metrics' as const, restarts: () => 0, clock: new ManualClock() };
  const metrics = new CollectedMetrics({ ...options, workers: () => workers });
  await metrics.text();
  for (const each of workers.splice(0)) metrics.forget(each);
  expect(sumOf(await metrics.text(), 'c')).toBe(ENDED_SERIES_MAX);
});
