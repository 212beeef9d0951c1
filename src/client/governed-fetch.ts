/** A fetch that keeps to its API's limit: it pauses before the limit is reached, and tries again what may be. */
import { type Clock, type Environment, type Fetch, REAL, sleep } from './environment.ts';
import { RateLimitWaitError } from './errors.ts';
import { Governor } from './governor.ts';
import type { Lane, Ticket } from './lane.ts';
import { toldLimit } from './limit-headers.ts';
import { given, requireCount, requireMillis, type Settled } from './options.ts';
import {
  factsOf,
  type GovernedInit,
  type GovernedInput,
  type KeyOf,
  originAndKey,
  type Repeat,
  repeatOf,
} from './request.ts';
import { askedMillis, backoffMillis, isRetried } from './retry.ts';

/** What happens to one call. The key is not told, so that events can be logged. */
export type GovernedEvent =
  /** It waits for the limit, for so long as far as is known. */
  | { readonly type: 'pause'; readonly millis: number }
  /** It goes on, after so long. */
  | { readonly type: 'resume'; readonly millis: number }
  /** It is made again after so long. No status: the network failed. */
  | {
      readonly type: 'retry';
      readonly millis: number;
      /** The next one, from 2. */
      readonly attempt: number;
      readonly status: number | undefined;
    };

/** What is undefined is its default. */
export interface GovernedFetchOptions {
  /** false: no pauses before the limit is reached, only Retry-After and backoff after. Default true. */
  readonly governor?: boolean | undefined;
  /** Whose limit a request counts against. Default: its origin with its X-API-Key, or else its Authorization. */
  readonly keyOf?: KeyOf | undefined;
  /** How often a call is made at most. Default 5. */
  readonly maxAttempts?: number | undefined;
  /** How long a call waits at most, all pauses and backoffs together. Default: as long as it takes, a day perhaps. */
  readonly maxWaitMillis?: number | undefined;
  /** The longest first backoff; it doubles with each attempt. Default 500. */
  readonly backoffBaseMillis?: number | undefined;
  /** The longest of all backoffs, which come on top of Retry-After. Default 30,000. */
  readonly backoffMaxMillis?: number | undefined;
  /** Watches. Called after the fact; what it throws, or its promise rejects with, is dropped. */
  readonly onEvent?: ((event: GovernedEvent) => unknown) | undefined;
  readonly fetch?: Fetch | undefined;
  /** For tests. */
  readonly clock?: Clock | undefined;
  /** For tests: from 0 up to 1. */
  readonly random?: (() => number) | undefined;
}

/**
 * As `fetch`, with `init.retry` beside. Rejects with what fetch rejects with, with the signal's reason, and with
 * RateLimitWaitError. When the attempts are used up, the last answer is returned, or the last failure thrown.
 */
export type GovernedFetch = (input: GovernedInput, init?: GovernedInit) => Promise<Response>;

/**
 * What is known of a key is shared by all calls through the function that is returned, and by no others.
 * @throws TypeError, RangeError of a number that makes no sense
 */
export function createGovernedFetch(options: GovernedFetchOptions = {}): GovernedFetch {
  const settings = settingsOf(options);
  // Called as a function, not as a method: a browser's own fetch refuses any `this` but its window.
  const { fetch } = settings;
  const governor = options.governor === false ? undefined : new Governor(settings.clock);
  return async (input, init = {}) => {
    const facts = factsOf(input, init);
    const { retry: _, ...plain } = init;
    const call = new GovernedCall(settings, {
      lane: governor?.laneOf(settings.keyOf(facts)),
      send: () => fetch(input, plain),
      signal: init.signal ?? (typeof input === 'object' && 'signal' in input ? input.signal : undefined),
      repeat: repeatOf(input, init, facts),
    });
    return call.run();
  };
}

/** One for a whole program: everything that goes through it shares what it knows of each key. */
export const governedFetch: GovernedFetch = createGovernedFetch();

type Settings = Environment & Settled<Omit<GovernedFetchOptions, 'governor'>>;

function settingsOf(options: GovernedFetchOptions): Settings {
  const settings = {
    ...REAL,
    keyOf: originAndKey,
    maxAttempts: 5,
    maxWaitMillis: Number.POSITIVE_INFINITY,
    backoffBaseMillis: 500,
    backoffMaxMillis: 30_000,
    onEvent: () => undefined,
    ...given(options),
  };
  requireCount('maxAttempts', settings.maxAttempts, 1, Number.POSITIVE_INFINITY);
  requireMillis('maxWaitMillis', settings.maxWaitMillis, Number.POSITIVE_INFINITY);
  // An endless backoff times a dice that shows 0 is no number.
  requireMillis('backoffBaseMillis', settings.backoffBaseMillis, Number.MAX_SAFE_INTEGER);
  requireMillis('backoffMaxMillis', settings.backoffMaxMillis, Number.MAX_SAFE_INTEGER);
  return settings;
}

interface Outgoing {
  /** Undefined: nobody governs it. */
  readonly lane: Lane | undefined;
  readonly send: () => Promise<Response>;
  readonly signal: AbortSignal | undefined;
  readonly repeat: Repeat;
}

/** Of an attempt: an answer, or why there is none. */
type Outcome =
  | { readonly response: Response; readonly error?: undefined }
  | { readonly response?: undefined; readonly error: unknown };

class GovernedCall {
  readonly #settings: Settings;
  readonly #outgoing: Outgoing;
  #waitLeftMillis: number;

  constructor(settings: Settings, outgoing: Outgoing) {
    this.#settings = settings;
    this.#outgoing = outgoing;
    this.#waitLeftMillis = settings.maxWaitMillis;
  }

  async run(): Promise<Response> {
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#attempt();
      if (!this.#mayRepeat(outcome, attempt)) {
        if (outcome.response === undefined) throw outcome.error;
        return outcome.response;
      }
      await this.#backOff(outcome.response, attempt);
    }
  }

  async #attempt(): Promise<Outcome> {
    const { lane, send } = this.#outgoing;
    const ticket = lane && (await this.#enter(lane));
    try {
      const response = await send();
      if (lane && ticket) this.#tell(lane, ticket, response);
      return { response };
    } catch (error) {
      if (lane && ticket) lane.failed(ticket);
      return { error };
    }
  }

  async #enter(lane: Lane): Promise<Ticket> {
    const { clock } = this.#settings;
    const startMillis = clock.monotonicMillis();
    let isPaused = false;
    const ticket = await lane.enter({
      signal: this.#outgoing.signal,
      deadlineMillis: startMillis + this.#waitLeftMillis,
      paused: (millis) => {
        isPaused = true;
        this.#notify({ type: 'pause', millis });
      },
    });
    const millis = ticket.sentMillis - startMillis;
    this.#waitLeftMillis -= millis;
    if (isPaused) this.#notify({ type: 'resume', millis });
    return ticket;
  }

  #tell(lane: Lane, ticket: Ticket, response: Response): void {
    const { clock } = this.#settings;
    const nowMillis = clock.nowMillis();
    // First the hold: the answer lets others go.
    if (response.status === 429) lane.hold(clock.monotonicMillis() + askedMillis(response, nowMillis));
    lane.answered(ticket, toldLimit(response.headers, nowMillis));
  }

  #mayRepeat({ response }: Outcome, attempt: number): boolean {
    const { signal, repeat } = this.#outgoing;
    return attempt < this.#settings.maxAttempts && signal?.aborted !== true && isRetried(repeat, response);
  }

  async #backOff(response: Response | undefined, attempt: number): Promise<void> {
    const { clock, random, backoffBaseMillis, backoffMaxMillis } = this.#settings;
    const backoff = { baseMillis: backoffBaseMillis, maxMillis: backoffMaxMillis };
    const millis = askedMillis(response, clock.nowMillis()) + backoffMillis(backoff, attempt, random());
    // An answer that nobody reads would keep its connection.
    response?.body?.cancel().catch(() => undefined);
    if (millis > this.#waitLeftMillis) throw new RateLimitWaitError('RATE_LIMIT_WAIT_TOO_LONG', millis);
    this.#notify({ type: 'retry', millis, attempt: attempt + 1, status: response?.status });
    await sleep(clock, millis, this.#outgoing.signal);
    this.#waitLeftMillis -= millis;
  }

  /** By a promise, so that the hook runs after the fact and nothing that it does reaches the call. */
  #notify(event: GovernedEvent): void {
    Promise.resolve(event)
      .then(this.#settings.onEvent)
      .catch(() => undefined);
  }
}
