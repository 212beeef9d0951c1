/** The counters in one Redis: one script call for hits that are charged together, or alike in the same turn. Where a hit belongs is redis-store.ts's matter. */
import type { Hit, Target } from '../../core/hit.ts';
import type { Taken } from '../../core/verdict.ts';
import type { RedisConnection } from './connect.ts';
import { HASH_CHARACTERS, subjectHash } from './counter-key.ts';
import { GatheredTakes } from './gathered-takes.ts';
import { recordKey } from './record-key.ts';
import { readSource, type Script, Scripts, scriptOf } from './scripts.ts';
import { SLOTS, slotOf } from './slot.ts';
import { argumentsOf, readReply } from './take-call.ts';
import { generalScript, keyedScript, STRAIGHT_WINDOWS_MAX } from './unroll.ts';

/** How long the trace of a probe stays. */
const PROBE_MILLIS = 1_000;
/** In a Cluster, so many keys are asked for, each in a stretch of slots of its own: no primary has more of them than is its share. */
const PROBES_IN_CLUSTER = 16;
// Sixteen stretches are hit after 50 names on average. With a hash tag in the prefix all are on one slot, and one name is enough.
const PROBE_NAMES_TRIED_MAX = 1_000;

export interface CountersOptions {
  readonly redis: RedisConnection;
  /** Literal prefix of every key (CACHE_KEY_PREFIX). */
  readonly keyPrefix: string;
  /** An expiry is put off by up to so many seconds (EXPIRATION_JITTER_MAX_SECONDS). */
  readonly expirationJitterMaxSeconds: number;
}

/** Who is counted, as far as that says where. */
export type Counted = Pick<Target, 'subject' | 'record'>;

/** What one hit charged. */
export interface ChargeMade {
  readonly target: Target;
  readonly cost: number;
  /** For every window two numbers, of which the first is its start. */
  readonly counts: readonly number[];
}

export class Counters {
  readonly #redis: RedisConnection;
  readonly #scripts: Scripts;
  readonly #general = scriptOf(generalScript);
  readonly #forget = scriptOf(readSource('forget.lua'));
  readonly #refund = scriptOf(readSource('refund.lua'));
  readonly #prefix: string;
  readonly #jitter: string;
  readonly #probes: readonly string[];
  readonly #gathered: GatheredTakes;
  /** For hits with an API key, by the lengths of the windows: as many as policies and units have combinations. */
  readonly #keyed = new Map<string, Script>();

  constructor({ redis, keyPrefix, expirationJitterMaxSeconds }: CountersOptions) {
    this.#redis = redis;
    this.#scripts = new Scripts(redis);
    this.#prefix = `${keyPrefix}hr:`;
    this.#jitter = String(expirationJitterMaxSeconds);
    this.#gathered = new GatheredTakes({ redis, scripts: this.#scripts, prefix: this.#prefix, jitter: this.#jitter });
    this.#probes = redis.isCluster ? probesOverSlots(this.#prefix) : [`${this.#prefix}probe`];
  }

  get isCluster(): boolean {
    return this.#redis.isCluster;
  }

  /** @param hits in a Cluster all of one slot */
  take(hits: readonly Hit[]): Promise<Taken> {
    const hit = hits[0] as Hit;
    return hits.length === 1 && isPlain(hit) ? this.#gathered.take(hit) : this.#takeAlone(hits);
  }

  /** What was charged in a window that has ended since stays as it is. */
  async refund({ target, cost, counts }: ChargeMade): Promise<void> {
    const windows = target.windows.flatMap(({ seconds }, index) => [String(seconds), String(counts[2 * index])]);
    await this.#scripts.run(this.#refund, [this.#counterOf(target), String(cost), ...windows], 1);
  }

  async forget(counted: Counted, windowSeconds?: number): Promise<void> {
    const key = this.#counterOf(counted);
    if (windowSeconds === undefined) await this.#redis.client.del(key);
    else await this.#scripts.run(this.#forget, [key, String(windowSeconds)], 1);
  }

  /**
   * A write, since a server that is full, or a replica, answers a PING, too. In a Cluster, more than half of it has to
   * take one: a smaller part that is down, or says nothing, does not keep the rest from being asked.
   */
  probe(): Promise<void> {
    return byMajority(this.#probes.map((key) => this.#probeAt(key)));
  }

  slotOf(counted: Counted): number {
    return slotOf(this.#counterOf(counted));
  }

  close(): void {
    this.#redis.close();
  }

  async #probeAt(key: string): Promise<void> {
    this.#redis.joinTurn();
    await this.#redis.client.set(key, '', 'PX', PROBE_MILLIS);
  }

  async #takeAlone(hits: readonly Hit[]): Promise<Taken> {
    const keys = hits.flatMap((hit) => this.#keysOf(hit));
    const args = [...keys, this.#jitter, ...hits.flatMap(argumentsOf)];
    const reply = await this.#scripts.run(this.#scriptFor(hits), args, keys.length);
    return readReply(hits, (reply as string[]).map(Number));
  }

  #scriptFor(hits: readonly Hit[]): Script {
    const [hit] = hits;
    if (hit?.key === undefined || hits.length > 1 || !isStraight(hit)) return this.#general;
    const lengths = hit.windows.map(({ seconds }) => seconds);
    const name = lengths.join();
    let script = this.#keyed.get(name);
    if (script === undefined) {
      script = scriptOf(keyedScript(lengths));
      this.#keyed.set(name, script);
    }
    return script;
  }

  #keysOf(hit: Hit): string[] {
    const counter = this.#counterOf(hit);
    if (hit.key === undefined) return [counter];
    const record = recordKey(this.#prefix, hit.record as string);
    return hit.key.unknown === undefined ? [counter, record] : [counter, record, this.#counterOf(hit.key.unknown)];
  }

  /** Beside its record by Redis Cluster's hash tag, if there is one. */
  #counterOf({ subject, record }: Counted): string {
    return `${this.#prefix}${record === undefined ? '' : `{${record}}:`}${subjectHash(subject).slice(0, HASH_CHARACTERS)}`;
  }
}

/** Counted by its subject alone. */
function isPlain(hit: Hit): boolean {
  return hit.key === undefined && hit.record === undefined && isStraight(hit);
}

function isStraight({ cost, windows }: Hit): boolean {
  return cost >= 0 && windows.length <= STRAIGHT_WINDOWS_MAX;
}

function probesOverSlots(prefix: string): readonly string[] {
  const keys = new Map<number, string>();
  for (let tried = 0; tried < PROBE_NAMES_TRIED_MAX && keys.size < PROBES_IN_CLUSTER; tried++) {
    const key = `${prefix}probe:${tried}`;
    const stretch = Math.floor((slotOf(key) * PROBES_IN_CLUSTER) / SLOTS);
    if (!keys.has(stretch)) keys.set(stretch, key);
  }
  return [...keys.values()];
}

/** Settles as more than half do, or fails as half do; those that say nothing are not waited for. */
function byMajority(attempts: readonly Promise<void>[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let succeeded = 0;
    let failed = 0;
    for (const attempt of attempts) {
      attempt.then(
        () => {
          succeeded += 1;
          if (2 * succeeded > attempts.length) resolve();
        },
        (error: unknown) => {
          failed += 1;
          if (2 * failed >= attempts.length) reject(error);
        },
      );
    }
  });
}
