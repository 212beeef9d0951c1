/** The verdict: what hits and the counts that were found amount to. Pure, and the twin of take.lua. */
import type { Charge, Hit } from './hit.ts';
import type { Standing } from './key-record.ts';
import type { Window } from './limit.ts';
import { isOver } from './window.ts';

/** What the store found for one hit. */
export interface Found {
  /** What the presented API key is worth; undefined where none was looked up. */
  readonly standing: Standing | undefined;
  /** In force: those of the hit, the record's own, or those of a key without a record. Empty: the key is refused. */
  readonly windows: readonly Window[];
  /** For every window two numbers: its start, and what was used before this hit. */
  readonly counts: readonly number[];
  /** Known from an earlier call: the store was not asked, and nothing charged. */
  readonly cached?: boolean | undefined;
}

/** What the store read and did, in one atomic step. */
export interface Taken {
  /** The store's clock, whole unix seconds: the only clock that a decision knows. */
  readonly nowSeconds: number;
  /** One per hit, in order. */
  readonly found: readonly Found[];
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
  const outcomes = hits.map((hit, index) => outcomeOf(hit, found[index] as Found));
  return {
    denied: denialOf(hits, (_, index) => outcomes[index] !== 'fits') !== 'none',
    stopped: hits.some(({ charging }, index) => charging === 'stop' && outcomes[index] === 'over'),
    outcomes,
  };
}

/** Who denies: nobody, some each by itself, or those that deny only jointly as well, since all of them do. */
export type Denial = 'none' | 'alone' | 'jointly';

/** @param parties undefined: one that has no say @param misfits whether what it asks for does not fit */
export function denialOf<T extends Pick<Charge, 'denies'>>(
  parties: readonly (T | undefined)[],
  misfits: (party: T, index: number) => boolean,
): Denial {
  let isAlone = false;
  let joint = 0;
  let jointOver = 0;
  parties.forEach((party, index) => {
    if (party === undefined || party.denies === 'never') return;
    if (party.denies === 'jointly') joint += 1;
    if (!misfits(party, index)) return;
    if (party.denies === 'jointly') jointOver += 1;
    else isAlone = true;
  });
  if (joint > 0 && jointOver === joint) return 'jointly';
  return isAlone ? 'alone' : 'none';
}

/** Whether a hit changed its counters. */
export function isChargedHit({ charging }: Hit, outcome: Outcome, { denied, stopped }: Verdict): boolean {
  if (outcome === 'refused') return false;
  if (charging === 'together') return outcome === 'fits' && !denied;
  return charging === 'always' || outcome === 'over' || !stopped;
}

/** @param found for this hit */
export function outcomeOf(hit: Hit, { windows, counts }: Found): Outcome {
  if (windows.length === 0) return 'refused';
  const isHitOver = windows.some(({ max }, index) => isOver(counts[2 * index + 1] as number, hit.need, max));
  return isHitOver ? 'over' : 'fits';
}
