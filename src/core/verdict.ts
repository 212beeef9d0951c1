/** The verdict: what hits and the counts that were found amount to. Pure, and the twin of take.lua. */
import type { Denies, Hit } from './hit.ts';
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
  const outcomes: Outcome[] = [];
  const votes = new Votes();
  let stopped = false;
  for (let index = 0; index < hits.length; index++) {
    const hit = hits[index] as Hit;
    const outcome = outcomeOf(hit, found[index] as Found);
    outcomes.push(outcome);
    votes.add(hit.denies, outcome !== 'fits');
    if (outcome === 'over' && hit.charging === 'stop') stopped = true;
  }
  return { denied: votes.denial !== 'none', stopped, outcomes };
}

/** Who denies: nobody, some each by itself, or those that deny only jointly as well, since all of them do. */
export type Denial = 'none' | 'alone' | 'jointly';

/** What those who may deny come to. */
export class Votes {
  #isAlone = false;
  #joint = 0;
  #jointMisfits = 0;

  /** @param misfits what it asks for does not fit */
  add(denies: Denies, misfits: boolean): void {
    if (denies === 'never') return;
    if (denies === 'jointly') {
      this.#joint += 1;
      if (misfits) this.#jointMisfits += 1;
    } else if (misfits) {
      this.#isAlone = true;
    }
  }

  get denial(): Denial {
    if (this.#joint > 0 && this.#jointMisfits === this.#joint) return 'jointly';
    return this.#isAlone ? 'alone' : 'none';
  }
}

/** Whether a hit changed its counters. */
export function isChargedHit({ charging }: Hit, outcome: Outcome, { denied, stopped }: Verdict): boolean {
  if (outcome === 'refused') return false;
  if (charging === 'together') return outcome === 'fits' && !denied;
  return charging === 'always' || outcome === 'over' || !stopped;
}

/** @param found for this hit */
export function outcomeOf({ need }: Hit, { windows, counts }: Found): Outcome {
  if (windows.length === 0) return 'refused';
  for (let index = 0; index < windows.length; index++) {
    if (isOver(counts[2 * index + 1] as number, need, (windows[index] as Window).max)) return 'over';
  }
  return 'fits';
}
