/** Steady load on a gateway: requests leave at their times, whether or not earlier ones have been answered. */
import { until } from './children.ts';
import { linesOf, type Reply } from './envoy-client.ts';
import type { TestGateway } from './envoy-gateway.ts';

// 200 a second: with 100 ms of waiting for a frozen Redis that makes 20 requests in flight.
const PERIOD_MILLIS = 5;
// Many enough that none of them ever meets its limit.
const API_KEYS = 200;
// Often enough that no pause of the machine falls between two of them.
const PERIODS_PER_ROUND_TRIP = 4;
// So many replies in a row say that something lasts.
const ROW = 50;

export class SteadyLoad {
  readonly #gateway: TestGateway;
  readonly #timer: NodeJS.Timeout;
  readonly #pending: Promise<unknown>[] = [];
  readonly #replies: Reply[] = [];
  #sent = 0;
  #unanswered = 0;
  #roundTripMillisMax = 0;

  private constructor(gateway: TestGateway) {
    this.#gateway = gateway;
    this.#timer = setInterval(() => this.#tick(), PERIOD_MILLIS);
  }

  /** Through processes that have just started: first until they have compiled what they run. */
  static async start(gateway: TestGateway): Promise<SteadyLoad> {
    const warmUp = new SteadyLoad(gateway);
    await until('a few hundred requests were answered', () => warmUp.replies.length >= 4 * ROW, 30_000);
    await warmUp.stop();
    return new SteadyLoad(gateway);
  }

  /** In the order in which they came. */
  get replies(): readonly Reply[] {
    return this.#replies;
  }

  /** Requests whose connection broke. */
  get unanswered(): number {
    return this.#unanswered;
  }

  get slowestMillis(): number {
    return Math.max(...this.#replies.map(({ sentAt, answeredAt }) => answeredAt - sentAt));
  }

  /**
   * What the machine may have added to any answer: twice the longest round trip to Envoy, to the first Headroom process
   * and to the origin, one after the other, for answers that need no decision. Twice, since a decision's way leads
   * through them more than once. A few milliseconds, unless others keep the machine busy.
   */
  get noiseMillis(): number {
    return 2 * this.#roundTripMillisMax;
  }

  get lastAreDecided(): boolean {
    return this.#replies.length >= ROW && this.#replies.slice(-ROW).every(isDecided);
  }

  /** When the last answer without a decision came, in unix milliseconds; 0: never. */
  get undecidedUntil(): number {
    return this.#replies.findLast((reply) => !isDecided(reply))?.answeredAt ?? 0;
  }

  /** Settles when everything sent has been answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
  }

  #tick(): void {
    this.#sent += 1;
    const call = this.#gateway.callers.ask(`csk_steady_${this.#sent % API_KEYS}`).then(
      (reply) => this.#replies.push(reply),
      () => {
        this.#unanswered += 1;
      },
    );
    this.#pending.push(call);
    if (this.#sent % PERIODS_PER_ROUND_TRIP === 0) this.#pending.push(this.#measure());
  }

  async #measure(): Promise<void> {
    const startedAt = Date.now();
    const { callers, services, origin } = this.#gateway;
    const preflight = { method: 'OPTIONS', headers: { origin: 'null', 'access-control-request-method': 'GET' } };
    await callers.ask(undefined, preflight).catch(() => undefined);
    for (const address of [`${services[0].http}/healthz`, `http://127.0.0.1:${origin.port}/`]) {
      await fetch(address).then(
        (response) => response.text(),
        () => undefined,
      );
    }
    this.#roundTripMillisMax = Math.max(this.#roundTripMillisMax, Date.now() - startedAt);
  }
}

/** Whether Headroom decided it: then it says what is left. */
export function isDecided(reply: Reply): boolean {
  return linesOf(reply, 'RateLimit-Remaining').length > 0;
}
