/** What the statistics of envoyproxy/ratelimit make of one hit: how much of it was within, near and over the limit. Pure. */
import type { Counted } from './decision.ts';

/** What one hit adds to each statistic of its limit. */
export interface Tally {
  readonly totalHits: number;
  readonly overLimit: number;
  readonly nearLimit: number;
  readonly overLimitWithLocalCache: number;
  readonly withinLimit: number;
  readonly shadowMode: number;
}

/**
 * A hit that crosses the limit is divided: what came before it was near, what came after it was over.
 * @param nearLimitRatio NEAR_LIMIT_RATIO: the part of the limit from which on hits are near it
 */
export function tallyOf(counted: Counted, nearLimitRatio: number): Tally {
  const { hits, used, max, cached, shadow } = counted;
  if (cached) return overTally(hits, { over: hits, near: 0, cached: hits, shadow });
  const before = used - hits;
  const threshold = nearThreshold(max, nearLimitRatio);
  if (used <= max) {
    const near = used <= threshold ? 0 : Math.min(hits, used - threshold);
    return {
      totalHits: hits,
      overLimit: 0,
      nearLimit: near,
      overLimitWithLocalCache: 0,
      withinLimit: hits,
      shadowMode: 0,
    };
  }
  if (before >= max) return overTally(hits, { over: hits, near: 0, cached: 0, shadow });
  return overTally(hits, { over: used - max, near: max - Math.max(threshold, before), cached: 0, shadow });
}

interface Over {
  readonly over: number;
  readonly near: number;
  readonly cached: number;
  readonly shadow: boolean;
}

function overTally(hits: number, { over, near, cached, shadow }: Over): Tally {
  return {
    totalHits: hits,
    overLimit: over,
    nearLimit: near,
    overLimitWithLocalCache: cached,
    withinLimit: 0,
    shadowMode: shadow ? over : 0,
  };
}

/**
 * In single precision, as envoyproxy/ratelimit computes it: another rounding would move the threshold by one. No higher than
 * the limit, which a ratio above 1 would make it, and the rounding of a large limit to what single precision has.
 */
function nearThreshold(max: number, ratio: number): number {
  return Math.min(max, Math.floor(Math.fround(Math.fround(max) * Math.fround(ratio))));
}
