/** What the contract needs of a store besides its port, and hits in the few words that a row has room for. */

import type { Hit } from '../../src/core/hit.ts';
import type { StoredKey } from '../../src/core/key-record.ts';
import type { Window } from '../../src/core/limit.ts';
import { verdictOf } from '../../src/core/verdict.ts';
import { fixedWindow, windowStart } from '../../src/core/window.ts';
import type { CounterStore } from '../../src/ports/counter-store.ts';
import { countsOf } from '../core/build.ts';

export interface StoreUnderTest {
  readonly store: CounterStore;
  /** Replaces what is stored of a subject. Starts are multiples of the length. */
  plant(subject: string, windows: readonly Planted[]): Promise<void>;
  /** Puts the record of an API key where decisions read it, in place of an earlier one of its id. */
  register(stored: StoredKey): Promise<void>;
  /** Everything that is stored of the subjects, comparable: equal only if nothing changed. */
  held(subjects: readonly string[]): Promise<unknown>;
}

export interface Planted {
  readonly seconds: number;
  readonly start: number;
  readonly used: number;
}

/**
 * Lengths whose windows begin decades apart: no run of a test crosses a boundary of theirs, whoever's the clock is.
 * Several, since a subject has at most one window of each.
 */
export const LENGTHS = { a: 1_000_000_000, b: 1_500_000_000, c: 2_000_000_000, d: 2_500_000_000 } as const;

export type Letter = keyof typeof LENGTHS;

/** `windows({ a: 5, b: 9 })`: two windows with these maxes. */
export function windows(maxes: Partial<Readonly<Record<Letter, number>>>): Window[] {
  return Object.entries(maxes).map(([name, max]) => windowOfSeconds(LENGTHS[name as Letter], max));
}

export function windowOfSeconds(seconds: number, max: number): Window {
  return { name: `${seconds}s`, max, seconds, unit: undefined, algorithm: fixedWindow };
}

/** A hit of cost 1 that is charged all or nothing, unless `rest` says otherwise. */
export function hit(subject: string, limits: readonly Window[], rest: Partial<Hit> = {}): Hit {
  const cost = rest.cost ?? 1;
  return { subject, windows: limits, cost, need: cost, charging: 'together', denies: 'alone', ...rest };
}

/** Reads all windows of a subject, and neither changes nor denies anything. */
export function look(subject: string, limits: readonly Window[] = windows({ a: 0, b: 0, c: 0, d: 0 })): Hit {
  return hit(subject, limits, { cost: 0, need: 0, charging: 'always', denies: 'never' });
}

/** What each window of each hit held when the hit found it. */
export async function usedBefore(store: CounterStore, ...hits: readonly Hit[]): Promise<number[]> {
  return countsOf(await store.take(hits)).filter((_, index) => index % 2 === 1);
}

export async function isDenied(store: CounterStore, ...hits: readonly Hit[]): Promise<boolean> {
  const { found } = await store.take(hits);
  return verdictOf(hits, found).denied;
}

export async function storeSeconds(store: CounterStore): Promise<number> {
  return (await store.take([look('whoever asks for the time')])).nowSeconds;
}

/** A count in the window of now, or for `windowsOff` -1 and 1 in the one before and after. */
export function planted(nowSeconds: number, letter: Letter, used: number, windowsOff = 0): Planted {
  const seconds = LENGTHS[letter];
  return { seconds, start: windowStart(nowSeconds, seconds) + windowsOff * seconds, used };
}

let subjects = 0;
/** A subject that nothing was charged to. */
export function someone(): string {
  subjects += 1;
  return `someone ${subjects}`;
}
