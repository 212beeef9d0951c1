/** Core values for tests, as short as a row needs them. */

import type { KeyHasher } from '../../src/core/api-key.ts';
import { compilePolicy } from '../../src/core/compile-policy.ts';
import type { DescriptorDefinition, PolicyDefinition } from '../../src/core/definition.ts';
import type { Descriptor, LimitRequest } from '../../src/core/descriptor.ts';
import type { Hit } from '../../src/core/hit.ts';
import { parsePer, type Window } from '../../src/core/limit.ts';
import { type Plan, planOf } from '../../src/core/plan.ts';
import type { DomainPolicy } from '../../src/core/policy.ts';
import type { Found, Taken } from '../../src/core/verdict.ts';
import { fixedWindow, windowStart } from '../../src/core/window.ts';

/** 12 seconds before the end of a minute, 57,552 before that of a day. */
export const NOW = 1_800_000_048;
export const MINUTE_END = 1_800_000_060;
export const DAY_END = 1_800_057_600;

export const DOMAIN = 'd';

/** @param per a unit, or a duration such as `90s` */
export function windowOf(max: number, per: string, name = per): Window {
  const length = parsePer(per);
  if (!length) throw new Error(`${per} is no length`);
  return { name, max, ...length, algorithm: fixedWindow };
}

export function policyOf(descriptors: readonly DescriptorDefinition[], rest: Partial<PolicyDefinition> = {}) {
  return compilePolicy({ domain: DOMAIN, descriptors, ...rest });
}

/** `of({ key: 'value' })`: one descriptor, its entries in the order written. */
export function of(entries: Readonly<Record<string, string>>, rest: Partial<Descriptor> = {}): Descriptor {
  return {
    entries: Object.entries(entries).map(([key, value]) => ({ key, value })),
    isNegativeHits: false,
    ...rest,
  };
}

export function request(descriptors: readonly Descriptor[], rest: Partial<LimitRequest> = {}): LimitRequest {
  return { domain: DOMAIN, descriptors, hitsAddend: 0, ...rest };
}

/** Stands for the one-way hash of API keys, readable in what a test compares. */
export const hasherForTest: KeyHasher = {
  hash: (key) => `hash of ${key}`,
  previousHash: () => undefined,
};

export function plan(policy: DomainPolicy | undefined, ...args: Parameters<typeof request>): Plan {
  return planOf(request(...args), policy, hasherForTest);
}

/** What a store would answer at `nowSeconds` if so much was used of each window in turn. */
export function taken({ hits }: Plan, used: readonly number[], nowSeconds = NOW): Taken {
  const windows = hits.flatMap((hit) => hit.windows);
  if (windows.length !== used.length) throw new Error(`${windows.length} windows, but ${used.length} counts`);
  return {
    nowSeconds,
    found: foundOf(
      hits,
      windows.flatMap(({ seconds }, index) => [windowStart(nowSeconds, seconds), used[index] as number]),
    ),
  };
}

/** @param counts start and used of every window of every hit, in order */
export function foundOf(hits: readonly Hit[], counts: readonly number[]): Found[] {
  let at = 0;
  return hits.map(({ windows }) => {
    const from = at;
    at += 2 * windows.length;
    return { standing: undefined, windows, counts: counts.slice(from, at) };
  });
}

/** Start and used of every window of every hit, in order. */
export function countsOf({ found }: Taken): number[] {
  return found.flatMap(({ counts }) => counts);
}

/** What `action` throws, so that a test sees more of it than its message. */
export function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
