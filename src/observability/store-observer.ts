/** What becomes of the store: counted at every call, told to operators when it is given up and when it is back. */
import type { Undecidable } from '../core/errors.ts';
import type { Log } from '../ports/log.ts';
import type { DecisionObserver } from '../ports/observer.ts';
import type { Metrics } from './metrics.ts';

export function storeObserver(metrics: Metrics, log: Log): Pick<DecisionObserver, 'storeCalled' | 'breakerChanged'> {
  return {
    storeCalled(durationMillis, error) {
      metrics.storeCalled(durationMillis, error);
      if (error) log.debug(reasonOf(error), 'a call of the counter store failed');
    },
    breakerChanged(open, cause) {
      metrics.breakerChanged(open);
      if (open) log.error(reasonOf(cause), 'the counter store does not answer: it is not asked until a probe succeeds');
      else log.info({}, 'the counter store answers again');
    },
  };
}

/** The store's own words, which callers do not get. */
function reasonOf(cause: Undecidable | undefined): object {
  return { code: cause?.code, reason: ((cause?.cause as Error | undefined) ?? cause)?.message };
}
