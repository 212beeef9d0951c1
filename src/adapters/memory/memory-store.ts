/** Counters in this process's memory: exact for one process, gone with it. Bounded, and empties itself. */
import { isChargedHit, type Taken, verdictOf } from '../../core/decision.ts';
import type { Hit } from '../../core/plan.ts';
import { charged, isOver, type WindowCount } from '../../core/window.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CounterStore } from '../../ports/counter-store.ts';

/** One subject's windows by their length in seconds. */
type Counts = Map<number, WindowCount>;

interface Subject {
  readonly counts: Counts;
  /** Unix second from which on nothing in it counts. */
  endsAt: number;
}

export interface MemoryStoreOptions {
  readonly clock: Pick<Clock, 'nowMillis'>;
  /** Beyond it, the subject that was charged longest ago is forgotten, and so begins anew. */
  readonly subjectsMax: number;
}

// Two looks per charge: at most one new subject per hit, so ended ones leave faster than new ones come.
const SWEPT_PER_HIT = 2;

export class MemoryStore implements CounterStore {
  readonly #clock: Pick<Clock, 'nowMillis'>;
  readonly #subjectsMax: number;
  /** In the order of their last charge. */
  readonly #subjects = new Map<string, Subject>();
  #sweep = this.#subjects.entries();
  #evicted = 0;

  constructor({ clock, subjectsMax }: MemoryStoreOptions) {
    this.#clock = clock;
    this.#subjectsMax = subjectsMax;
  }

  /** How many subjects are held. */
  get size(): number {
    return this.#subjects.size;
  }

  /** How many subjects were forgotten while they still counted. */
  get evicted(): number {
    return this.#evicted;
  }

  take(hits: readonly Hit[]): Promise<Taken> {
    const nowSeconds = Math.floor(this.#clock.nowMillis() / 1_000);
    const counts = this.#read(hits, nowSeconds);
    const { denied, over } = verdictOf(hits, counts);
    hits.forEach((hit, index) => {
      if (hit.cost !== 0 && isChargedHit(hit, over[index] === true, denied)) this.#charge(hit, nowSeconds);
    });
    return Promise.resolve({ nowSeconds, counts });
  }

  probe(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#subjects.clear();
    return Promise.resolve();
  }

  /** Start and used of every window of every hit, as each hit finds them. */
  #read(hits: readonly Hit[], nowSeconds: number): number[] {
    const found: number[] = [];
    const earlier = hits.length > 1 ? new Earlier() : undefined;
    for (const hit of hits) {
      const subject = this.#subjects.get(hit.subject);
      let fits = true;
      const from = found.length;
      for (const { seconds, algorithm, max } of hit.windows) {
        const stored = earlier?.get(hit.subject, seconds) ?? subject?.counts.get(seconds);
        const { start, used } = algorithm.current(stored, seconds, nowSeconds);
        found.push(start, used);
        if (isOver(used, hit.need, max)) fits = false;
      }
      if (fits || hit.always) earlier?.set(hit, found, from);
    }
    return found;
  }

  #charge(hit: Hit, nowSeconds: number): void {
    const subject = this.#subjects.get(hit.subject) ?? { counts: new Map(), endsAt: 0 };
    for (const { seconds, algorithm } of hit.windows) {
      const { start, used } = algorithm.current(subject.counts.get(seconds), seconds, nowSeconds);
      const count = { start, used: charged(used, hit.cost) };
      subject.counts.set(seconds, count);
      subject.endsAt = Math.max(subject.endsAt, algorithm.end(count, seconds));
    }
    this.#subjects.delete(hit.subject);
    this.#subjects.set(hit.subject, subject);
    this.#makeRoom(nowSeconds);
  }

  #makeRoom(nowSeconds: number): void {
    for (let looked = 0; looked < SWEPT_PER_HIT; looked++) {
      const next = this.#sweep.next();
      if (next.done) {
        this.#sweep = this.#subjects.entries();
        break;
      }
      const [name, subject] = next.value;
      if (subject.endsAt <= nowSeconds) this.#subjects.delete(name);
    }
    if (this.#subjects.size <= this.#subjectsMax) return;
    const oldest = this.#subjects.entries().next();
    if (oldest.done) return;
    const [name, subject] = oldest.value;
    this.#subjects.delete(name);
    if (subject.endsAt > nowSeconds) this.#evicted += 1;
  }
}

/** What earlier hits of the same call will have charged, so that a subject named twice is counted twice. */
class Earlier {
  readonly #counts = new Map<string, Counts>();

  get(subject: string, seconds: number): WindowCount | undefined {
    return this.#counts.get(subject)?.get(seconds);
  }

  set(hit: Hit, found: readonly number[], from: number): void {
    const counts = this.#counts.get(hit.subject) ?? new Map<number, WindowCount>();
    hit.windows.forEach(({ seconds }, index) => {
      const start = found[from + 2 * index] as number;
      counts.set(seconds, { start, used: charged(found[from + 2 * index + 1] as number, hit.cost) });
    });
    this.#counts.set(hit.subject, counts);
  }
}
