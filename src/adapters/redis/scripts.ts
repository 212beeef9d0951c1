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

/** A script by its name, or by its source. */
export interface Addressed {
  readonly command: 'EVALSHA' | 'EVAL';
  readonly script: string;
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
    return this.ask(script, ({ command, script: text }) => this.#redis.client.call(command, [text, keys, ...args]));
  }

  /**
   * A script that a node does not know was not run, so asking again runs it once. Its source is sent by the first call
   * that learns of it; the others stand behind that one on the same connection, and ask by its name once more. Where
   * that one went to another node of a Cluster, they learn it from the second answer.
   * @param send the same call each time, but for how the script is addressed
   */
  async ask(script: Script, send: (addressed: Addressed) => unknown, mayAskAgain = true): Promise<unknown> {
    const sentBefore = script.sent;
    this.#redis.joinTurn();
    try {
      return await send({ command: 'EVALSHA', script: script.sha });
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      if (mayAskAgain && script.sent !== sentBefore) return this.ask(script, send, false);
      script.sent += 1;
      this.#redis.joinTurn();
      return await send({ command: 'EVAL', script: script.source });
    }
  }
}
