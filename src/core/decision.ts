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

/** What statistics in the form of envoyproxy/ratelimit are made of: one hit on one limit. */
export interface Counted {
  /** envoyproxy/ratelimit's name of the limit: domain and node names joined by `.`, as they are written. */
  readonly statsKey: string;
  /** Of this request; 0 for refunds and peeks. */
  readonly hits: number;
  /** What the counter of the reported window stood at after these hits, charged or not. */
  readonly used: number;
  readonly max: number;
  /** The hits do not fit. */
  readonly over: boolean;
  /** Refused by the local cache: the store was not asked. */
  readonly cached: boolean;
  /** The rule is in shadow mode. */
  readonly shadow: boolean;
}

/** The answer to one descriptor. */
export interface Status {
  readonly reason: Reason;
  readonly limit: Limit | undefined;
  /** Every window of the limit, shortest first; empty without a limit. */
  readonly readings: readonly WindowReading[];
  /** The most restrictive of them; undefined without a limit. */
  readonly reported: WindowReading | undefined;
  /** Undefined: no limit applied, or the key was refused. */
  readonly counted: Counted | undefined;
}

export interface Decision {
  readonly allowed: boolean;
  readonly reason: Reason;
  readonly nowSeconds: number;
  /** One per descriptor, in request order. */
  readonly statuses: readonly Status[];
  /** The status that the caller is told of: what denies, else what is most restrictive. Shadowed limits are never told. */
  readonly deciding: Status | undefined;
  /** SHADOW_MODE has turned a denial into OK. */
  readonly globallyShadowed: boolean;
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
    return statusOf(plan.domain, planned, planned.hit, found, outcome, denied);
  });
  const deciding = decidingOf(statuses, denied);
  return {
    allowed: !denied,
    reason: overallReason(statuses, deciding),
    nowSeconds: taken.nowSeconds,
    statuses,
    deciding,
    globallyShadowed: false,
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

/** What becomes of each hit, and whether that denies all of them. */
export function verdictOf(
  hits: readonly Hit[],
  found: readonly Found[],
): { readonly denied: boolean; readonly outcomes: readonly Outcome[] } {
  let denied = false;
  const outcomes = hits.map((hit, index) => {
    const outcome = outcomeOf(hit, found[index] as Found);
    if (outcome !== 'fits' && hit.enforced) denied = true;
    return outcome;
  });
  return { denied, outcomes };
}

/** Whether a hit changed its counters. */
export function isChargedHit(hit: Hit, outcome: Outcome, denied: boolean): boolean {
  return outcome !== 'refused' && (hit.always || !(outcome === 'over' || denied));
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

const NO_LIMIT: Status = {
  reason: 'no_limit',
  limit: undefined,
  readings: [],
  reported: undefined,
  counted: undefined,
};

function outcomeOf(hit: Hit, { windows, counts }: Found): Outcome {
  if (windows.length === 0) return 'refused';
  const isHitOver = windows.some(({ max }, index) => isOver(counts[2 * index + 1] as number, hit.need, max));
  return isHitOver ? 'over' : 'fits';
}

function statusOf(
  domain: string,
  planned: PlannedDescriptor,
  hit: Hit,
  found: Found,
  outcome: Outcome,
  denied: boolean,
): Status {
  const { standing, windows } = found;
  const policyLimit = standing === undefined || isRecordsOwn(standing) ? planned.limit : planned.unknownLimit;
  if (outcome === 'refused') return refusedStatus(policyLimit);
  const limit = windows === policyLimit.windows ? policyLimit : { ...policyLimit, windows };
  const readings = readingsOf(hit, found, isChargedHit(hit, outcome, denied));
  const reason = reasonOf(limit, hit, outcome === 'over');
  const reported = mostRestrictive(readings);
  const counted =
    reported && countedOf(`${domain}.${planned.limit.policy}`, planned.limit.shadow, hit, found, reported);
  return { reason, limit, readings, reported, counted };
}

function countedOf(statsKey: string, shadow: boolean, hit: Hit, found: Found, reported: WindowReading): Counted {
  const { window, over } = reported;
  const before = found.counts[2 * found.windows.indexOf(window) + 1] as number;
  const hits = Math.max(0, hit.cost);
  const used = charged(before, hit.cost);
  return { statsKey, hits, used, max: window.max, over, cached: false, shadow };
}

function refusedStatus(limit: Limit): Status {
  return {
    reason: limit.shadow ? 'shadowed' : 'invalid_api_key',
    limit,
    readings: [],
    reported: undefined,
    counted: undefined,
  };
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
  if (hit.always) return 'over_limit';
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
