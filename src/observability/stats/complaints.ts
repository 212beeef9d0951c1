/** What went wrong with statistics, told once of each kind: it may come back with every flush. */
import type { Log } from '../../ports/log.ts';

/** Kinds that are told; what else there may be is not. */
export const COMPLAINTS_MAX = 20;

export class Complaints {
  readonly #log: Log;
  readonly #told = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param what a word of a closed set: with the error's name and code it is a kind */
  readonly failed = (what: string, error: unknown): void => {
    const { name = '', code = '' } = (error ?? {}) as NodeJS.ErrnoException;
    const kind = `${what} ${name} ${code}`;
    if (this.#told.has(kind) || this.#told.size >= COMPLAINTS_MAX) return;
    this.#told.add(kind);
    this.#log.error({ err: error, what }, 'statistics are incomplete (told once of each kind)');
  };
}
