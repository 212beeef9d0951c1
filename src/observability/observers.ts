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
    undecided(call, error) {
      first.undecided(call, error);
      second.undecided(call, error);
    },
    refused(call) {
      first.refused(call);
      second.refused(call);
    },
  };
}
