/** Whether this server wants calls. Told to everybody who watches. */

export class HealthState {
  #serving = true;
  readonly #watchers = new Set<() => void>();

  get serving(): boolean {
    return this.#serving;
  }

  /** For the rest of the process's life: health goes down once, before connections do. */
  stopServing(): void {
    this.#serving = false;
    for (const tell of this.#watchers) tell();
  }

  /** Settles at the next change, or when `signal` is aborted. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#watchers.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#watchers.add(done);
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
  }
}
