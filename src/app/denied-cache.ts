/**
 * Remembers counters that are full, so that who is over his limit costs the store nothing (LOCAL_CACHE_SIZE_IN_BYTES).
 * Its answers are the store's own: only what cannot have changed since is told, but for a limit that was raised or a
 * counter that was reset elsewhere less than ENTRY_MILLIS_MAX ago. As with envoyproxy/ratelimit's, a `rate_limit` does
 * not count the denials that the store never learns of.
 */

import type { Hit } from '../core/hit.ts';
import type { Window } from '../core/limit.ts';
import { type Plan, withoutCharge } from '../core/plan.ts';
import { type Found, outcomeOf, type Taken, Votes } from '../core/verdict.ts';
import { isOver } from '../core/window.ts';
import type { Clock } from '../ports/clock.ts';

export interface DeniedCacheOptions {
  readonly clock: Pick<Clock, 'nowMillis' | 'monotonicMillis'>;
  /** About so much is held, but no less than BYTES_MIN. */
  readonly bytesMax: number;
}

/** What is known of a plan before the store is asked. */
export interface Recalled {
  /** The hits that the store is to be asked for; a denial that is known already has them read only. */
  readonly asked: readonly Hit[];
  /** Adds what is known, and remembers what is new. @param taken the answer to `asked`; undefined if that is empty */
  complete(taken: Taken | undefined): Taken;
}

/** How often something happened since the start. */
export interface DeniedCacheCounts {
  lookups: number;
  hits: number;
  evicted: number;
  expired: number;
  overwritten: number;
}

interface Entry {
  /** The windows' lengths. */
  readonly seconds: readonly number[];
  /** For every window its start, and what was used. */
  readonly counts: readonly number[];
  /** By the store's clock: when it was learned, and when the first of the windows ends. */
  readonly nowSeconds: number;
  readonly endsAt: number;
  readonly expiresAtMillis: number;
  readonly bytes: number;
}

type Known = readonly (Entry | undefined)[];

// A raised limit is to help at once, or nearly.
const ENTRY_MILLIS_MAX = 1_000;
// As envoyproxy/ratelimit's cache.
const BYTES_MIN = 512 * 1_024;
// What an entry takes beside its subject.
const ENTRY_BYTES = 300;
const CHARACTER_BYTES = 2;

export class DeniedCache {
  readonly #clock: DeniedCacheOptions['clock'];
  readonly #bytesMax: number;
  /** By subject, oldest first. */
  readonly #entries = new Map<string, Entry>();
  /** Kept, since a new one walks over everything that was deleted before the first entry. */
  #oldest = this.#entries.keys();
  #bytes = 0;
  readonly counts: DeniedCacheCounts = { lookups: 0, hits: 0, evicted: 0, expired: 0, overwritten: 0 };

  constructor({ clock, bytesMax }: DeniedCacheOptions) {
    this.#clock = clock;
    this.#bytesMax = Math.max(bytesMax, BYTES_MIN);
  }

  /** How many counters are held. */
  get size(): number {
    return this.#entries.size;
  }

  recall(plan: Plan): Recalled {
    const { hits } = plan;
    const { isKept, isTwice } = rememberedOf(plan);
    const found: Known = hits.map((hit, index) => (isKept[index] ? this.#find(hit) : undefined));
    // What is charged by `stop` depends on whether the others fit: all of them are known, or the store is asked for all.
    // And of one subject twice, the second is told what the first was to charge: it must not be read only.
    const isUnclear = hits.some(
      ({ charging }, index) => found[index] === undefined && (charging === 'stop' || isTwice[index]),
    );
    const known: Known = isUnclear ? hits.map(() => undefined) : found;
    const asked = hits.filter((_, index) => known[index] === undefined);
    this.counts.hits += hits.length - asked.length;
    const votes = new Votes();
    hits.forEach(({ denies }, index) => {
      votes.add(denies, known[index] !== undefined);
    });
    return {
      asked: votes.denial === 'none' ? asked : asked.map(withoutCharge),
      complete: (taken) => {
        const whole = this.#complete(hits, known, taken);
        hits.forEach((hit, index) => {
          if (hit.cost < 0) this.#remove(hit.subject, 'expired');
          else if (isKept[index] && known[index] === undefined) this.#learn(hit, whole.found[index] as Found, whole);
        });
        return whole;
      },
    };
  }

  #learn(hit: Hit, found: Found, { nowSeconds }: Taken): void {
    if (outcomeOf(hit, found) !== 'over') return;
    const { subject, windows, cost, charging } = hit;
    // What is not charged all or nothing was charged, although it does not fit.
    const added = charging === 'together' ? 0 : cost;
    const counts = found.counts.map((count, index) => (index % 2 === 1 ? count + added : count));
    if (!windows.some((window, index) => isFull(window, counts[2 * index + 1] as number))) return;
    const ends = windows.map(({ algorithm, seconds }, index) =>
      algorithm.end({ start: counts[2 * index] as number, used: counts[2 * index + 1] as number }, seconds),
    );
    const endsAt = Math.min(...ends);
    // The store's clock was read in whole seconds, and the store may be asked for other hits before this one is told.
    const millis = Math.min(ENTRY_MILLIS_MAX, (endsAt - nowSeconds - 2) * 1_000);
    if (millis <= 0) return;
    const seconds = windows.map((window) => window.seconds);
    const bytes = ENTRY_BYTES + CHARACTER_BYTES * subject.length;
    this.#remove(subject, 'overwritten');
    const expiresAtMillis = this.#clock.monotonicMillis() + millis;
    this.#entries.set(subject, { seconds, counts, nowSeconds, endsAt, expiresAtMillis, bytes });
    this.#bytes += bytes;
    while (this.#bytes > this.#bytesMax) this.#evict();
  }

  /** @returns undefined unless it is certain that the hit does not fit, and how all its windows stand */
  #find({ subject, windows, need }: Hit): Entry | undefined {
    this.counts.lookups += 1;
    const entry = this.#entries.get(subject);
    if (entry === undefined) return undefined;
    if (this.#clock.monotonicMillis() >= entry.expiresAtMillis) {
      this.#remove(subject, 'expired');
      return undefined;
    }
    const { seconds, counts } = entry;
    if (windows.length !== seconds.length) return undefined;
    let isKnownOver = false;
    for (const [index, window] of windows.entries()) {
      if (window.seconds !== seconds[index]) return undefined;
      const used = counts[2 * index + 1] as number;
      // Less than full may be charged by whoever asks for less, and would be no more what it was.
      if (isFull(window, used) && isOver(used, need, window.max)) isKnownOver = true;
    }
    return isKnownOver ? entry : undefined;
  }

  #complete(hits: readonly Hit[], known: Known, taken: Taken | undefined): Taken {
    let next = 0;
    const found = hits.map(({ windows }, index): Found => {
      const entry = known[index];
      if (entry !== undefined) return { standing: undefined, windows, counts: entry.counts, cached: true };
      next += 1;
      return taken?.found[next - 1] as Found;
    });
    return { nowSeconds: this.#nowFor(known, taken), found };
  }

  /** A second in which no window of the answer has ended. */
  #nowFor(known: Known, taken: Taken | undefined): number {
    let earliest = 0;
    let latest = Number.POSITIVE_INFINITY;
    for (const entry of known) {
      if (entry === undefined) continue;
      earliest = Math.max(earliest, entry.nowSeconds);
      latest = Math.min(latest, entry.endsAt - 1);
    }
    const now = taken?.nowSeconds ?? Math.min(Math.floor(this.#clock.nowMillis() / 1_000), earliest + 1);
    return Math.min(Math.max(now, earliest), latest);
  }

  /** Everything that stood before the oldest was removed, or learned again and put behind the others. */
  #evict(): void {
    const oldest = this.#oldest.next();
    if (oldest.done) this.#oldest = this.#entries.keys();
    else this.#remove(oldest.value, 'evicted');
  }

  #remove(subject: string, count: 'evicted' | 'expired' | 'overwritten'): void {
    const entry = this.#entries.get(subject);
    if (entry === undefined) return;
    this.#entries.delete(subject);
    this.#bytes -= entry.bytes;
    this.counts[count] += 1;
  }
}

/**
 * For every hit whether it may be remembered: no record of an API key can change what it comes to, what it found is not
 * what another hit of the plan was to charge, and nobody relies on its charge where it does not fit, as with `overdraft`.
 */
function rememberedOf({ descriptors, hits }: Plan): { readonly isKept: boolean[]; readonly isTwice: boolean[] } {
  const times = new Map<string, number>();
  for (const { subject } of hits) times.set(subject, (times.get(subject) ?? 0) + 1);
  const isTwice = hits.map(({ subject }) => times.get(subject) !== 1);
  const isKept = hits.map(({ key, cost }, index) => key === undefined && cost >= 0 && isTwice[index] === false);
  for (const planned of descriptors) if (planned?.limit.overdraft && planned.hitAt >= 0) isKept[planned.hitAt] = false;
  return { isKept, isTwice };
}

/** Nothing more fits. */
function isFull({ max }: Window, used: number): boolean {
  return used >= max;
}
