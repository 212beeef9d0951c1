/** One HTTP/2 connection and its end: first its client is asked to go, then what is open may finish. */
import type { RandomBytes } from '../../core/api-key.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { GrpcConfig } from './config.ts';
import type { Http2Session } from './http2-session.ts';

export interface Http2ConnectionOptions {
  readonly session: Http2Session;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly config: Pick<GrpcConfig, 'maxConnectionAgeMillis' | 'maxConnectionAgeGraceMillis'>;
}

// A client that has not read so long is not waited for: it has no stream on its way, or will learn that it was refused.
const NOTICE_MILLIS_MAX = 1_000;
// So that connections of the same moment do not end in the same moment.
const AGE_JITTER = 0.1;
// What a timer of Node holds: 24 days. Beyond, it would fire at once.
const TIMER_MILLIS_MAX = 2 ** 31 - 1;

export class Http2Connection {
  readonly #options: Http2ConnectionOptions;
  readonly #timers = new Set<Timer>();
  #isLeaving = false;

  constructor(options: Http2ConnectionOptions) {
    this.#options = options;
    const { session, config, random } = options;
    const { maxConnectionAgeMillis: age } = config;
    session.onClose(() => this.#cancelTimers());
    if (age > 0) this.#after(Math.round(age * (1 + AGE_JITTER * spread(random))), () => this.#retire());
  }

  /**
   * Graceful, as RFC 9113 §6.8 describes: a notice, and the last word only when the client has read it. Every call that
   * it sends until then is answered. The connection ends with the last call.
   */
  leave(): void {
    const { session } = this.#options;
    if (this.#isLeaving || session.destroyed) return;
    this.#isLeaving = true;
    session.sendGoawayNotice();
    const close = (): void => session.close();
    this.#after(NOTICE_MILLIS_MAX, close);
    session.ping(close);
  }

  /** As `leave`, but ends whatever is open when the client has had time to read the notice. */
  end(): void {
    this.leave();
    this.#after(NOTICE_MILLIS_MAX, () => this.#options.session.destroy());
  }

  #retire(): void {
    const { session, config } = this.#options;
    this.leave();
    const { maxConnectionAgeGraceMillis: grace } = config;
    if (grace > 0) this.#after(grace, () => session.destroy());
  }

  #after(millis: number, callback: () => void): void {
    const timer = this.#options.clock.after(Math.min(millis, TIMER_MILLIS_MAX), () => {
      this.#timers.delete(timer);
      callback();
    });
    this.#timers.add(timer);
  }

  #cancelTimers(): void {
    for (const timer of this.#timers) timer.cancel();
  }
}

/** From -1 to 1. */
function spread(random: RandomBytes): number {
  const bytes = random(2);
  return (((bytes[0] as number) << 8) | (bytes[1] as number)) / 32_767.5 - 1;
}
