/** Load of bounded concurrency: a few callers, each of which asks again when it has its answer. */
import type { Callers, Reply } from './envoy-client.ts';

const CALLERS = 16;
// One request in so many is for a key that is always denied.
const DENIED_EVERY = 5;
// Between an answer and the next request of the same caller: a few hundred requests a second in all.
const PAUSE_MILLIS = 10;

export class MtlsLoad {
  /** In the order in which they came. */
  readonly replies: Reply[] = [];
  /** How many requests were for a key that is allowed, and for one that is denied. */
  allowed = 0;
  denied = 0;
  /** Requests whose connection broke. */
  unanswered = 0;
  readonly #callers: Callers;
  readonly #asking: readonly Promise<void>[];
  #isStopping = false;

  constructor(callers: Callers) {
    this.#callers = callers;
    this.#asking = Array.from({ length: CALLERS }, () => this.#ask());
  }

  /** Settles when everything sent has been answered. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#asking);
  }

  async #ask(): Promise<void> {
    while (!this.#isStopping) {
      const isDenied = (this.allowed + this.denied) % DENIED_EVERY === 0;
      if (isDenied) this.denied += 1;
      else this.allowed += 1;
      await this.#callers.ask(isDenied ? 'denied' : 'csk_k').then(
        (reply) => this.replies.push(reply),
        () => {
          this.unanswered += 1;
        },
      );
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLIS));
    }
  }
}
