/** Counters in this process's memory: exact for one process, gone with it. Bounded, and empties itself. */
import { hash } from 'node:crypto';
import { type Found, isChargedHit, type Outcome, type Taken, verdictOf } from '../../core/decision.ts';
import { type Hit, type ResolvedHit, resolveHit, type Target } from '../../core/hit.ts';
import type { StoredKey } from '../../core/key-record.ts';
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
  /** Where the records of API keys are. */
  readonly keys?: { stored(id: string): StoredKey | undefined } | undefined;
}

// Two looks per charge: at most one new subject per hit, so ended ones leave faster than new ones come.
const SWEPT_PER_HIT = 2;
const SUBJECT_CHARACTERS_MAX = 128;

export class MemoryStore implements CounterStore {
  readonly #clock: Pick<Clock, 'nowMillis'>;
  readonly #subjectsMax: number;
  readonly #keys: MemoryStoreOptions['keys'];
  /** In the order of their last charge. */
  readonly #subjects = new Map<string, Subject>();
  #sweep = this.#subjects.entries();
  /** Kept, since a new one walks over everything that was deleted before the first entry. */
  #oldest = this.#subjects.entries();
  #evicted = 0;

  constructor({ clock, subjectsMax, keys }: MemoryStoreOptions) {
    this.#clock = clock;
    this.#subjectsMax = subjectsMax;
    this.#keys = keys;
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
    const resolved = hits.map((hit) => resolveHit(hit, hit.key && this.#recordOf(hit), nowSeconds));
    const found = this.#read(hits, resolved, nowSeconds);
    const verdict = verdictOf(hits, found);
    hits.forEach((hit, index) => {
      const target = resolved[index]?.target;
      const isCharged = target && hit.cost !== 0 && isChargedHit(hit, verdict.outcomes[index] as Outcome, verdict);
      if (isCharged) this.#charge(target, hit.cost, nowSeconds);
    });
    return Promise.resolve({ nowSeconds, found });
  }

  forget(targets: readonly Pick<Target, 'subject'>[], windowSeconds?: number): Promise<void> {
    for (const { subject } of targets) {
      if (windowSeconds === undefined) this.#subjects.delete(shortened(subject));
      else this.#subjects.get(shortened(subject))?.counts.delete(windowSeconds);
    }
    return Promise.resolve();
  }

  probe(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#subjects.clear();
    return Promise.resolve();
  }

  #recordOf({ record }: Hit): StoredKey | undefined {
    return record === undefined ? undefined : this.#keys?.stored(record);
  }

  /** What each hit finds, those before it taken into account. */
  #read(hits: readonly Hit[], resolved: readonly ResolvedHit[], nowSeconds: number): Found[] {
    const earlier = hits.length > 1 ? new Earlier() : undefined;
    return hits.map((hit, index) => {
      const { standing, target } = resolved[index] as ResolvedHit;
      if (target === undefined) return { standing, windows: [], counts: [] };
      const held = this.#subjects.get(shortened(target.subject));
      const counts: number[] = [];
      let fits = true;
      for (const { seconds, algorithm, max } of target.windows) {
        const stored = earlier?.get(target.subject, seconds) ?? held?.counts.get(seconds);
        const { start, used } = algorithm.current(stored, seconds, nowSeconds);
        counts.push(start, used);
        if (isOver(used, hit.need, max)) fits = false;
      }
      if (fits || hit.charging !== 'together') earlier?.set(target, hit.cost, counts);
      return { standing, windows: target.windows, counts };
    });
  }

  #charge(target: Target, cost: number, nowSeconds: number): void {
    const name = shortened(target.subject);
    const subject = this.#subjects.get(name) ?? { counts: new Map(), endsAt: 0 };
    for (const { seconds, algorithm } of target.windows) {
      const { start, used } = algorithm.current(subject.counts.get(seconds), seconds, nowSeconds);
      const count = { start, used: charged(used, cost) };
      subject.counts.set(seconds, count);
      subject.endsAt = Math.max(subject.endsAt, algorithm.end(count, seconds));
    }
    this.#subjects.delete(name);
    this.#subjects.set(name, subject);
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
    const [name, subject] = this.#nextOldest();
    this.#subjects.delete(name);
    if (subject.endsAt > nowSeconds) this.#evicted += 1;
  }

  /** Everything that stood before it was deleted, or charged again and put behind the others. */
  #nextOldest(): [string, Subject] {
    const next = this.#oldest.next();
    if (!next.done) return next.value;
    this.#oldest = this.#subjects.entries();
    return this.#nextOldest();
  }
}

/** Callers choose how long a value is: however many subjects are held, what they take is known. */
function shortened(subject: string): string {
  if (subject.length <= SUBJECT_CHARACTERS_MAX) return subject;
  // As UTF-16, since values that are not UTF-8 would be one. No subject looks like a hash: each begins with a length and a colon.
  return hash('sha256', Buffer.from(subject, 'utf16le'), 'base64url');
}

/** What earlier hits of the same call will have charged, so that a subject named twice is counted twice. */
class Earlier {
  readonly #counts = new Map<string, Counts>();

  get(subject: string, seconds: number): WindowCount | undefined {
    return this.#counts.get(subject)?.get(seconds);
  }

  set({ subject, windows }: Target, cost: number, found: readonly number[]): void {
    const counts = this.#counts.get(subject) ?? new Map<number, WindowCount>();
    windows.forEach(({ seconds }, index) => {
      const start = found[2 * index] as number;
      counts.set(seconds, { start, used: charged(found[2 * index + 1] as number, cost) });
    });
    this.#counts.set(subject, counts);
  }
}
