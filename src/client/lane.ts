/** The calls of one key, in order: which may go now, who waits, and who wakes them. What is allowed says the budget. */
import { Budget, type Verdict } from './budget.ts';
import { type Clock, MILLIS_MAX, type Timer } from './environment.ts';
import { RateLimitWaitError } from './errors.ts';
import type { ToldLimit } from './limit-headers.ts';
import { Recovery } from './recovery.ts';

/** A call that may be sent. Whoever holds it says in the end how it went, or the lane counts it as in flight for ever. */
export interface Ticket {
  /** By the monotonic clock. */
  readonly sentMillis: number;
}

export interface Wait {
  readonly signal: AbortSignal | undefined;
  /** By the monotonic clock; no pause that lasts longer is begun. */
  readonly deadlineMillis: number;
  /** The call pauses, for so long as far as is known. Must not throw. */
  readonly paused: (millis: number) => void;
}

interface Waiter extends Wait {
  readonly admit: (ticket: Ticket) => void;
  readonly refuse: (reason: unknown) => void;
  isPaused: boolean;
}

type Parked = Extract<Verdict, { readonly type: 'wait' | 'pause' }>;

/** An answer that takes longer, such as a large report's, must not hold up all others: one more call may find out. */
const ASKING_MILLIS_MAX = 5_000;

/** Beyond it calls are refused (RATE_LIMIT_QUEUE_FULL): a program that makes them faster than the limit runs out of memory. */
const WAITERS_MAX = 10_000;

export class Lane {
  readonly #clock: Clock;
  readonly #budget = new Budget();
  readonly #recovery = new Recovery();
  /** In the order of their arrival. */
  readonly #waiters = new Set<Waiter>();
  /** The call that finds out what nobody knows, and since when. */
  #asking: Ticket | undefined;
  #inFlight = 0;
  #timer: Timer | undefined;
  /** Why those who wait do. */
  #parked: Parked | undefined;
  /** Until when everybody who waits knows that it pauses. */
  #announcedMillis = 0;
  /** Nobody who waits has an earlier one. */
  #deadlineMillis = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Nobody waits, and nothing is in flight. */
  get isIdle(): boolean {
    return this.#inFlight === 0 && this.#waiters.size === 0;
  }

  /**
   * Settles when the call may be sent: first come, first served.
   * @throws RateLimitWaitError, and the signal's reason
   */
  enter(wait: Wait): Promise<Ticket> {
    return new Promise((resolve, reject) => {
      if (wait.signal?.aborted) return reject(wait.signal.reason);
      if (this.#waiters.size >= WAITERS_MAX) return reject(new RateLimitWaitError('RATE_LIMIT_QUEUE_FULL', 0));
      const left = (): void => {
        this.#waiters.delete(waiter);
        wait.signal?.removeEventListener('abort', aborted);
      };
      const waiter: Waiter = {
        ...wait,
        isPaused: false,
        admit: (ticket) => {
          left();
          resolve(ticket);
        },
        refuse: (reason) => {
          left();
          reject(reason);
        },
      };
      const aborted = (): void => {
        waiter.refuse(wait.signal?.reason);
        this.#pump();
      };
      wait.signal?.addEventListener('abort', aborted, { once: true });
      this.#waiters.add(waiter);
      this.#join(waiter);
    });
  }

  /** @param told undefined: the answer says nothing of limits */
  answered(ticket: Ticket, told: ToldLimit | undefined): void {
    this.#left(ticket);
    this.#recovery.answered(ticket, told !== undefined);
    this.#budget.answered(told, ticket.sentMillis, this.#clock.monotonicMillis());
    this.#pump();
  }

  failed(ticket: Ticket): void {
    this.#left(ticket);
    this.#recovery.failed(ticket);
    this.#budget.failed();
    this.#pump();
  }

  /** The API has refused a call, whose answer is told next: nobody goes before this instant, and then one first. */
  hold(untilMillis: number): void {
    this.#budget.hold(untilMillis);
    this.#recovery.refused();
    this.#pump();
  }

  /** Behind others that wait there is nothing new to decide. */
  #join(waiter: Waiter): void {
    if (this.#parked === undefined || this.#waiters.size === 1) {
      this.#announcedMillis = 0;
      this.#deadlineMillis = waiter.deadlineMillis;
      this.#pump();
      return;
    }
    const now = this.#clock.monotonicMillis();
    this.#parkOne(waiter, this.#parked, now);
    if (waiter.deadlineMillis === this.#deadlineMillis) this.#setTimer(this.#parked, now);
  }

  #left(ticket: Ticket): void {
    this.#inFlight -= 1;
    if (this.#asking === ticket) this.#asking = undefined;
  }

  /** Lets go who may, and sets one timer for the rest. */
  #pump(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#parked = undefined;
    for (const waiter of this.#waiters) {
      const now = this.#clock.monotonicMillis();
      const verdict = this.#verdict(now);
      if (verdict.type === 'wait' || verdict.type === 'pause') {
        this.#park(verdict, now);
        return;
      }
      this.#inFlight += 1;
      const ticket = { sentMillis: now };
      if (verdict.type === 'ask') this.#asking = ticket;
      this.#recovery.sent(ticket);
      waiter.admit(ticket);
    }
  }

  /** One call asks while nothing is known; the others wait for its answer. */
  #verdict(nowMillis: number): Verdict {
    const verdict = this.#budget.verdict(this.#inFlight, nowMillis);
    if (verdict.type === 'go') return this.#recovery.verdict(nowMillis);
    if (verdict.type !== 'ask' || this.#asking === undefined) return verdict;
    const atMillis = this.#asking.sentMillis + ASKING_MILLIS_MAX;
    return nowMillis < atMillis ? { type: 'wait', atMillis } : verdict;
  }

  /** Nobody goes for now. Only what has changed is told, so that an answer costs the same however many wait. */
  #park(parked: Parked, nowMillis: number): void {
    this.#parked = parked;
    const isNews = parked.type === 'pause' && parked.untilMillis > this.#announcedMillis;
    this.#announcedMillis = parked.type === 'pause' ? parked.untilMillis : 0;
    if (isNews || endOf(parked, nowMillis) > this.#deadlineMillis) {
      this.#deadlineMillis = Number.POSITIVE_INFINITY;
      for (const waiter of this.#waiters) this.#parkOne(waiter, parked, nowMillis);
    }
    this.#setTimer(parked, nowMillis);
  }

  #parkOne(waiter: Waiter, parked: Parked, nowMillis: number): void {
    const endMillis = endOf(parked, nowMillis);
    if (endMillis > waiter.deadlineMillis) {
      waiter.refuse(new RateLimitWaitError('RATE_LIMIT_WAIT_TOO_LONG', endMillis - nowMillis));
      return;
    }
    this.#deadlineMillis = Math.min(this.#deadlineMillis, waiter.deadlineMillis);
    if (parked.type === 'wait' || waiter.isPaused) return;
    waiter.isPaused = true;
    waiter.paused(endMillis - nowMillis);
  }

  #setTimer(parked: Parked, nowMillis: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#waiters.size === 0) return;
    const wakeMillis = Math.min(
      parked.type === 'pause' ? parked.untilMillis : parked.atMillis,
      this.#deadlineMillis + 1,
    );
    const millis = Math.min(Math.max(wakeMillis - nowMillis, 1), MILLIS_MAX);
    this.#timer = this.#clock.after(millis, () => this.#pump());
  }
}

/** A pause is known to last: who has not the time for it is told at once. An answer may come at any time. */
function endOf(parked: Parked, nowMillis: number): number {
  return parked.type === 'pause' ? parked.untilMillis : nowMillis;
}
