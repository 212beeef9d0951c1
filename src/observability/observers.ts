/** Several who watch the same requests. */
import type { RequestObserver } from '../ports/observer.ts';

/** One alone is given back as it is: nobody pays for those who are not there. */
export function observedBy(first: RequestObserver, second: RequestObserver | undefined): RequestObserver {
  if (second === undefined) return first;
  return {
    decided(call, decision) {
      first.decided(call, decision);
      second.decided(call, decision);
    },
    undecided(call, error, plan) {
      first.undecided(call, error, plan);
      second.undecided(call, error, plan);
    },
    refused(call) {
      first.refused(call);
      second.refused(call);
    },
  };
}
