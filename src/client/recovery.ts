/** After a refusal that told no limit: how many calls may be under way, until it is known again how many there may be. */
import type { Verdict } from './budget.ts';

/** A call under way. */
export interface Sent {
  readonly sentMillis: number;
}

/** An answer that takes longer must not hold up all others: its call counts as under way no more. */
const ANSWER_MILLIS_MAX = 5_000;

const GO: Verdict = { type: 'go' };

/**
 * One first; each round of answers lets one more be under way, as in TCP's congestion avoidance (RFC 5681 §3.1). So an
 * API that tells nothing but Retry-After refuses a few calls a window, not all that wait.
 */
export class Recovery {
  #underWayMax = Number.POSITIVE_INFINITY;
  #round = 0;
  /** In the order in which they were sent. */
  readonly #underWay = new Set<Sent>();
  /** In which round a call was sent, however late its answer comes. */
  readonly #rounds = new WeakMap<Sent, number>();

  verdict(nowMillis: number): Verdict {
    for (const { sentMillis } of this.#underWay) {
      if (this.#underWay.size < Math.floor(this.#underWayMax)) return GO;
      const atMillis = sentMillis + ANSWER_MILLIS_MAX;
      if (nowMillis < atMillis) return { type: 'wait', atMillis };
      this.#forgetOldest();
    }
    return GO;
  }

  sent(call: Sent): void {
    if (this.#underWayMax === Number.POSITIVE_INFINITY) return;
    this.#underWay.add(call);
    this.#rounds.set(call, this.#round);
  }

  /** A 429 has come: what is under way now shows nothing of the time after it. Its `answered` follows. */
  refused(): void {
    this.#underWayMax = 1;
    this.#round += 1;
  }

  /** @param isTold whether the answer tells a limit, to be kept to instead */
  answered(call: Sent, isTold: boolean): void {
    const isOfThisRound = this.#rounds.get(call) === this.#round;
    this.#underWay.delete(call);
    if (isTold) this.#end();
    else if (isOfThisRound) this.#underWayMax += 1 / this.#underWayMax;
  }

  failed(call: Sent): void {
    this.#underWay.delete(call);
  }

  #end(): void {
    this.#underWayMax = Number.POSITIVE_INFINITY;
    this.#underWay.clear();
  }

  #forgetOldest(): void {
    const [oldest] = this.#underWay.keys();
    if (oldest !== undefined) this.#underWay.delete(oldest);
  }
}
