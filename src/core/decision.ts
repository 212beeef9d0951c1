/** The decision: what a plan and the verdict on its hits amount to, descriptor by descriptor. Pure. */
import type { Hit } from './hit.ts';
import { isRecordsOwn } from './key-record.ts';
import type { Limit, Window } from './limit.ts';
import type { Plan, PlannedDescriptor } from './plan.ts';
import {
  type Denial,
  type Found,
  isChargedHit,
  type Outcome,
  type Taken,
  type Verdict,
  Votes,
  verdictOf,
} from './verdict.ts';
import { charged, isOver } from './window.ts';

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

/** What statistics need of one status. */
export interface Counted {
  /** See stats-key.ts; not yet fit for any wire. */
  readonly statsKey: string;
  /** What the request charges; 0 for a peek and for a refund. */
  readonly hits: number;
  /** Of the reported window: what was used with this charge, made or not. */
  readonly used: number;
  readonly max: number;
  /** It does not fit. */
  readonly over: boolean;
  /** Known not to fit: the store was not asked. */
  readonly cached: boolean;
  /** In shadow mode. */
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
  /** It is one of those for which the request is denied. */
  readonly denies: boolean;
  /** It denies only jointly with the others in quota mode. */
  readonly quota: boolean;
  /** Undefined where nothing is counted. */
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
  /** It would have been denied, were it not for SHADOW_MODE. */
  readonly globallyShadowed: boolean;
}

/** @param taken the answer to exactly these hits; without hits no store is asked, so that such answers hold during an outage */
export function settle(plan: Plan, taken: Taken): Decision {
  const { stopped, outcomes } = verdictOf(plan.hits, taken.found);
  const denial = denialOf(plan, outcomes);
  const denied = denial !== 'none' && !plan.shadow;
  const verdict = { denied, stopped, outcomes };
  const settled: Settled = { plan, taken, verdict, denial: denied ? denial : 'none' };
  const statuses: Status[] = [];
  for (const planned of plan.descriptors) statuses.push(statusOf(planned, settled));
  return {
    allowed: !denied,
    reason: overallReason(statuses, denial, denied),
    nowSeconds: taken.nowSeconds,
    statuses,
    deciding: decidingOf(statuses, denied),
    globallyShadowed: denial !== 'none' && plan.shadow,
  };
}

/** SHADOW_MODE apart, under which hits deny nothing. A refused key has no hit, and a say all the same. */
function denialOf({ descriptors }: Plan, outcomes: readonly Outcome[]): Denial {
  const votes = new Votes();
  for (const planned of descriptors) {
    if (planned === undefined) continue;
    votes.add(planned.denies, planned.hitAt < 0 || outcomes[planned.hitAt] !== 'fits');
  }
  return votes.denial;
}

interface Settled {
  readonly plan: Plan;
  readonly taken: Taken;
  readonly verdict: Verdict;
  /** Under SHADOW_MODE nobody. */
  readonly denial: Denial;
}

/** Whether what does not fit is one of those for which the request is denied. */
function isDenying({ denies }: PlannedDescriptor, denial: Denial): boolean {
  return (denies === 'alone' && denial !== 'none') || (denies === 'jointly' && denial === 'jointly');
}

/**
 * Whether the policy wants a call to fail because of an API key that is no longer good.
 * @param decision of these
 */
export function failsFor({ descriptors, hits }: Plan, taken: Taken, { allowed, statuses }: Decision): boolean {
  if (allowed) return false;
  return descriptors.some((planned, index) => {
    if (!planned?.failsInactive || statuses[index]?.denies !== true) return false;
    const { standing } = taken.found[planned.hitAt] as Found;
    // Where keys without a record are refused, so are made-up keys with somebody's id: an error might let them pass.
    return standing === 'inactive' || (standing === 'replaced' && hits[planned.hitAt]?.key?.unknown !== undefined);
  });
}

/** Whether the status of its descriptor is OVER_LIMIT, whatever becomes of the request. */
export function isOverLimit({ reason }: Status): boolean {
  return reason === 'over_limit' || reason === 'cost_exceeds_limit' || reason === 'invalid_api_key';
}

/** The window with the least left; among equals the one that ends last. After a denial: of those that deny, the one that ends last. */
export function mostRestrictive(readings: readonly WindowReading[]): WindowReading | undefined {
  let best: WindowReading | undefined;
  for (const next of readings) if (best === undefined || isWorse(next, best)) best = next;
  return best;
}

function isWorse(next: WindowReading, best: WindowReading): boolean {
  if (next.over !== best.over) return next.over;
  return outranks(next, best, next.over);
}

const NO_LIMIT: Status = {
  reason: 'no_limit',
  limit: undefined,
  readings: [],
  reported: undefined,
  denies: false,
  quota: false,
  counted: undefined,
};

function statusOf(planned: PlannedDescriptor | undefined, settled: Settled): Status {
  if (planned === undefined) return NO_LIMIT;
  if (planned.outcome === 'unlimited') return { ...NO_LIMIT, limit: planned.limit };
  if (planned.outcome === 'refused') return refusedStatus(planned, planned.limit, settled.denial);
  return countedStatus(planned, settled);
}

function countedStatus(planned: PlannedDescriptor, { plan, taken, verdict, denial }: Settled): Status {
  const hit = plan.hits[planned.hitAt] as Hit;
  const found = taken.found[planned.hitAt] as Found;
  const outcome = verdict.outcomes[planned.hitAt] as Outcome;
  const { standing, windows } = found;
  const isOwn = standing === undefined || isRecordsOwn(standing);
  const policyLimit = isOwn ? planned.limit : planned.unknownLimit;
  if (outcome === 'refused') return refusedStatus(planned, policyLimit, denial);
  const limit = windows === policyLimit.windows ? policyLimit : { ...policyLimit, windows, passing: true };
  const isCharged = isChargedHit(hit, outcome, verdict);
  const readings = readingsOf(hit, found, isCharged);
  const over = outcome === 'over';
  const reported = mostRestrictive(readings);
  const hits = Math.max(0, hit.cost);
  // envoyproxy/ratelimit tells what its counter stands at, which in stop mode is without what was not added.
  const added = hit.charging === 'stop' && !isCharged ? 0 : hits;
  const at = readings.indexOf(reported as WindowReading);
  return {
    reason: reasonOf(limit, hit, over),
    limit,
    readings,
    reported,
    denies: over && isDenying(planned, denial),
    quota: planned.quota,
    counted: {
      statsKey: isOwn ? planned.statsKey : planned.unknownStatsKey,
      hits,
      used: (found.counts[2 * at + 1] as number) + added,
      max: (windows[at] as Window).max,
      over,
      cached: found.cached === true,
      shadow: limit.shadow,
    },
  };
}

function refusedStatus(planned: PlannedDescriptor, limit: Limit, denial: Denial): Status {
  const reason = limit.shadow ? 'shadowed' : 'invalid_api_key';
  return { ...NO_LIMIT, reason, limit, quota: planned.quota, denies: isDenying(planned, denial) };
}

function readingsOf({ cost, need }: Hit, { windows, counts }: Found, isCharged: boolean): WindowReading[] {
  const readings: WindowReading[] = [];
  for (let index = 0; index < windows.length; index++) {
    const window = windows[index] as Window;
    const start = counts[2 * index] as number;
    const before = counts[2 * index + 1] as number;
    const used = isCharged ? charged(before, cost) : before;
    readings.push({
      window,
      remaining: Math.max(0, window.max - used),
      endsAt: window.algorithm.end({ start, used }, window.seconds),
      over: isOver(before, need, window.max),
    });
  }
  return readings;
}

function reasonOf(limit: Limit, hit: Hit, over: boolean): Reason {
  if (!over) return 'within_limit';
  if (limit.shadow) return 'shadowed';
  if (hit.charging !== 'together') return 'over_limit';
  return limit.windows.some((window) => hit.cost > window.max) ? 'cost_exceeds_limit' : 'over_limit';
}

function decidingOf(statuses: readonly Status[], denied: boolean): Status | undefined {
  // No other status can be mended by waiting as long as the key is refused.
  if (denied) {
    const refused = statuses.find(({ reason, denies }) => reason === 'invalid_api_key' && denies);
    if (refused !== undefined) return refused;
  }
  let deciding: Status | undefined;
  for (const status of statuses) {
    if (status.reported === undefined || status.limit?.shadow === true) continue;
    if (denied && !status.denies) continue;
    if (deciding?.reported === undefined || outranks(status.reported, deciding.reported, denied)) deciding = status;
  }
  return deciding;
}

function outranks(next: WindowReading, best: WindowReading, denied: boolean): boolean {
  return denied ? next.endsAt > best.endsAt : isTighter(next, best);
}

function isTighter(next: WindowReading, best: WindowReading): boolean {
  return next.remaining < best.remaining || (next.remaining === best.remaining && next.endsAt > best.endsAt);
}

/** What no waiting helps is worth telling first. */
function overallReason(statuses: readonly Status[], denial: Denial, denied: boolean): Reason {
  if (denied) return deniedReason(statuses);
  if (denial !== 'none') return 'shadowed';
  let reason: Reason = 'no_limit';
  for (const status of statuses) {
    if (status.reason === 'shadowed') return 'shadowed';
    if (status.counted !== undefined) reason = 'within_limit';
  }
  return reason;
}

function deniedReason(statuses: readonly Status[]): Reason {
  let reason: Reason = 'over_limit';
  for (const status of statuses) {
    if (!status.denies) continue;
    if (status.reason === 'invalid_api_key') return status.reason;
    if (status.reason === 'cost_exceeds_limit') reason = status.reason;
  }
  return reason;
}
