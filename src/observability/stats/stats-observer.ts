/** What decisions add to the statistics of envoyproxy/ratelimit. */
import type { RequestObserver } from '../../ports/observer.ts';
import type { StatsRegistry } from './registry.ts';

/** The admin API's own limits are none of the reference's: they are in Headroom's metrics alone. */
export function statsObserver(registry: StatsRegistry): RequestObserver {
  return {
    decided({ door, domain, requestedDomain }, { statuses, globallyShadowed }) {
      if (door === 'admin') return;
      if (globallyShadowed) registry.globalShadowMode.add(1);
      if (domain === undefined) {
        registry.domainNotFound(requestedDomain, statuses.length);
        return;
      }
      for (const { counted } of statuses) {
        if (counted !== undefined) registry.counted(domain, counted);
      }
    },
    undecided({ door, domain }, { code }, plan) {
      if (door === 'admin') return;
      if (code.startsWith('STORE_')) registry.redisError.add(1);
      else registry.serviceError.add(1);
      if (domain === undefined || plan === undefined) return;
      // As envoyproxy/ratelimit, which counts them before it asks the store.
      for (const planned of plan.descriptors) {
        const hit = planned === undefined ? undefined : plan.hits[planned.hitAt];
        if (planned !== undefined && hit !== undefined) registry.attempted(domain, planned.statsKey, hit.cost);
      }
    },
    refused({ door }) {
      if (door !== 'admin') registry.serviceError.add(1);
    },
  };
}
