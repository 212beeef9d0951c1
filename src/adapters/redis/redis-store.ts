/** Counters in Redis: one script call per decision. What the script does is take.lua's matter. */
import { hash } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Taken } from '../../core/decision.ts';
import type { Hit } from '../../core/plan.ts';
import type { CounterStore } from '../../ports/counter-store.ts';
import { type Script, Scripts, scriptOf } from './scripts.ts';
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
  readonly #prefix: string;
  readonly #jitter: string;
  /** By the lengths of the windows: as many as policies and units have combinations. */
  readonly #straight = new Map<string, Script>();

  constructor({ redis, keyPrefix, expirationJitterMaxSeconds }: RedisStoreOptions) {
    this.#redis = redis;
    this.#scripts = new Scripts(redis);
    this.#prefix = `${keyPrefix}hr:`;
    this.#jitter = String(expirationJitterMaxSeconds);
  }

  async take(hits: readonly Hit[]): Promise<Taken> {
    const reply = await this.#scripts.run(this.#scriptFor(hits), this.#arguments(hits), hits.length);
    const [nowSeconds, ...counts] = (reply as string[]).map(Number);
    return { nowSeconds: nowSeconds as number, counts };
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
    if (hit === undefined || hits.length > 1 || hit.always || hit.cost < 0) return this.#general;
    const lengths = hit.windows.map(({ seconds }) => seconds);
    let script = this.#straight.get(lengths.join());
    if (script === undefined) {
      script = scriptOf(straightScript(lengths));
      this.#straight.set(lengths.join(), script);
    }
    return script;
  }

  #arguments(hits: readonly Hit[]): string[] {
    const args = hits.map((hit) => this.#prefix + keyOf(hit.subject));
    args.push(this.#jitter);
    for (const { always, enforced, cost, need, windows } of hits) {
      args.push(always ? '1' : '0', enforced ? '1' : '0', String(cost), String(need), String(windows.length));
      for (const { seconds, max } of windows) args.push(String(seconds), String(max));
    }
    return args;
  }
}

/** 43 characters whatever the subject: short keys, and no value of a descriptor in clear, secret or not. */
function keyOf(subject: string): string {
  // Encoded as UTF-8, all values that are not UTF-8 would be one.
  return hash('sha256', subject.isWellFormed() ? subject : Buffer.from(subject, 'utf16le'), 'base64url');
}
