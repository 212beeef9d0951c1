/**
 * Changes of records in a Cluster, where a record and the lists that it stands in are on different slots. The record is the
 * truth and changes first, together with a note of what follows; whoever finds that note does what it says.
 */
import type { WriteOutcome } from '../../ports/key-registry.ts';
import type { RedisConnection } from './connect.ts';
import { readSource, type Scripts, scriptOf } from './scripts.ts';

const PLACES = readSource('audit.lua') + readSource('places.lua');
const WRITE_RECORD = scriptOf(readSource('record.lua') + readSource('write-record.lua'));
const WRITE_PLACES = scriptOf(PLACES + readSource('write-places.lua'));
const DROP = scriptOf(readSource('drop.lua'));

// A write takes milliseconds. Whoever asks for the same again while it is under way is told to come again.
const CLAIM_SECONDS = 10;
const ATTEMPTS_MAX = 3;

/** One change, in the arguments of places.lua and record.lua. */
export interface SteppedWrite {
  readonly recordKey: string;
  readonly change: readonly string[];
  /** All of the lists' slot. */
  readonly placesKeys: readonly string[];
  readonly placesArgs: readonly string[];
  /** Of this change alone, also among attempts at one and the same; of the lists' slot. */
  readonly markKey: string;
}

/** A remembered reply begins with this; before it is one, the name is claimed for a record that is being written. */
const REPLY = '+';
const CLAIM = '?';

export function replyText(reply: string): string {
  return REPLY + reply;
}

export class SteppedWrites {
  readonly #redis: RedisConnection;
  readonly #scripts: Scripts;

  constructor(redis: RedisConnection, scripts: Scripts) {
    this.#redis = redis;
    this.#scripts = scripts;
  }

  /** @param replyKey where the reply is remembered, if it is */
  async write(write: SteppedWrite, replyKey: string | undefined): Promise<WriteOutcome> {
    // The mark makes it differ from the claim of whoever comes after this one has ended, also for the same record.
    const claim = CLAIM + JSON.stringify([write.recordKey, write.markKey]);
    if (replyKey !== undefined) {
      const refused = await this.#claim(replyKey, claim);
      if (refused !== undefined) return refused;
    }
    const follows = JSON.stringify([[write.markKey, ...write.placesKeys], write.placesArgs]);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const keys = [write.recordKey, unfinishedKey(write.recordKey)];
      const reply = await this.#scripts.run(WRITE_RECORD, [...keys, follows, ...write.change], keys.length);
      const [kind, unfinished] = reply as [string, string];
      if (kind === 'conflict') break;
      await this.#finish(write.recordKey, kind === 'written' ? follows : unfinished);
      if (kind === 'written') return { kind };
    }
    if (replyKey !== undefined) await this.#scripts.run(DROP, [replyKey, claim], 1);
    return { kind: 'conflict' };
  }

  /** Does what should have followed from the record's last change, if whoever made that has not. */
  async finishOf(recordKey: string): Promise<void> {
    const unfinished = await this.#redis.client.get(unfinishedKey(recordKey));
    if (unfinished !== null) await this.#finish(recordKey, unfinished);
  }

  /** Undefined also while the write that it is of is under way. */
  async replyAt(replyKey: string): Promise<string | undefined> {
    const held = await this.#redis.client.get(replyKey);
    if (held === null || held.startsWith(REPLY)) return held?.slice(REPLY.length);
    // Whoever claimed it may have ended between the two steps.
    const [recordKey] = JSON.parse(held.slice(CLAIM.length)) as [string, string];
    await this.finishOf(recordKey);
    const now = await this.#redis.client.get(replyKey);
    return now?.startsWith(REPLY) ? now.slice(REPLY.length) : undefined;
  }

  /** @returns undefined: it is claimed now */
  async #claim(replyKey: string, claim: string): Promise<WriteOutcome | undefined> {
    if ((await this.#redis.client.set(replyKey, claim, 'EX', CLAIM_SECONDS, 'NX')) !== null) return undefined;
    const reply = await this.replyAt(replyKey);
    return reply === undefined ? { kind: 'conflict' } : { kind: 'repeated', reply };
  }

  async #finish(recordKey: string, follows: string): Promise<void> {
    const [keys, args] = JSON.parse(follows) as [string[], string[]];
    await this.#scripts.run(WRITE_PLACES, [...keys, ...args], keys.length);
    await this.#scripts.run(DROP, [unfinishedKey(recordKey), follows], 1);
  }
}

/** Beside the record, on its slot. Not in it: a long field costs a hash its compact form for good. */
function unfinishedKey(recordKey: string): string {
  return `${recordKey}:unfinished`;
}
