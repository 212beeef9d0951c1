/** Window arithmetic: which window a moment falls in, and what counts there. Knows no store. */

/** What a subject holds for one window. */
export interface WindowCount {
  /** Unix second at which the counted window began. */
  readonly start: number;
  /** Charges made since, 0 … COST_MAX. */
  readonly used: number;
}

/** Counts and costs stay exact up to here: a Lua number is a double, as a JavaScript number is. */
export const COST_MAX = Number.MAX_SAFE_INTEGER;

/**
 * Everything that one kind of window decides. take.lua is the twin of every implementation:
 * both are tested with the same vectors.
 */
export interface WindowAlgorithm {
  /** The count that is in force at `nowSeconds`, given what is stored (undefined: nothing). */
  current(stored: WindowCount | undefined, windowSeconds: number, nowSeconds: number): WindowCount;
  /** The first unix second at which `count` no longer limits anybody. */
  end(count: WindowCount, windowSeconds: number): number;
}

/** Windows that begin at multiples of their length since the epoch, so that every replica agrees on them. */
export const fixedWindow: WindowAlgorithm = {
  current(stored, windowSeconds, nowSeconds) {
    const start = windowStart(nowSeconds, windowSeconds);
    // A window that starts later than now's means that the clock stepped back: resetting it would hand out its budget twice.
    return stored !== undefined && stored.start >= start ? stored : { start, used: 0 };
  },
  end(count, windowSeconds) {
    return count.start + windowSeconds;
  },
};

/** The count after a charge, or for a negative cost a refund: never below 0, never above what stays exact. */
export function charged(used: number, cost: number): number {
  return Math.max(0, Math.min(used + cost, COST_MAX));
}

/** Whether `need` more does not fit. Written so that no intermediate of a charge exceeds 2^53; a refund always fits. */
export function isOver(used: number, need: number, max: number): boolean {
  return used > max - need;
}

export function windowStart(nowSeconds: number, windowSeconds: number): number {
  return nowSeconds - (nowSeconds % windowSeconds);
}
