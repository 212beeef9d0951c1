/** The clock of this process. */
import { performance } from 'node:perf_hooks'; // the global one is looked up at each call
import type { Clock, Timer } from '../../ports/clock.ts';

export const systemClock: Clock = {
  nowMillis: () => Date.now(),
  monotonicMillis: () => performance.now(),
  after(millis, callback): Timer {
    let immediate: NodeJS.Immediate | undefined;
    // Timers run before sockets are read: the immediate comes after, so that an answer that is already here counts first.
    const timer = setTimeout(() => {
      immediate = setImmediate(callback);
    }, millis);
    return {
      cancel() {
        clearTimeout(timer);
        clearImmediate(immediate);
      },
    };
  },
};
