/** Counters in Redis: one script call per decision. What the script does is take.lua's matter. */
import { hash } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Taken } from '../../core/decision.ts';
import type { Hit, Target } from '../../core/hit.ts';
import type { CounterStore } from '../../ports/counter-store.ts';
import { recordKey } from './record-key.ts';
import { readSource, type Script, Scripts, scriptOf } from './scripts.ts';
import { argumentsOf, readReply } from './take-call.ts';
import { generalScript, straightScript } from './unroll.ts';

/** How long the trace of a probe stays. */
const PROBE_MILLIS = 1_000;

export interface RedisStoreOptions {
  readonly redis: Redis;
  /** Literal prefix of every key (CACHE_KEY_PREFIX). */
  readonly keyPrefix: string;
  /** An expiry is put off by up to so many seconds (EXPIRATION_JITTER_MAX_SECONDS). */
  readonly expirationJitterMaxSeconds: number;
}

export class RedisStore implements CounterStore {
  readonly #redis: Redis;
  readonly #scripts: Scripts;
  readonly #general = scriptOf(generalScript);
  readonly #forget = scriptOf(readSource('forget.lua'));
  readonly #prefix: string;
  readonly #jitter: string;
  /** By the lengths of the windows, and whether there is an API key: as many as policies and units have combinations. */
  readonly #straight = new Map<string, Script>();

  constructor({ redis, keyPrefix, expirationJitterMaxSeconds }: RedisStoreOptions) {
    this.#redis = redis;
    this.#scripts = new Scripts(redis);
    this.#prefix = `${keyPrefix}hr:`;
    this.#jitter = String(expirationJitterMaxSeconds);
  }

  async take(hits: readonly Hit[]): Promise<Taken> {
    const keys = hits.flatMap((hit) => this.#keysOf(hit));
    const args = [...keys, this.#jitter, ...hits.flatMap(argumentsOf)];
    const reply = await this.#scripts.run(this.#scriptFor(hits), args, keys.length);
    return readReply(hits, (reply as string[]).map(Number));
  }

  async forget(targets: readonly Pick<Target, 'subject' | 'record'>[], windowSeconds?: number): Promise<void> {
    const keys = targets.map((target) => this.#counterOf(target));
    if (windowSeconds === undefined) await Promise.all(keys.map((key) => this.#redis.del(key)));
    else await Promise.all(keys.map((key) => this.#scripts.run(this.#forget, [key, String(windowSeconds)], 1)));
  }

  /** A write, since a server that is full, or a replica, answers a PING, too. */
  async probe(): Promise<void> {
    await this.#redis.set(`${this.#prefix}probe`, '', 'PX', PROBE_MILLIS);
  }

  close(): Promise<void> {
    this.#redis.disconnect();
    return Promise.resolve();
  }

  #scriptFor(hits: readonly Hit[]): Script {
    const [hit] = hits;
    if (hit === undefined || hits.length > 1 || hit.cost < 0) return this.#general;
    const lengths = hit.windows.map(({ seconds }) => seconds);
    const keyed = hit.key !== undefined;
    const shape = `${keyed ? 'key ' : ''}${lengths.join()}`;
    let script = this.#straight.get(shape);
    if (script === undefined) {
      script = scriptOf(straightScript(lengths, keyed));
      this.#straight.set(shape, script);
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
  #counterOf({ subject, record }: Pick<Target, 'subject' | 'record'>): string {
    return `${this.#prefix}${record === undefined ? '' : `{${record}}:`}${keyOf(subject)}`;
  }
}

/** 43 characters whatever the subject: short keys, and no value of a descriptor in clear, secret or not. */
function keyOf(subject: string): string {
  // Encoded as UTF-8, all values that are not UTF-8 would be one.
  return hash('sha256', subject.isWellFormed() ? subject : Buffer.from(subject, 'utf16le'), 'base64url');
}
