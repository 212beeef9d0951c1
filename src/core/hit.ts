/** What is to be charged, and what the record of an API key makes of it. Pure: stores find the record and the counts. */
import { ownWindows, type Standing, type StoredKey, standingOf } from './key-record.ts';
import type { Window } from './limit.ts';

/** Who is counted by which windows. */
export interface Target {
  /** See subject.ts. */
  readonly subject: string;
  /** The id of the API key's record beside which the subject is counted. */
  readonly record?: string | undefined;
  /** Lengths distinct, at least one. */
  readonly windows: readonly Window[];
}

/** What is charged to a target, and on which conditions. */
export interface Charge {
  /** What is charged to every window: 0 reads, a negative cost gives back. */
  readonly cost: number;
  /** What must be left in every window for the hit to fit. */
  readonly need: number;
  readonly charging: Charging;
  readonly denies: Denies;
}

/**
 * When a hit changes its counters. `together`: if it fits and the plan is not denied. `always`: whatever fits or not.
 * `stop`: if it does not fit, or if all such hits of the plan fit (STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT).
 */
export type Charging = 'together' | 'always' | 'stop';

/** What becomes of the plan if the hit does not fit. `alone`: denied. `jointly`: denied if no such hit fits. `never`: nothing. */
export type Denies = 'alone' | 'jointly' | 'never';

/** One charge against one subject. */
export interface Hit extends Target, Charge {
  /** Present if the record is to be read in the same step, and may change what is charged. */
  readonly key?: PresentedKey | undefined;
}

/** Every hit has the same fields in the same order, so that those who read many of them need not tell them apart. */
export function hitOf({ subject, record, windows }: Target, charge: Charge, key?: PresentedKey): Hit {
  const { cost, need, charging, denies } = charge;
  return { subject, record, windows, cost, need, charging, denies, key };
}

/** An API key that the hit's record may be of. */
export interface PresentedKey {
  /** One for every hash secret in use, the current one's first; at most two. */
  readonly hashes: readonly string[];
  /** The record's own numbers replace the max of the windows of their length. */
  readonly ownLimits: boolean;
  readonly refusesInactive: boolean;
  /** What is charged for a key without a record, or of a record whose key is another; undefined: it is refused. */
  readonly unknown: Target | undefined;
}

/** What is to be charged once the record is known. */
export interface ResolvedHit {
  /** Undefined where no record was looked up. */
  readonly standing: Standing | undefined;
  /** Undefined: the key is refused, nothing is charged. */
  readonly target: Target | undefined;
}

/** Twin of the same in take.lua. @param stored what the registry has at `hit.record` */
export function resolveHit(hit: Hit, stored: StoredKey | undefined, nowSeconds: number): ResolvedHit {
  const { key, subject, record } = hit;
  if (key === undefined) return { standing: undefined, target: hit };
  const standing = standingOf(stored, key.hashes, nowSeconds);
  if (standing !== 'active') return { standing, target: targetOf(hit, standing) };
  const own = stored !== undefined && key.ownLimits;
  return { standing, target: own ? { subject, record, windows: ownWindows(stored.record, hit.windows) } : hit };
}

/**
 * What the policy's own numbers are charged to. Never the counter of a record for a key that is not its own: whoever
 * knows an id could use up what belongs to its owner.
 * @returns undefined: the key is refused
 */
export function targetOf(hit: Hit, standing: Standing): Target | undefined {
  const { key } = hit;
  if (key === undefined || standing === 'active') return hit;
  if (standing === 'unknown') return key.unknown;
  if (key.refusesInactive) return undefined;
  return standing === 'inactive' ? hit : key.unknown;
}
