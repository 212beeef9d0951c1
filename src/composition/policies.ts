/** Follows the policy files, and tells who wants to know. */
import { PolicyFiles } from '../adapters/policy-file/policy-files.ts';
import { systemClock } from '../adapters/system-clock/system-clock.ts';
import type { Config } from '../config/config.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Stats } from '../observability/stats/stats.ts';
import type { Log } from '../ports/log.ts';
import type { HealthState } from '../surfaces/health/health-state.ts';

export interface PolicyWatchers {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly stats: Stats | undefined;
  readonly health: HealthState;
}

/** @throws PolicyFileError */
export function openPolicies({ policies }: Config, { log, metrics, stats, health }: PolicyWatchers): PolicyFiles {
  const { source, mergeDomains, startWithoutPolicies, healthNeedsPolicies } = policies;
  return new PolicyFiles({
    place: source,
    mergeDomains,
    mayBeWithout: startWithoutPolicies,
    clock: systemClock,
    log,
    onLoad(loaded, inForce) {
      metrics.policiesLoaded(loaded);
      stats?.policiesLoaded(loaded);
      // Without any that were ever loaded, every call fails.
      const isLacking = inForce === undefined || (healthNeedsPolicies && inForce.size === 0);
      health.setReason('no_configuration', isLacking);
    },
  });
}
