/** The gauges of the local cache, as envoyproxy/ratelimit's cache names them. */
import type { Clock } from '../../ports/clock.ts';
import type { LocalCacheGauges } from './registry.ts';

/** The cache, as far as it is told of. */
export interface ObservedCache {
  /** How many entries there are. */
  readonly size: number;
  readonly counts: {
    readonly lookups: number;
    readonly hits: number;
    readonly evicted: number;
    readonly expired: number;
    readonly overwritten: number;
  };
}

export function localCacheGauges({ size, counts }: ObservedCache, clock: Pick<Clock, 'nowMillis'>): LocalCacheGauges {
  return {
    // A unix second there; an entry of this cache is gone a second after it was written.
    averageAccessTime: size === 0 ? 0 : Math.floor(clock.nowMillis() / 1_000),
    entryCount: size,
    evacuateCount: counts.evicted,
    expiredCount: counts.expired,
    hitCount: counts.hits,
    lookupCount: counts.lookups,
    missCount: counts.lookups - counts.hits,
    overwriteCount: counts.overwritten,
  };
}
