/** Whether this server wants calls, and why not. Told to everybody who watches. */

/** Why a server does not want calls. */
export type HealthReason =
  /** It is on its way out. Health goes down once, before connections do, and never comes back. */
  | 'draining'
  /** It has no policies to decide by. */
  | 'no_configuration'
  /** It has no live connection to Redis, and was told to mind. */
  | 'redis';

export class HealthState {
  readonly #reasons = new Set<HealthReason>();
  readonly #watchers = new Set<() => void>();

  /** Whether no reason is present. */
  get serving(): boolean {
    return this.#reasons.size === 0;
  }

  get draining(): boolean {
    return this.#reasons.has('draining');
  }

  /** In the order in which they came. */
  get reasons(): readonly HealthReason[] {
    return [...this.#reasons];
  }

  /** Saying again what is known already tells nobody. */
  setReason(reason: HealthReason, present: boolean): void {
    if (this.#reasons.has(reason) === present) return;
    if (present) this.#reasons.add(reason);
    else this.#reasons.delete(reason);
    for (const tell of this.#watchers) tell();
  }

  /** Settles at the next change of any reason, or when `signal` is aborted. */
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
