/** The verdict: what a plan and the counts that were found amount to. Pure, and the twin of take.lua. */
import type { Limit, Window } from './limit.ts';
import type { Hit, Plan, PlannedDescriptor } from './plan.ts';
import { charged, isOver } from './window.ts';

/** What the store read and did, in one atomic step. */
export interface Taken {
  /** The store's clock, whole unix seconds: the only clock that a decision knows. */
  readonly nowSeconds: number;
  /** For every window of every hit, in order, two numbers: its start, and what was used before this hit. */
  readonly counts: readonly number[];
}

export type Reason = 'within_limit' | 'over_limit' | 'cost_exceeds_limit' | 'no_limit' | 'shadowed';

/** One window as the caller may be told of it. */
export interface WindowReading {
  readonly window: Window;
  /** What is left after this request, 0 … max. */
  readonly remaining: number;
  /** Unix second at which the window ends, always later than now. */
  readonly endsAt: number;
  /** The hit does not fit here. */
  readonly over: boolean;
}

/** The answer to one descriptor. */
export interface Status {
  readonly reason: Reason;
  readonly limit: Limit | undefined;
  /** Every window of the limit, shortest first; empty without a limit. */
  readonly readings: readonly WindowReading[];
  /** The most restrictive of them; undefined without a limit. */
  readonly reported: WindowReading | undefined;
}

export interface Decision {
  readonly allowed: boolean;
  readonly reason: Reason;
  readonly nowSeconds: number;
  /** One per descriptor, in request order. */
  readonly statuses: readonly Status[];
  /** The status that the caller is told of: what denies, else what is most restrictive. Shadowed limits are never told. */
  readonly deciding: Status | undefined;
}

/** The answer when no descriptor meets a limit; no store is asked, so it holds during an outage, too. */
export function unlimited(plan: Plan, nowSeconds: number): Decision {
  const statuses = plan.descriptors.map(() => NO_LIMIT);
  return { allowed: true, reason: 'no_limit', nowSeconds, statuses, deciding: undefined };
}

/** @param taken the answer to exactly these hits */
export function settle(plan: Plan, taken: Taken): Decision {
  const { denied, over } = verdictOf(plan.hits, taken.counts);
  const statuses: Status[] = [];
  let hitIndex = 0;
  let at = 0;
  for (const planned of plan.descriptors) {
    if (planned === undefined) {
      statuses.push(NO_LIMIT);
      continue;
    }
    const isCharged = isChargedHit(planned.hit, over[hitIndex] === true, denied);
    const readings = readingsOf(planned.hit, taken, at, isCharged);
    statuses.push(statusOf(planned, readings, over[hitIndex] === true));
    hitIndex += 1;
    at += 2 * readings.length;
  }
  const deciding = decidingOf(statuses, denied);
  return {
    allowed: !denied,
    reason: overallReason(statuses, deciding),
    nowSeconds: taken.nowSeconds,
    statuses,
    deciding,
  };
}

/** Which hits do not fit, and whether that denies the plan. `counts` as in Taken. */
export function verdictOf(hits: readonly Hit[], counts: readonly number[]): { denied: boolean; over: boolean[] } {
  const over: boolean[] = [];
  let denied = false;
  let at = 0;
  for (const hit of hits) {
    let isHitOver = false;
    for (const window of hit.windows) {
      if (isOver(counts[at + 1] as number, hit.need, window.max)) isHitOver = true;
      at += 2;
    }
    over.push(isHitOver);
    if (isHitOver && hit.enforced) denied = true;
  }
  return { denied, over };
}

/** Whether a hit changed its counters. */
export function isChargedHit(hit: Hit, over: boolean, denied: boolean): boolean {
  return hit.always || !(over || denied);
}

/** The window with the least left; among equals the one that ends last. After a denial: of those that deny, the one that ends last. */
export function mostRestrictive(readings: readonly WindowReading[]): WindowReading | undefined {
  const denying = readings.filter((reading) => reading.over);
  if (denying.length > 0) return denying.reduce((best, next) => (next.endsAt > best.endsAt ? next : best));
  return readings.reduce<WindowReading | undefined>(
    (best, next) => (best === undefined || isTighter(next, best) ? next : best),
    undefined,
  );
}

const NO_LIMIT: Status = { reason: 'no_limit', limit: undefined, readings: [], reported: undefined };

function readingsOf(hit: Hit, taken: Taken, from: number, isCharged: boolean): WindowReading[] {
  return hit.windows.map((window, index) => {
    const start = taken.counts[from + 2 * index] as number;
    const before = taken.counts[from + 2 * index + 1] as number;
    const used = isCharged ? charged(before, hit.cost) : before;
    return {
      window,
      remaining: Math.max(0, window.max - used),
      endsAt: window.algorithm.end({ start, used }, window.seconds),
      over: isOver(before, hit.need, window.max),
    };
  });
}

function statusOf({ limit, hit }: PlannedDescriptor, readings: readonly WindowReading[], over: boolean): Status {
  return { reason: reasonOf(limit, hit, over), limit, readings, reported: mostRestrictive(readings) };
}

function reasonOf(limit: Limit, hit: Hit, over: boolean): Reason {
  if (!over) return 'within_limit';
  if (limit.shadow) return 'shadowed';
  if (hit.always) return 'over_limit';
  return limit.windows.some((window) => hit.cost > window.max) ? 'cost_exceeds_limit' : 'over_limit';
}

function isDenial(status: Status): boolean {
  return status.reason === 'over_limit' || status.reason === 'cost_exceeds_limit';
}

function decidingOf(statuses: readonly Status[], denied: boolean): Status | undefined {
  let deciding: Status | undefined;
  for (const status of statuses) {
    if (status.reported === undefined || status.limit?.shadow === true) continue;
    if (denied && !isDenial(status)) continue;
    if (deciding?.reported === undefined || outranks(status.reported, deciding.reported)) deciding = status;
  }
  return deciding;
}

function outranks(next: WindowReading, best: WindowReading): boolean {
  return next.over ? next.endsAt > best.endsAt : isTighter(next, best);
}

function isTighter(next: WindowReading, best: WindowReading): boolean {
  return next.remaining < best.remaining || (next.remaining === best.remaining && next.endsAt > best.endsAt);
}

/** A cost that can never pass is worth telling first: waiting does not help. */
function overallReason(statuses: readonly Status[], deciding: Status | undefined): Reason {
  const reasons = new Set(statuses.map((status) => status.reason));
  for (const reason of ['cost_exceeds_limit', 'over_limit', 'shadowed'] as const)
    if (reasons.has(reason)) return reason;
  return deciding === undefined && !reasons.has('within_limit') ? 'no_limit' : 'within_limit';
}
