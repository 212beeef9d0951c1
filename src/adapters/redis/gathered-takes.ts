/** Sends the plain hits of one turn of the event loop together: those that are charged alike are one script call, take-many.lua. */
import type { Hit } from '../../core/hit.ts';
import type { Window } from '../../core/limit.ts';
import type { Taken } from '../../core/verdict.ts';
import type { RedisConnection } from './connect.ts';
import { subjectHash } from './counter-key.ts';
import { type Script, type Scripts, scriptOf } from './scripts.ts';
import { type Asked, bulk, settleAll, TakeManyCalls, type TakeManyReply } from './take-many-call.ts';
import { manyScript } from './unroll.ts';

// Redis serves nobody else meanwhile: 128 hits with two windows each take it about half a millisecond.
const WINDOWS_MAX = 256;
// Policies have few; limits that requests bring may be any. Those that are known are then forgotten at once, and made anew.
const SHAPES_MAX = 1_000;

export interface GatheredTakesOptions {
  readonly redis: RedisConnection;
  readonly scripts: Scripts;
  /** Of every key. */
  readonly prefix: string;
  /** See take-many.lua. */
  readonly jitter: string;
}

/** What the windows of a hit come to for the script: the same for all limits that say the same. */
interface Shape {
  readonly script: Script;
  /** Of each window its max. */
  readonly maxes: readonly string[];
  readonly hitsMax: number;
  /** Takes more hits of this turn. */
  open: Batch | undefined;
}

/** Hits that are charged alike, and by one script call. */
interface Batch {
  readonly shape: Shape;
  readonly cost: number;
  readonly need: number;
  readonly isFitting: boolean;
  readonly hashes: string[];
  readonly asked: Asked[];
}

export class GatheredTakes {
  readonly #redis: RedisConnection;
  readonly #scripts: Scripts;
  readonly #jitter: string;
  readonly #calls: TakeManyCalls;
  /** By the lengths of the windows: as many as policies and units have combinations. */
  readonly #scriptOf = new Map<string, Script>();
  readonly #shapes = new Map<string, Shape>();
  /** A policy's windows are the same object in every hit. */
  readonly #shapeOf = new WeakMap<readonly Window[], Shape>();
  /** Those of this turn, in the order in which they were opened. */
  #batches: Batch[] = [];

  constructor({ redis, scripts, prefix, jitter }: GatheredTakesOptions) {
    this.#redis = redis;
    this.#scripts = scripts;
    this.#jitter = jitter;
    this.#calls = new TakeManyCalls(prefix, WINDOWS_MAX);
  }

  /**
   * Sent when the turn ends. Hits of the same windows take effect in the order of their calls.
   * @param hit without an API key or a record, its cost not negative
   */
  take(hit: Hit): Promise<Taken> {
    const { windows, subject } = hit;
    const hash = subjectHash(subject);
    const shape = this.#shapeOf.get(windows) ?? this.#findShape(windows);
    const { open } = shape;
    const { hashes, asked } = open !== undefined && isRoomFor(hit, open) ? open : this.#openBatch(shape, hit);
    return new Promise((resolve, reject) => {
      hashes.push(hash);
      asked.push({ windows, resolve, reject });
    });
  }

  #openBatch(shape: Shape, hit: Hit): Batch {
    const { cost, need } = hit;
    const batch = { shape, cost, need, isFitting: isFitting(hit), hashes: [], asked: [] };
    shape.open = batch;
    if (this.#batches.length === 0) this.#redis.joinTurn(() => this.#send());
    this.#batches.push(batch);
    return batch;
  }

  #send(): void {
    const batches = this.#batches;
    this.#batches = [];
    for (const batch of batches) {
      batch.shape.open = undefined;
      void this.#sendBatch(batch);
    }
  }

  async #sendBatch({ shape, cost, need, isFitting: fitting, hashes, asked }: Batch): Promise<void> {
    const args = [this.#jitter, fitting ? '1' : '0', String(cost), String(need), ...shape.maxes];
    const written = args.map(bulk).join('');
    try {
      const reply = await this.#scripts.ask(shape.script, (addressed) => {
        const command = this.#calls.command(addressed, hashes, written, args.length);
        return this.#redis.client.sendCommand(command);
      });
      settleAll(asked, reply as TakeManyReply);
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
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

function isRoomFor(hit: Hit, { shape, cost, need, isFitting: fitting, hashes }: Batch): boolean {
  return hit.cost === cost && hit.need === need && isFitting(hit) === fitting && hashes.length < shape.hitsMax;
}

/** Alone in its call, a hit that is not charged together with others is always charged, whatever it does to the request. */
function isFitting({ charging }: Hit): boolean {
  return charging === 'together';
}
