/** Decisions as observers get them, without a service behind. */
import type { Counted, Decision, Status } from '../../../src/core/decision.ts';
import type { ObservedCall } from '../../../src/ports/observer.ts';

export function callOf(domain: string | undefined, rest: Partial<ObservedCall> = {}): ObservedCall {
  return { door: 'rls', domain, requestedDomain: domain ?? 'unknown', durationMillis: 1, ...rest };
}

/** Of one hit, within a limit of 10 unless `rest` says otherwise, for each of these limits. */
export function decisionOf(statsKeys: readonly string[], rest: Partial<Counted> = {}): Decision {
  const statuses = statsKeys.map((statsKey): Status => {
    const counted = { statsKey, hits: 1, used: 1, max: 10, over: false, cached: false, shadow: false, ...rest };
    return {
      reason: 'within_limit',
      limit: undefined,
      readings: [],
      reported: undefined,
      denies: false,
      quota: false,
      counted,
    };
  });
  const common = { allowed: true, reason: 'within_limit', nowSeconds: 0, deciding: undefined } as const;
  return { ...common, statuses, globallyShadowed: false };
}
