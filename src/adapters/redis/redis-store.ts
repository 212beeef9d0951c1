/** Counters in Redis: in one, in a Cluster, in a second one for seconds. One script call per decision wherever its hits allow. */
import type { Taken } from '../../core/decision.ts';
import type { Hit, Target } from '../../core/hit.ts';
import type { CounterStore } from '../../ports/counter-store.ts';
import type { RedisConnection } from './connect.ts';
import { type Counted, Counters, type CountersOptions } from './counters.ts';
import { type Parts, roams, takeInParts, takeRoaming } from './parted-take.ts';
import { SLOTS } from './slot.ts';

export interface RedisStoreOptions extends CountersOptions {
  /** Takes what is counted by the second alone (REDIS_PERSECOND); API keys with a record stay beside their records. */
  readonly perSecond?: RedisConnection | undefined;
}

export class RedisStore implements CounterStore {
  readonly #main: Counters;
  readonly #perSecond: Counters | undefined;
  /** Undefined: every call is one script call, whatever its hits. */
  readonly #parts: Parts | undefined;

  constructor({ perSecond, ...main }: RedisStoreOptions) {
    this.#main = new Counters(main);
    this.#perSecond = perSecond && new Counters({ ...main, redis: perSecond });
    if (perSecond !== undefined || main.redis.isCluster) {
      this.#parts = {
        partOf: (target) => this.#partOf(target),
        take: (part, hits) => this.#countersAt(part).take(hits),
        refund: (part, charge) => this.#countersAt(part).refund(charge),
      };
    }
  }

  take(hits: readonly Hit[]): Promise<Taken> {
    const [hit] = hits;
    if (this.#parts === undefined || hit === undefined) return this.#main.take(hits);
    if (hits.length > 1) return this.#takeSeveral(hits, this.#parts);
    return roams(hit, this.#parts) ? takeRoaming(hit, this.#parts) : this.#countersOf(hit).take(hits);
  }

  async forget(targets: readonly Counted[], windowSeconds?: number): Promise<void> {
    // In which of two a subject is counted depends on its windows, and they may have been others.
    const all = this.#perSecond === undefined ? [this.#main] : [this.#main, this.#perSecond];
    await Promise.all(targets.flatMap((target) => all.map((counters) => counters.forget(target, windowSeconds))));
  }

  async probe(): Promise<void> {
    await Promise.all([this.#main.probe(), this.#perSecond?.probe()]);
  }

  close(): Promise<void> {
    this.#main.close();
    this.#perSecond?.close();
    return Promise.resolve();
  }

  #takeSeveral(hits: readonly Hit[], parts: Parts): Promise<Taken> {
    const part = parts.partOf(hits[0] as Hit);
    if (hits.every((hit) => !roams(hit, parts) && parts.partOf(hit) === part)) return parts.take(part, hits);
    return takeInParts(hits, parts);
  }

  /** The slot where it matters; in the second Redis, so many more. */
  #partOf(target: Target): number {
    const counters = this.#countersOf(target);
    return (counters.isCluster ? counters.slotOf(target) : 0) + (counters === this.#main ? 0 : SLOTS);
  }

  #countersOf({ record, windows }: Target): Counters {
    if (this.#perSecond === undefined || record !== undefined) return this.#main;
    return windows.every(({ seconds }) => seconds === 1) ? this.#perSecond : this.#main;
  }

  #countersAt(part: number): Counters {
    return this.#perSecond !== undefined && part >= SLOTS ? this.#perSecond : this.#main;
  }
}
