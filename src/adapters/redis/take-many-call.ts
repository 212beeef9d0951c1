/** take-many.lua's call in the bytes of the protocol, and its reply. Written by hand: to make a text of every key costs as much as all else. */
import { Command } from 'ioredis';
import type { Window } from '../../core/limit.ts';
import type { Taken } from '../../core/verdict.ts';
import { HASH_CHARACTERS } from './counter-key.ts';
import type { Addressed } from './scripts.ts';

/** Of the reply: the time, then for every window its length (4), start (5) and use (7). */
const TIME_BYTES = 5;
const RECORD_BYTES = 16;
const START_AT = 4;
const START_BYTES = 5;
const USED_AT = 9;

const CRLF_BYTES = 2;

/** An argument as it is sent. */
export function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

/** Writes calls whose keys are all one prefix and a hash. */
export class TakeManyCalls {
  /** Of every key all but its hash: the same for all, and so one copy. */
  readonly #blanks: Buffer;
  readonly #keyBytes: number;
  readonly #prefix: string;

  /** @param keysMax of a call */
  constructor(prefix: string, keysMax: number) {
    const blank = Buffer.from(bulk(prefix + '_'.repeat(HASH_CHARACTERS)));
    this.#blanks = Buffer.concat(Array.from({ length: keysMax }, () => blank));
    this.#keyBytes = blank.length;
    this.#prefix = prefix;
  }

  /** @param hashes as subjectHash gives them @param args each as `bulk` has it, all in one @param count how many they are */
  command({ command, script }: Addressed, hashes: readonly string[], args: string, count: number): Command {
    const keys = String(hashes.length);
    const head = `*${3 + hashes.length + count}\r\n${bulk(command)}${bulk(script)}${bulk(keys)}`;
    const headBytes = Buffer.byteLength(head);
    const keysBytes = hashes.length * this.#keyBytes;
    const bytes = Buffer.allocUnsafe(headBytes + keysBytes + args.length);
    bytes.write(head, 0);
    this.#blanks.copy(bytes, headBytes, 0, keysBytes);
    let at = headBytes - HASH_CHARACTERS - CRLF_BYTES;
    for (const hash of hashes) {
      at += this.#keyBytes;
      bytes.write(hash, at, HASH_CHARACTERS, 'latin1');
    }
    bytes.write(args, headBytes + keysBytes, 'latin1');
    return new WrittenCommand(command, [script, keys, this.#prefix + hashes[0]?.slice(0, HASH_CHARACTERS)], bytes);
  }
}

/** A command whose bytes are there already. */
class WrittenCommand extends Command {
  readonly #bytes: Buffer;

  /** @param args as far as a Cluster is to know them: it finds the slot by the first key */
  constructor(name: string, args: string[], bytes: Buffer) {
    super(name, args, { replyEncoding: null });
    this.#bytes = bytes;
  }

  override toWritable(): Buffer {
    return this.#bytes;
  }
}

/** The counts in bytes; then of every hit that failed by itself its place from 1, and the error. */
export type TakeManyReply = readonly [counts: Buffer, ...failures: (string | Buffer)[]];

export interface Asked {
  readonly windows: readonly Window[];
  readonly resolve: (taken: Taken) => void;
  readonly reject: (error: unknown) => void;
}

/** @param asked in the order of their keys */
export function settleAll(asked: readonly Asked[], [counts, ...failures]: TakeManyReply): void {
  const nowSeconds = counts.readUIntLE(0, TIME_BYTES);
  for (let at = 0; at < failures.length; at += 2) {
    asked[Number(failures[at]) - 1]?.reject(new Error(String(failures[at + 1])));
  }
  let at = TIME_BYTES;
  for (const { windows, resolve } of asked) {
    // Of one that was rejected, nothing any more.
    resolve(takenOf(windows, nowSeconds, counts, at));
    at += RECORD_BYTES * windows.length;
  }
}

/** @param at where in `counts` the first of the windows begins */
function takenOf(windows: readonly Window[], nowSeconds: number, counts: Buffer, at: number): Taken {
  // Pushed to, an array would make room for 17.
  const found = new Array<number>(2 * windows.length);
  windows.forEach(({ algorithm, seconds }, index) => {
    const record = at + RECORD_BYTES * index;
    const stored = { start: counts.readUIntLE(record + START_AT, START_BYTES), used: usedAt(counts, record + USED_AT) };
    const { start, used } = algorithm.current(stored, seconds, nowSeconds);
    found[2 * index] = start;
    found[2 * index + 1] = used;
  });
  return { nowSeconds, found: [{ standing: undefined, windows, counts: found }] };
}

/** Seven bytes are one more than Buffer reads at once. */
function usedAt(counts: Buffer, at: number): number {
  return counts.readUIntLE(at, 3) + counts.readUInt32LE(at + 3) * 2 ** 24;
}
