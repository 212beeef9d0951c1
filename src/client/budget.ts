/** What is known of one key's limit, and what it allows now. Pure: time, monotonic, is an argument; nobody waits here. */
import type { ToldLimit } from './limit-headers.ts';

/** `wait`: for an answer, until `atMillis` at most. `pause`: until `untilMillis`, whatever is answered. */
export type Verdict =
  | { readonly type: 'go' }
  /** Nothing is known: one call may find out. */
  | { readonly type: 'ask' }
  | { readonly type: 'wait'; readonly atMillis: number }
  | { readonly type: 'pause'; readonly untilMillis: number };

interface KnownWindow {
  readonly limit: number;
  remaining: number;
  /** Bounds of the instant at which it ends: a whole second told over a line of unknown delay. */
  endsAfterMillis: number;
  endsByMillis: number;
}

/** Callers are told to pause below this share of the limit, and so long after the reset. */
const PAUSE_BELOW_SHARE = 0.05;
const AFTER_RESET_MILLIS = 1_000;

/** Policies have two or three. With more the one known longest is forgotten: its end then costs a 429. */
const WINDOWS_MAX = 8;

const GO: Verdict = { type: 'go' };
const ASK: Verdict = { type: 'ask' };

export class Budget {
  /**
   * By limit, since a policy's windows differ in it. More than one, since each answer tells of one, the tightest at its
   * time, and answers of calls made at once come in any order.
   */
  readonly #windows = new Map<number, KnownWindow>();
  #heldUntilMillis = 0;
  /** Something was answered since the last reset. It may have said nothing of limits: then there is none to keep. */
  #informed = false;

  /** @param inFlight calls that have been sent and not been answered: each may take one of what remains */
  verdict(inFlight: number, nowMillis: number): Verdict {
    this.#forgetEnded(inFlight, nowMillis);
    let untilMillis = this.#heldUntilMillis;
    let atMillis = Number.POSITIVE_INFINITY;
    for (const window of this.#windows.values()) {
      const pauseEnd = window.endsByMillis + AFTER_RESET_MILLIS;
      if (isLow(window, 0)) untilMillis = Math.max(untilMillis, pauseEnd);
      else if (isLow(window, inFlight)) atMillis = Math.min(atMillis, pauseEnd);
    }
    if (nowMillis < untilMillis) return { type: 'pause', untilMillis };
    if (!this.#informed) return ASK;
    return atMillis === Number.POSITIVE_INFINITY ? GO : { type: 'wait', atMillis };
  }

  /**
   * An answer has come.
   * @param told undefined: it says nothing of limits, as an answer that no limit applied to
   */
  answered(told: ToldLimit | undefined, sentMillis: number, nowMillis: number): void {
    this.#informed = true;
    if (told === undefined) return;
    for (const window of this.#windows.values()) {
      // A call counts in every window; only in the one that is told is it known what is left.
      if (window.limit !== told.limit) window.remaining -= 1;
    }
    this.#learn(told, sentMillis, nowMillis);
  }

  /** A call has failed: it may have been counted, and nothing was learned. */
  failed(): void {
    for (const window of this.#windows.values()) window.remaining -= 1;
  }

  /** Nothing may go before this instant. */
  hold(untilMillis: number): void {
    this.#heldUntilMillis = Math.max(this.#heldUntilMillis, untilMillis);
  }

  #learn({ limit, remaining, resetSeconds }: ToldLimit, sentMillis: number, nowMillis: number): void {
    // Decided between sending and answer, and rounded to a whole second: the window ends between these two.
    const endsAfterMillis = sentMillis + (resetSeconds - 1) * 1_000;
    const endsByMillis = nowMillis + resetSeconds * 1_000;
    const known = this.#windows.get(limit);
    if (known !== undefined && endsByMillis < known.endsAfterMillis) return; // of a window that is over
    if (known === undefined || endsAfterMillis > known.endsByMillis) {
      this.#windows.delete(limit);
      this.#windows.set(limit, { limit, remaining, endsAfterMillis, endsByMillis });
      this.#boundWindows();
      return;
    }
    // The same window, as far as can be told: what is answered last may have been decided first. If it was the next
    // window after all, its end counts: what it has left must not be forgotten before.
    known.remaining = Math.min(known.remaining, remaining);
    known.endsAfterMillis = Math.max(known.endsAfterMillis, endsAfterMillis);
    known.endsByMillis = Math.max(known.endsByMillis, endsByMillis);
  }

  #forgetEnded(inFlight: number, nowMillis: number): void {
    for (const window of this.#windows.values()) {
      const pauseMillis = isLow(window, inFlight) ? AFTER_RESET_MILLIS : 0;
      if (nowMillis < window.endsByMillis + pauseMillis) continue;
      this.#windows.delete(window.limit);
      this.#informed = false;
    }
  }

  #boundWindows(): void {
    if (this.#windows.size <= WINDOWS_MAX) return;
    const [oldest] = this.#windows.keys();
    if (oldest !== undefined) this.#windows.delete(oldest);
  }
}

function isLow({ limit, remaining }: KnownWindow, inFlight: number): boolean {
  return (remaining - inFlight) / limit < PAUSE_BELOW_SHARE;
}
