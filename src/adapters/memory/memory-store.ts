/** Counters in this process's memory: exact for one process, gone with it. Bounded, and empties itself. */
import { hash } from 'node:crypto';
import { type Hit, type ResolvedHit, resolveHit, type Target } from '../../core/hit.ts';
import type { StoredKey } from '../../core/key-record.ts';
import { type Found, isChargedHit, type Outcome, type Taken, verdictOf } from '../../core/verdict.ts';
import { charged, isOver, type WindowCount } from '../../core/window.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CounterStore } from '../../ports/counter-store.ts';

/** Numbers of one window in `Subject.counts`: its length, its start, and what was used. */
const NUMBERS = 3;

/** One subject, between the one that was charged before it and the one that was charged after it. */
class Subject {
  readonly name: string;
  /** NUMBERS for each length of window. Numbers in one place, not objects: most charges touch memory that has gone cold. */
  readonly counts: number[] = [];
  /** Unix second from which on nothing in it counts. */
  endsAt = 0;
  isHeld = true;
  older: Subject = this;
  newer: Subject = this;

  constructor(name: string) {
    this.name = name;
  }

  get(seconds: number): WindowCount | undefined {
    const { counts } = this;
    const at = this.#at(seconds);
    return at < counts.length ? { start: counts[at + 1] as number, used: counts[at + 2] as number } : undefined;
  }

  set(seconds: number, { start, used }: WindowCount): void {
    const { counts } = this;
    const at = this.#at(seconds);
    counts[at] = seconds;
    counts[at + 1] = start;
    counts[at + 2] = used;
  }

  delete(seconds: number): void {
    this.counts.splice(this.#at(seconds), NUMBERS);
  }

  /** Behind all others for a length that there is none of. */
  #at(seconds: number): number {
    const { counts } = this;
    let at = 0;
    while (at < counts.length && counts[at] !== seconds) at += NUMBERS;
    return at;
  }
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
  readonly #subjects = new Map<string, Subject>();
  /** Where the ring of all subjects begins and ends: newer than it is who was charged longest ago. */
  readonly #ends = new Subject('');
  /** The last one that was looked at to see whether it still counts. */
  #swept = this.#ends;
  /** No subject's end is before it: until then, looking for ended ones would only touch memory that has gone cold. */
  #firstEnd = Number.POSITIVE_INFINITY;
  /** The same of those that the present lap has looked at, or that were charged since it began. */
  #lapsFirstEnd = Number.POSITIVE_INFINITY;
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
    return Promise.resolve(this.takeAtOnce(hits));
  }

  takeAtOnce(hits: readonly Hit[]): Taken {
    const nowSeconds = Math.floor(this.#clock.nowMillis() / 1_000);
    const earlier = hits.length > 1 ? new Earlier() : undefined;
    const targets: (Target | undefined)[] = [];
    const subjects: (Subject | undefined)[] = [];
    const found: Found[] = [];
    for (const hit of hits) {
      const resolved = resolveHit(hit, hit.key && this.#recordOf(hit), nowSeconds);
      const { target } = resolved;
      const subject = target && this.#subjects.get(shortened(target.subject));
      targets.push(target);
      subjects.push(subject);
      found.push(read(hit, resolved, subject, nowSeconds, earlier));
    }
    const verdict = verdictOf(hits, found);
    for (let index = 0; index < hits.length; index++) {
      const hit = hits[index] as Hit;
      const target = targets[index];
      const isCharged = hit.cost !== 0 && isChargedHit(hit, verdict.outcomes[index] as Outcome, verdict);
      if (target !== undefined && isCharged) this.#charge(target, subjects[index], hit.cost, nowSeconds);
    }
    return { nowSeconds, found };
  }

  forget(targets: readonly Pick<Target, 'subject'>[], windowSeconds?: number): Promise<void> {
    for (const target of targets) {
      const subject = this.#subjects.get(shortened(target.subject));
      if (windowSeconds !== undefined) subject?.delete(windowSeconds);
      else if (subject !== undefined) this.#remove(subject);
    }
    return Promise.resolve();
  }

  probe(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    while (this.#ends.newer !== this.#ends) this.#remove(this.#ends.newer);
    return Promise.resolve();
  }

  #recordOf({ record }: Hit): StoredKey | undefined {
    return record === undefined ? undefined : this.#keys?.stored(record);
  }

  /** @param found where the target was read; another hit of the call may have begun or ended it since */
  #charge(target: Target, found: Subject | undefined, cost: number, nowSeconds: number): void {
    const subject = found?.isHeld ? found : this.#subjectOf(shortened(target.subject));
    this.#putLast(subject);
    for (const { seconds, algorithm } of target.windows) {
      const { start, used } = algorithm.current(subject.get(seconds), seconds, nowSeconds);
      const count = { start, used: charged(used, cost) };
      subject.set(seconds, count);
      subject.endsAt = Math.max(subject.endsAt, algorithm.end(count, seconds));
    }
    this.#noteEnd(subject);
    this.#makeRoom(nowSeconds);
  }

  #subjectOf(name: string): Subject {
    let subject = this.#subjects.get(name);
    if (subject === undefined) {
      subject = new Subject(name);
      this.#subjects.set(name, subject);
    }
    return subject;
  }

  /** It is the one that was charged last. */
  #putLast(subject: Subject): void {
    this.#unlink(subject);
    const ends = this.#ends;
    subject.older = ends.older;
    subject.newer = ends;
    ends.older.newer = subject;
    ends.older = subject;
  }

  #remove(subject: Subject): void {
    this.#subjects.delete(subject.name);
    this.#unlink(subject);
    subject.isHeld = false;
  }

  #unlink(subject: Subject): void {
    if (this.#swept === subject) this.#swept = subject.older;
    subject.older.newer = subject.newer;
    subject.newer.older = subject.older;
  }

  #makeRoom(nowSeconds: number): void {
    if (nowSeconds >= this.#firstEnd) this.#sweep(nowSeconds);
    if (this.#subjects.size <= this.#subjectsMax) return;
    const oldest = this.#ends.newer;
    this.#remove(oldest);
    if (oldest.endsAt > nowSeconds) this.#evicted += 1;
  }

  #sweep(nowSeconds: number): void {
    for (let looked = 0; looked < SWEPT_PER_HIT; looked++) {
      const subject = this.#swept.newer;
      this.#swept = subject;
      if (subject === this.#ends) {
        this.#firstEnd = this.#lapsFirstEnd;
        this.#lapsFirstEnd = Number.POSITIVE_INFINITY;
        return;
      }
      if (subject.endsAt <= nowSeconds) this.#remove(subject);
      else this.#noteEnd(subject);
    }
  }

  #noteEnd({ endsAt }: Subject): void {
    this.#firstEnd = Math.min(this.#firstEnd, endsAt);
    this.#lapsFirstEnd = Math.min(this.#lapsFirstEnd, endsAt);
  }
}

/** @param earlier what the hits before it in the call charge */
function read(
  hit: Hit,
  { standing, target }: ResolvedHit,
  subject: Subject | undefined,
  nowSeconds: number,
  earlier: Earlier | undefined,
): Found {
  if (target === undefined) return { standing, windows: [], counts: [] };
  const { windows } = target;
  const counts: number[] = [];
  let fits = true;
  for (const { seconds, algorithm, max } of windows) {
    const stored = earlier?.get(target.subject, seconds) ?? subject?.get(seconds);
    const { start, used } = algorithm.current(stored, seconds, nowSeconds);
    counts.push(start, used);
    if (isOver(used, hit.need, max)) fits = false;
  }
  if (earlier !== undefined && (fits || hit.charging !== 'together')) earlier.set(target, hit.cost, counts);
  return { standing, windows, counts };
}

/** Callers choose how long a value is: however many subjects are held, what they take is known. */
function shortened(subject: string): string {
  if (subject.length <= SUBJECT_CHARACTERS_MAX) return subject;
  // As UTF-16, since values that are not UTF-8 would be one. No subject looks like a hash: each begins with a length and a colon.
  return hash('sha256', Buffer.from(subject, 'utf16le'), 'base64url');
}

/** What earlier hits of the same call will have charged, so that a subject named twice is counted twice. */
class Earlier {
  /** By subject, then by the length of the window. */
  readonly #counts = new Map<string, Map<number, WindowCount>>();

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
