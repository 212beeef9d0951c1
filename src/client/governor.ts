/** Which calls share a limit: one lane per key. */
import type { Clock } from './environment.ts';
import { Lane } from './lane.ts';

/** With more, the one not used for longest is forgotten: its next call finds out anew what is left. */
const KEYS_MAX = 1_000;

export class Governor {
  readonly #clock: Clock;
  /** In the order of their last use. */
  readonly #lanes = new Map<string, Lane>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many keys are remembered. */
  get keys(): number {
    return this.#lanes.size;
  }

  /** If all that are remembered are in use, the lane is not: calls of this key then know nothing of each other. */
  laneOf(key: string): Lane {
    const lane = this.#lanes.get(key) ?? new Lane(this.#clock);
    this.#lanes.delete(key);
    if (this.#makeRoom()) this.#lanes.set(key, lane);
    return lane;
  }

  #makeRoom(): boolean {
    if (this.#lanes.size < KEYS_MAX) return true;
    for (const [key, lane] of this.#lanes) {
      if (lane.isIdle) return this.#lanes.delete(key);
    }
    return false;
  }
}
