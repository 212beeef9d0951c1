/** What a key has used of every limit that counts it, and how that is forgotten; likewise for the admin API's own limits. */
import { InvalidRequest } from '../core/errors.ts';
import { countersOf, type KeyCounter } from '../core/key-counters.ts';
import type { Window } from '../core/limit.ts';
import { subjectOf } from '../core/subject.ts';
import type { Admin } from '../ports/admin-tokens.ts';
import type { CounterStore } from '../ports/counter-store.ts';
import type { PolicySource } from '../ports/policy-source.ts';
import { ADMIN_ADDRESS, ADMIN_DOMAIN, ADMIN_TOKEN } from './admin-policy.ts';
import type { Audit } from './audit.ts';
import type { KeyAdmin } from './key-admin.ts';
import type { StoreGuard } from './store-guard.ts';

export interface KeyUsageOptions {
  readonly keys: Pick<KeyAdmin, 'find'>;
  readonly audit: Audit;
  readonly policies: PolicySource;
  readonly guard: Pick<StoreGuard, 'take' | 'ask'>;
  readonly counters: Pick<CounterStore, 'forget'>;
}

export interface WindowUsage {
  readonly name: string;
  readonly seconds: number;
  readonly limit: number;
  /** May exceed the limit: it was lowered, or what was charged was known only afterwards. */
  readonly used: number;
  readonly remaining: number;
  /** At least 1. */
  readonly resetSeconds: number;
  /** Unix second. */
  readonly resetAt: number;
}

export interface PolicyUsage {
  readonly domain: string;
  readonly policy: string;
  readonly windows: readonly WindowUsage[];
}

/** What is to be forgotten; what is absent narrows nothing. */
export interface ResetScope {
  readonly window?: string | undefined;
  readonly domain?: string | undefined;
}

/** One limit of the admin API, and who is counted by it. */
export interface AdminLimit {
  readonly limit: string;
  readonly value: string;
}

export class KeyUsage {
  readonly #options: KeyUsageOptions;

  constructor(options: KeyUsageOptions) {
    this.#options = options;
  }

  /** @throws NotFound, Undecidable */
  async usage(id: string): Promise<readonly PolicyUsage[]> {
    return this.#read(await this.#counters(id));
  }

  /**
   * @returns the usage afterwards
   * @throws NotFound, Undecidable; InvalidRequest for a window or a domain by which the key is not counted
   */
  async reset(id: string, scope: ResetScope, by: Admin): Promise<readonly PolicyUsage[]> {
    const { audit } = this.#options;
    const all = await this.#counters(id);
    const wanted = inScope(all, scope);
    const before = await this.#read(all);
    for (const [seconds, counters] of byLength(wanted, scope.window)) await this.#forget(counters, seconds);
    const after = await this.#read(all);
    await audit.add(audit.entry(by, 'key.usage_reset', id, usedOf(before), usedOf(after)));
    return after;
  }

  /** Forgets what wrong tokens from an address, or the token of `by`, have used. @returns what was forgotten */
  async resetAdmin(address: string | undefined, ownToken: boolean, by: Admin): Promise<readonly AdminLimit[]> {
    const { audit, guard, counters } = this.#options;
    const limits: AdminLimit[] = [];
    if (address !== undefined) limits.push({ limit: ADMIN_ADDRESS, value: address });
    if (ownToken) limits.push({ limit: ADMIN_TOKEN, value: by.fingerprint });
    const subjects = limits.map(({ limit, value }) => ({ subject: subjectOf(ADMIN_DOMAIN, [{ key: limit, value }]) }));
    await guard.ask(() => counters.forget(subjects));
    await audit.add(audit.entry(by, 'limits.reset', ADMIN_DOMAIN, undefined, limits));
    return limits;
  }

  async #counters(id: string): Promise<readonly KeyCounter[]> {
    const record = await this.#options.keys.find(id);
    return countersOf(this.#options.policies.current() ?? new Map(), record);
  }

  async #read(counters: readonly KeyCounter[]): Promise<readonly PolicyUsage[]> {
    if (counters.length === 0) return [];
    const hits = counters.map(({ hit }) => hit);
    const { nowSeconds, found } = await this.#options.guard.take(hits, undefined);
    return counters.map(({ domain, policy, hit }, index) => {
      const counts = found[index]?.counts ?? [];
      return { domain, policy, windows: hit.windows.map((window, at) => usageOf(window, counts, 2 * at, nowSeconds)) };
    });
  }

  #forget(counters: readonly KeyCounter[], seconds: number | undefined): Promise<void> {
    const { guard, counters: store } = this.#options;
    const subjects = counters.map(({ hit }) => hit);
    return guard.ask(() => store.forget(subjects, seconds));
  }
}

/** @param at where the window's start stands; what was used comes after it */
function usageOf(window: Window, counts: readonly number[], at: number, nowSeconds: number): WindowUsage {
  const { name, seconds, max, algorithm } = window;
  const [start, used] = counts.slice(at, at + 2) as [number, number];
  const resetAt = algorithm.end({ start, used }, seconds);
  const remaining = Math.max(0, max - used);
  return { name, seconds, limit: max, used, remaining, resetSeconds: resetAt - nowSeconds, resetAt };
}

function inScope(all: readonly KeyCounter[], { window, domain }: ResetScope): readonly KeyCounter[] {
  const inDomain = all.filter((counter) => domain === undefined || counter.domain === domain);
  if (domain !== undefined && inDomain.length === 0) {
    throw new InvalidRequest('domain', 'domain: the key is not counted in such a domain');
  }
  if (window === undefined) return inDomain;
  const withWindow = inDomain.filter((counter) => windowIn(counter, window) !== undefined);
  if (withWindow.length === 0) throw new InvalidRequest('window', 'window: the key is not counted in such a window');
  return withWindow;
}

/** Windows of one name may differ in length from policy to policy. */
function byLength(
  counters: readonly KeyCounter[],
  window: string | undefined,
): ReadonlyMap<number | undefined, KeyCounter[]> {
  return Map.groupBy(counters, (counter) => (window === undefined ? undefined : windowIn(counter, window)?.seconds));
}

function windowIn({ hit }: KeyCounter, name: string) {
  return hit.windows.find((window) => window.name === name);
}

/** Flat, since logs are not written deep. */
function usedOf(usage: readonly PolicyUsage[]): readonly object[] {
  return usage.flatMap(({ domain, policy, windows }) =>
    windows.map(({ name, used }) => ({ domain, policy, window: name, used })),
  );
}
