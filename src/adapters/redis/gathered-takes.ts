/** Sends the plain hits of one turn of the event loop together: those that are charged alike are one script call, take-many.lua. */

import type { Hit } from '../../core/hit.ts';
import type { Window } from '../../core/limit.ts';
import type { Taken } from '../../core/verdict.ts';
import type { RedisConnection } from './connect.ts';
import { type Script, type Scripts, scriptOf } from './scripts.ts';
import { manyScript } from './unroll.ts';

// Redis serves nobody else meanwhile: 128 hits with two windows each take it about half a millisecond.
const WINDOWS_MAX = 256;
// Policies have few; limits that requests bring may be any. Those that are known are then forgotten at once, and made anew.
const SHAPES_MAX = 1_000;

/** By take-many.lua: the time, then for every window its length, start and use. */
const TIME_BYTES = 5;
const RECORD_BYTES = 16;
const START_AT = 4;
const USED_AT = 9;

/** What the windows of a hit come to for the script: the same for all limits that say the same. */
interface Shape {
  readonly script: Script;
  /** Of each window its max, as an argument. */
  readonly maxes: readonly string[];
  readonly hitsMax: number;
  /** Takes more hits of this turn. */
  open: Batch | undefined;
}

export class GatheredTakes {
  readonly #redis: RedisConnection;
  readonly #scripts: Scripts;
  readonly #jitter: string;
  /** By the lengths of the windows: as many as policies and units have combinations. */
  readonly #scriptOf = new Map<string, Script>();
  readonly #shapes = new Map<string, Shape>();
  /** A policy's windows are the same object in every hit. */
  readonly #shapeOf = new WeakMap<readonly Window[], Shape>();
  /** Those of this turn, in the order in which they were opened. */
  #batches: Batch[] = [];
  readonly #send = (): void => {
    const batches = this.#batches;
    this.#batches = [];
    for (const batch of batches) this.#sendBatch(batch);
  };

  /** @param jitter see take-many.lua */
  constructor(redis: RedisConnection, scripts: Scripts, jitter: string) {
    this.#redis = redis;
    this.#scripts = scripts;
    this.#jitter = jitter;
  }

  /**
   * Sent when the turn ends. Hits of the same windows take effect in the order of their calls.
   * @param hit without an API key, its cost not negative @param key where it is counted
   */
  take(hit: Hit, key: string): Promise<Taken> {
    const shape = this.#shapeOf.get(hit.windows) ?? this.#findShape(hit.windows);
    const { open } = shape;
    const batch = open?.takes(hit) ? open : this.#openBatch(shape, hit);
    return batch.add(key, hit.windows);
  }

  #openBatch(shape: Shape, hit: Hit): Batch {
    const batch = new Batch(shape, hit);
    shape.open = batch;
    if (this.#batches.length === 0) this.#redis.joinTurn(this.#send);
    this.#batches.push(batch);
    return batch;
  }

  #sendBatch(batch: Batch): void {
    const { shape, keys } = batch;
    shape.open = undefined;
    const args = [...keys, this.#jitter, ...batch.charge, ...shape.maxes];
    this.#scripts
      .runForBytes(shape.script, args, keys.length)
      .then((reply) => batch.settle(reply as Reply))
      .catch((error: unknown) => batch.fail(error));
  }

  #findShape(windows: readonly Window[]): Shape {
    const name = windows.map(({ seconds, max }) => `${seconds}:${max}`).join();
    let shape = this.#shapes.get(name);
    if (shape === undefined) {
      // Keys of one call must be of one slot.
      const hitsMax = this.#redis.isCluster ? 1 : Math.ceil(WINDOWS_MAX / windows.length);
      const maxes = windows.map(({ max }) => String(max));
      shape = { script: this.#findScript(windows), maxes, hitsMax, open: undefined };
      if (this.#shapes.size >= SHAPES_MAX) this.#shapes.clear();
      this.#shapes.set(name, shape);
    }
    this.#shapeOf.set(windows, shape);
    return shape;
  }

  #findScript(windows: readonly Window[]): Script {
    const lengths = windows.map(({ seconds }) => seconds);
    const name = lengths.join();
    let script = this.#scriptOf.get(name);
    if (script === undefined) {
      script = scriptOf(manyScript(lengths));
      this.#scriptOf.set(name, script);
    }
    return script;
  }
}

/** The counts in bytes; then of every hit that failed by itself its place from 1, and the error. */
type Reply = readonly [counts: Buffer, ...failures: (string | Buffer)[]];

interface Call {
  readonly windows: readonly Window[];
  readonly resolve: (taken: Taken) => void;
  readonly reject: (error: unknown) => void;
}

/** Hits that are charged alike, and by one script call. */
class Batch {
  readonly shape: Shape;
  readonly keys: string[] = [];
  readonly #cost: number;
  readonly #need: number;
  readonly #fitting: boolean;
  readonly #calls: Call[] = [];

  constructor(shape: Shape, hit: Hit) {
    this.shape = shape;
    this.#cost = hit.cost;
    this.#need = hit.need;
    this.#fitting = isFitting(hit);
  }

  /** As arguments of the script. */
  get charge(): string[] {
    return [this.#fitting ? '1' : '0', String(this.#cost), String(this.#need)];
  }

  takes(hit: Hit): boolean {
    const isAlike = hit.cost === this.#cost && hit.need === this.#need && isFitting(hit) === this.#fitting;
    return isAlike && this.keys.length < this.shape.hitsMax;
  }

  add(key: string, windows: readonly Window[]): Promise<Taken> {
    return new Promise((resolve, reject) => {
      this.keys.push(key);
      this.#calls.push({ windows, resolve, reject });
    });
  }

  settle([counts, ...failures]: Reply): void {
    const nowSeconds = counts.readUIntLE(0, TIME_BYTES);
    for (let at = 0; at < failures.length; at += 2) {
      const error = new Error(String(failures[at + 1]));
      this.#calls[Number(failures[at]) - 1]?.reject(error);
    }
    let at = TIME_BYTES;
    for (const { windows, resolve } of this.#calls) {
      // Of a hit that has failed, nothing any more.
      resolve(takenOf(windows, nowSeconds, counts, at));
      at += RECORD_BYTES * windows.length;
    }
  }

  fail(error: unknown): void {
    for (const { reject } of this.#calls) reject(error);
  }
}

/** Alone in its call, a hit that is not charged together with others is always charged, whatever it does to the request. */
function isFitting({ charging }: Hit): boolean {
  return charging === 'together';
}

/** @param at where in `counts` the first of the windows begins */
function takenOf(windows: readonly Window[], nowSeconds: number, counts: Buffer, at: number): Taken {
  const found: number[] = [];
  let record = at;
  for (const { algorithm, seconds } of windows) {
    const stored = { start: counts.readUIntLE(record + START_AT, 5), used: usedAt(counts, record + USED_AT) };
    const { start, used } = algorithm.current(stored, seconds, nowSeconds);
    found.push(start, used);
    record += RECORD_BYTES;
  }
  return { nowSeconds, found: [{ standing: undefined, windows, counts: found }] };
}

/** Seven bytes are one more than Buffer reads at once. */
function usedAt(counts: Buffer, at: number): number {
  return counts.readUIntLE(at, 3) + counts.readUInt32LE(at + 3) * 2 ** 24;
}
