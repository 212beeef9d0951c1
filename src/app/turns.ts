/** Who changes one thing after the other: tasks of one name run in the order in which they came, those of others beside. */

export class Turns {
  /** The end of the last task of each name; no entry: none runs or waits. Calls in flight bound it. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** @returns what the task gives. It fails as the task fails; the next one runs all the same */
  async take<T>(name: string, task: () => Promise<T>): Promise<T> {
    const run = (this.#last.get(name) ?? Promise.resolve()).then(task);
    const end = run.catch(() => undefined);
    this.#last.set(name, end);
    try {
      return await run;
    } finally {
      if (this.#last.get(name) === end) this.#last.delete(name);
    }
  }

  /** Names with a task that runs or waits. */
  get size(): number {
    return this.#last.size;
  }
}
