/** An API with the documented limit on the test's clock, by which answers travel as well: a fetch, and what it saw. */
import type { Fetch } from '../../src/client/environment.ts';
import type { ManualClock } from '../support/clock.ts';

export interface SimulatedWindow {
  readonly limit: number;
  readonly seconds: number;
}

export interface SimulatedOptions {
  /** Shortest first. */
  readonly windows: readonly SimulatedWindow[];
  /** As many APIs do: nothing is told until a call is refused, and then only when to come back. */
  readonly tellsOnlyRetryAfter?: boolean;
  /** How long a request is under way, and its answer, in milliseconds; by the number of the request, from 0. */
  readonly travel?: (request: number) => readonly [there: number, back: number];
}

/** Counts as the service does: a denied request takes nothing, the tightest window is told. */
export class SimulatedApi {
  /** How many answers had which status. */
  readonly statuses: Record<number, number> = {};
  /** When requests were decided, in unix milliseconds by its own clock, which nobody sets. */
  readonly decidedAt: number[] = [];
  readonly #clock: ManualClock;
  readonly #options: SimulatedOptions;
  readonly #counts = new Map<string, number>();
  readonly #epochMillis: number;
  #requests = 0;

  constructor(clock: ManualClock, options: SimulatedOptions) {
    this.#clock = clock;
    this.#epochMillis = clock.nowMillis() - clock.monotonicMillis();
    this.#options = options;
  }

  readonly fetch: Fetch = async (_input, init) => {
    const [there, back] = this.#options.travel?.(this.#requests) ?? [5, 5];
    this.#requests += 1;
    await this.#travels(there, init?.signal ?? undefined);
    const answer = this.#decide();
    await this.#travels(back, init?.signal ?? undefined);
    return answer;
  };

  #travels(millis: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#clock.after(millis, resolve);
      signal?.addEventListener('abort', () => reject(signal.reason));
    });
  }

  #decide(): Response {
    const nowMillis = this.#epochMillis + this.#clock.monotonicMillis();
    const seconds = Math.floor(nowMillis / 1_000);
    this.decidedAt.push(nowMillis);
    const states = this.#options.windows.map((window) => {
      const number = Math.floor(seconds / window.seconds);
      const name = `${window.seconds}:${number}`;
      return { name, limit: window.limit, endsAt: (number + 1) * window.seconds, used: this.#counts.get(name) ?? 0 };
    });
    const isAllowed = states.every(({ used, limit }) => used < limit);
    if (isAllowed) for (const { name, used } of states) this.#counts.set(name, used + 1);
    const status = isAllowed ? 200 : 429;
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    const [tightest] = states
      .map(({ limit, used, endsAt }) => ({ limit, endsAt, remaining: limit - used - (isAllowed ? 1 : 0) }))
      .sort((a, b) => a.remaining - b.remaining || b.endsAt - a.endsAt);
    const reset = String(tightest!.endsAt - seconds);
    const limit = {
      'RateLimit-Limit': String(tightest!.limit),
      'RateLimit-Remaining': String(tightest!.remaining),
      'RateLimit-Reset': reset,
    };
    const headers = {
      ...(this.#options.tellsOnlyRetryAfter ? {} : limit),
      ...(isAllowed ? {} : { 'Retry-After': reset }),
    };
    return new Response(null, { status, headers });
  }
}
