/** The verdict: what a plan and the counts that were found amount to. Pure, and the twin of take.lua. */
import type { Hit } from './hit.ts';
import { isRecordsOwn, type Standing } from './key-record.ts';
import type { Limit, Window } from './limit.ts';
import type { Plan, PlannedDescriptor } from './plan.ts';
import { charged, isOver } from './window.ts';

/** What the store found for one hit. */
export interface Found {
  /** What the presented API key is worth; undefined where none was looked up. */
  readonly standing: Standing | undefined;
  /** In force: those of the hit, the record's own, or those of a key without a record. Empty: the key is refused. */
  readonly windows: readonly Window[];
  /** For every window two numbers: its start, and what was used before this hit. */
  readonly counts: readonly number[];
}

/** What the store read and did, in one atomic step. */
export interface Taken {
  /** The store's clock, whole unix seconds: the only clock that a decision knows. */
  readonly nowSeconds: number;
  /** One per hit, in order. */
  readonly found: readonly Found[];
}

export type Reason = 'within_limit' | 'over_limit' | 'cost_exceeds_limit' | 'invalid_api_key' | 'no_limit' | 'shadowed';

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

/** @param taken the answer to exactly these hits; without hits no store is asked, so that such answers hold during an outage */
export function settle(plan: Plan, taken: Taken): Decision {
  const verdict = verdictOf(plan.hits, taken.found);
  const denied = plan.refused || verdict.denied;
  let next = 0;
  const statuses = plan.descriptors.map((planned): Status => {
    if (planned === undefined) return NO_LIMIT;
    if (planned.hit === undefined) return refusedStatus(planned.limit);
    const outcome = verdict.outcomes[next] as Outcome;
    const found = taken.found[next] as Found;
    next += 1;
    return statusOf(planned, planned.hit, found, outcome, { ...verdict, denied });
  });
  const deciding = decidingOf(statuses, denied);
  return {
    allowed: !denied,
    reason: overallReason(statuses, deciding),
    nowSeconds: taken.nowSeconds,
    statuses,
    deciding,
  };
}

/** Whether the policy wants a call to fail because of an API key that is no longer good. */
export function failsFor(plan: Plan, taken: Taken): boolean {
  let next = 0;
  return plan.descriptors.some((planned) => {
    if (planned?.hit === undefined) return false;
    const { standing } = taken.found[next] as Found;
    next += 1;
    // Where keys without a record are refused, so are made-up keys with somebody's id: an error might let them pass.
    const isInactive = standing === 'inactive' || (standing === 'replaced' && planned.hit.key?.unknown !== undefined);
    return planned.failsInactive && isInactive;
  });
}

export type Outcome = 'fits' | 'over' | 'refused';

/** What the hits of a plan come to. */
export interface Verdict {
  readonly denied: boolean;
  /** A hit that is charged by `stop` does not fit. */
  readonly stopped: boolean;
  /** One per hit, in order. */
  readonly outcomes: readonly Outcome[];
}

/** What becomes of each hit, and whether that denies all of them. */
export function verdictOf(hits: readonly Hit[], found: readonly Found[]): Verdict {
  let denied = false;
  let stopped = false;
  let joint = 0;
  let jointOver = 0;
  const outcomes = hits.map((hit, index) => {
    const outcome = outcomeOf(hit, found[index] as Found);
    if (hit.denies === 'jointly') joint += 1;
    if (outcome === 'fits') return outcome;
    if (hit.denies === 'alone') denied = true;
    if (hit.denies === 'jointly') jointOver += 1;
    if (hit.charging === 'stop') stopped = true;
    return outcome;
  });
  return { denied: denied || (joint > 0 && jointOver === joint), stopped, outcomes };
}

/** Whether a hit changed its counters. */
export function isChargedHit({ charging }: Hit, outcome: Outcome, { denied, stopped }: Verdict): boolean {
  if (outcome === 'refused') return false;
  if (charging === 'together') return outcome === 'fits' && !denied;
  return charging === 'always' || outcome === 'over' || !stopped;
}

/** Whether a status is one of those that deny. */
export function isDenial({ reason }: Status): boolean {
  return reason === 'over_limit' || reason === 'cost_exceeds_limit' || reason === 'invalid_api_key';
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

function outcomeOf(hit: Hit, { windows, counts }: Found): Outcome {
  if (windows.length === 0) return 'refused';
  const isHitOver = windows.some(({ max }, index) => isOver(counts[2 * index + 1] as number, hit.need, max));
  return isHitOver ? 'over' : 'fits';
}

function statusOf(planned: PlannedDescriptor, hit: Hit, found: Found, outcome: Outcome, verdict: Verdict): Status {
  const { standing, windows } = found;
  const policyLimit = standing === undefined || isRecordsOwn(standing) ? planned.limit : planned.unknownLimit;
  if (outcome === 'refused') return refusedStatus(policyLimit);
  const limit = windows === policyLimit.windows ? policyLimit : { ...policyLimit, windows };
  const readings = readingsOf(hit, found, isChargedHit(hit, outcome, verdict));
  const reason = reasonOf(limit, hit, outcome === 'over');
  return { reason, limit, readings, reported: mostRestrictive(readings) };
}

function refusedStatus(limit: Limit): Status {
  return { reason: limit.shadow ? 'shadowed' : 'invalid_api_key', limit, readings: [], reported: undefined };
}

function readingsOf(hit: Hit, { windows, counts }: Found, isCharged: boolean): WindowReading[] {
  return windows.map((window, index) => {
    const start = counts[2 * index] as number;
    const before = counts[2 * index + 1] as number;
    const used = isCharged ? charged(before, hit.cost) : before;
    return {
      window,
      remaining: Math.max(0, window.max - used),
      endsAt: window.algorithm.end({ start, used }, window.seconds),
      over: isOver(before, hit.need, window.max),
    };
  });
}

function reasonOf(limit: Limit, hit: Hit, over: boolean): Reason {
  if (!over) return 'within_limit';
  if (limit.shadow) return 'shadowed';
  if (hit.charging !== 'together') return 'over_limit';
  return limit.windows.some((window) => hit.cost > window.max) ? 'cost_exceeds_limit' : 'over_limit';
}

function decidingOf(statuses: readonly Status[], denied: boolean): Status | undefined {
  // No other status can be mended by waiting as long as the key is refused.
  let deciding = statuses.find(({ reason }) => reason === 'invalid_api_key');
  if (deciding !== undefined) return deciding;
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

/** What no waiting helps is worth telling first. */
function overallReason(statuses: readonly Status[], deciding: Status | undefined): Reason {
  const reasons = new Set(statuses.map((status) => status.reason));
  for (const reason of ['invalid_api_key', 'cost_exceeds_limit', 'over_limit', 'shadowed'] as const)
    if (reasons.has(reason)) return reason;
  return deciding === undefined && !reasons.has('within_limit') ? 'no_limit' : 'within_limit';
}
