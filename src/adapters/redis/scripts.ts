/** Runs Lua scripts by their SHA-1, and brings the source where Redis does not know it. */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RedisConnection } from './connect.ts';

export interface Script {
  readonly source: string;
  /** How often the source was sent, to whichever node. */
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
  readonly #redis: RedisConnection;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  /** @param args the keys, then the arguments @param keys how many of them are keys */
  run(script: Script, args: readonly (string | Buffer)[], keys: number): Promise<unknown> {
    return this.#run('call', script, args, keys);
  }

  /** As `run`, but strings in the reply are bytes. */
  runForBytes(script: Script, args: readonly (string | Buffer)[], keys: number): Promise<unknown> {
    return this.#run('callBuffer', script, args, keys);
  }

  /**
   * A script that a node does not know was not run, so asking again runs it once. Its source is sent by the first call
   * that learns of it; the others stand behind that one on the same connection, and ask by its name once more. Where
   * that one went to another node of a Cluster, they learn it from the second answer.
   */
  async #run(
    how: 'call' | 'callBuffer',
    script: Script,
    args: readonly (string | Buffer)[],
    keys: number,
    mayAskAgain = true,
  ): Promise<unknown> {
    const { client } = this.#redis;
    const sentBefore = script.sent;
    this.#redis.joinTurn();
    try {
      return await client[how]('EVALSHA', [script.sha, keys, ...args]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      if (mayAskAgain && script.sent !== sentBefore) return this.#run(how, script, args, keys, false);
      script.sent += 1;
      this.#redis.joinTurn();
      return await client[how]('EVAL', [script.source, keys, ...args]);
    }
  }
}
