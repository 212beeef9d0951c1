/** Runs Lua scripts by their SHA-1, and brings the source where Redis does not know it. */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { oneWritePerTurn } from './connect.ts';

export interface Script {
  readonly source: string;
  /** How often the source was sent. */
  sent: number;
  /** How EVALSHA addresses it; nothing here depends on SHA-1 being collision-proof. */
  readonly sha: string;
}

export function scriptOf(source: string): Script {
  return { source, sent: 0, sha: hash('sha1', source) };
}

/** @param file a `.lua` file of this folder */
export function readSource(file: string): string {
  return readFileSync(new URL(`./${file}`, import.meta.url), 'utf8');
}

export class Scripts {
  readonly #redis: Redis;
  /** Called before every script call. */
  readonly #joinTurn: () => void;

  constructor(redis: Redis) {
    this.#redis = redis;
    this.#joinTurn = oneWritePerTurn(redis);
  }

  /**
   * A script that Redis has forgotten was not run, so asking again runs it once. Its source is sent by the first call
   * that learns of it; the others stand behind that one on the same connection, and ask by its name once more.
   * @param args the keys, then the arguments @param keys how many of them are keys
   */
  async run(script: Script, args: readonly (string | Buffer)[], keys: number, mayAskAgain = true): Promise<unknown> {
    const sentBefore = script.sent;
    this.#joinTurn();
    try {
      return await this.#redis.call('EVALSHA', [script.sha, keys, ...args]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      if (mayAskAgain && script.sent !== sentBefore) return this.run(script, args, keys, false);
      script.sent += 1;
      this.#joinTurn();
      return await this.#redis.call('EVAL', [script.source, keys, ...args]);
    }
  }
}
