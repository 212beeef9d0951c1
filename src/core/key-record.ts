/** What is kept of an API key, and how it may change. Where it is kept is the registry's matter. */
import type { KeyType } from './api-key.ts';
import type { Window } from './limit.ts';

export const KEY_STATUSES = ['active', 'disabled', 'revoked'] as const;
export type KeyStatus = (typeof KEY_STATUSES)[number];

export interface KeyRecord {
  /** See api-key.ts: part of the key, but no secret. */
  readonly id: string;
  readonly name: string;
  readonly type: KeyType;
  readonly prefix: string;
  /** 0: the policy's default. */
  readonly rateLimitPerMinute: number;
  /** 0: the policy's default. */
  readonly rateLimitPerDay: number;
  readonly status: KeyStatus;
  /** Unix second from which on the key counts as inactive. */
  readonly expiresAt: number | undefined;
  /** Milliseconds since the epoch, by the clock of the process that made the record. */
  readonly createdAt: number;
  readonly updatedAt: number;
  /** 1 at creation, one more with every change. */
  readonly version: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** By what a presented key is recognised. */
export interface KeyCredentials {
  /** Of the key, as the registry's hasher gives it. */
  readonly hash: string;
  /** The key before the last rotation, while it is still good. */
  readonly rotated: { readonly hash: string; readonly untilSeconds: number } | undefined;
}

export interface StoredKey {
  readonly record: KeyRecord;
  readonly credentials: KeyCredentials;
}

/** What may be changed; what is absent stays. */
export interface KeyChange {
  readonly name?: string | undefined;
  readonly rateLimitPerMinute?: number | undefined;
  readonly rateLimitPerDay?: number | undefined;
  readonly status?: KeyStatus | undefined;
  /** null: never. */
  readonly expiresAt?: number | null | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/**
 * `inactive`: disabled, revoked or expired. `replaced`: there is a record, and its key is another: this one was rotated
 * away, or made up. `unknown`: there is no record.
 */
export type Standing = 'active' | 'inactive' | 'replaced' | 'unknown';

/** Whether the presented key is the record's, good or not. */
export function isRecordsOwn(standing: Standing): boolean {
  return standing === 'active' || standing === 'inactive';
}

/** The record after a change, one version later. */
export function changedRecord(record: KeyRecord, change: KeyChange, nowMillis: number): KeyRecord {
  return {
    ...record,
    name: change.name ?? record.name,
    rateLimitPerMinute: change.rateLimitPerMinute ?? record.rateLimitPerMinute,
    rateLimitPerDay: change.rateLimitPerDay ?? record.rateLimitPerDay,
    status: change.status ?? record.status,
    expiresAt: change.expiresAt === undefined ? record.expiresAt : (change.expiresAt ?? undefined),
    metadata: change.metadata ?? record.metadata,
    updatedAt: nowMillis,
    version: record.version + 1,
  };
}

/** Unix second from which on the key is inactive; 0: it is already, whatever the time. */
export function activeUntil({ status, expiresAt }: KeyRecord): number {
  if (status !== 'active') return 0;
  return expiresAt ?? Number.MAX_SAFE_INTEGER;
}

/**
 * What a presented key is worth. Twin of what take.lua reads from the record.
 * @param hashes of the presented key, one for every hash secret in use
 */
export function standingOf(stored: StoredKey | undefined, hashes: readonly string[], nowSeconds: number): Standing {
  if (stored === undefined) return 'unknown';
  if (!isItsKey(stored.credentials, hashes, nowSeconds)) return 'replaced';
  return nowSeconds < activeUntil(stored.record) ? 'active' : 'inactive';
}

function isItsKey({ hash, rotated }: KeyCredentials, hashes: readonly string[], nowSeconds: number): boolean {
  if (hashes.includes(hash)) return true;
  return rotated !== undefined && nowSeconds < rotated.untilSeconds && hashes.includes(rotated.hash);
}

/** The windows with the record's own numbers in place of the policy's. */
export function ownWindows(record: KeyRecord, windows: readonly Window[]): readonly Window[] {
  return windows.map((window) => {
    const own = ownMax(record, window.seconds);
    return own === 0 ? window : { ...window, max: own };
  });
}

function ownMax({ rateLimitPerMinute, rateLimitPerDay }: KeyRecord, seconds: number): number {
  if (seconds === 60) return rateLimitPerMinute;
  return seconds === 86_400 ? rateLimitPerDay : 0;
}
