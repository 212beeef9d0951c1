/** What rules decisions beside their policies. */
import { systemClock } from '../adapters/system-clock/system-clock.ts';
import { DeniedCache } from '../app/denied-cache.ts';
import type { LimiterOptions } from '../app/limiter.ts';
import type { Config } from '../config/config.ts';
import { localCacheGauges } from '../observability/stats/local-cache.ts';
import type { Stats } from '../observability/stats/stats.ts';

export function rulesOf({ deciding, store }: Config, stats: Stats | undefined): Partial<LimiterOptions> {
  const { shadowMode: shadow, quotaMode: quota, stopWhenOver, localCacheBytes: bytesMax } = deciding;
  // Counters in memory answer as fast as any cache of theirs.
  const denied = bytesMax > 0 && store.type === 'redis' ? new DeniedCache({ clock: systemClock, bytesMax }) : undefined;
  if (denied) stats?.localCache(() => localCacheGauges(denied, systemClock));
  return {
    modes: { shadow, quota, stopWhenOver },
    responseHeaders: deciding.responseHeaders,
    hasDynamicMetadata: deciding.dynamicMetadata,
    denied,
  };
}
