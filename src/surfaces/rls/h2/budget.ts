/** So many a second, and so many at once, or twice that where they were saved up: whoever asks for more floods. */
import type { Clock } from '../../../ports/clock.ts';

export interface BudgetOptions {
  readonly clock: Pick<Clock, 'monotonicMillis'>;
  readonly perSecond: number;
  readonly burstMax: number;
}

export class Budget {
  readonly #options: BudgetOptions;
  #left: number;
  #filledAt: number;

  constructor(options: BudgetOptions) {
    this.#options = options;
    this.#left = options.burstMax;
    this.#filledAt = options.clock.monotonicMillis();
  }

  /** @returns false when it is used up. The clock is read only then. */
  spend(): boolean {
    if (this.#left < 1) this.#fill();
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }

  /** Whoever does what it is there for may do so many more. */
  earn(count: number): void {
    this.#left = Math.min(this.#options.burstMax, this.#left + count);
  }

  #fill(): void {
    const { clock, perSecond, burstMax } = this.#options;
    const now = clock.monotonicMillis();
    this.#left = Math.min(burstMax, this.#left + ((now - this.#filledAt) * perSecond) / 1_000);
    this.#filledAt = now;
  }
}
