/** What the contract needs of a registry besides its port, and records in the few words that a row has room for. */
import { createHash } from 'node:crypto';
import { expect } from '@jest/globals';
import { changedRecord, type KeyChange, type KeyRecord, type StoredKey } from '../../src/core/key-record.ts';
import type { AuditEntry, KeyQuery, KeyRegistry, KeyWrite, OnceReply } from '../../src/ports/key-registry.ts';
import { keyRecord } from '../core/key-build.ts';

export interface KeysUnderTest {
  readonly registry: KeyRegistry;
  /** Lets so much time pass for what is remembered. */
  pass(seconds: number): Promise<void>;
}

export const NOW = 1_800_000_000_000;

let ids = 0;
/** One that nobody has, and in no order. */
export function someId(): string {
  ids += 1;
  return `key_${createHash('sha256').update(String(ids)).digest('hex').slice(0, 12)}`;
}

export function keyOf(rest: Partial<KeyRecord> = {}, credentials: Partial<StoredKey['credentials']> = {}): StoredKey {
  const id = rest.id ?? someId();
  return {
    record: keyRecord({ id, name: `name of ${id}`, createdAt: NOW, updatedAt: NOW, ...rest }),
    credentials: { hash: `hash of ${id}`, rotated: undefined, ...credentials },
  };
}

export function auditOf(rest: Partial<AuditEntry> = {}): AuditEntry {
  const entry = { at: NOW, actor: 'somebody', action: 'key.created', subject: 'key', before: undefined };
  return { ...entry, after: { name: 'a' }, ...rest };
}

export function changed({ record, credentials }: StoredKey, change: KeyChange): StoredKey {
  return { record: changedRecord(record, change, NOW + 1_000), credentials };
}

export function creation(after: StoredKey, once?: OnceReply): KeyWrite {
  return { before: undefined, after, audit: auditOf({ subject: after.record.id }), once };
}

export function replacement(before: StoredKey, after: StoredKey, once?: OnceReply): KeyWrite {
  return { before, after, audit: auditOf({ action: 'key.changed', subject: after.record.id }), once };
}

export async function create(registry: KeyRegistry, rest: Partial<KeyRecord> = {}): Promise<StoredKey> {
  const after = keyOf(rest);
  expect(await registry.write(creation(after))).toEqual({ kind: 'written' });
  return after;
}

export async function change(registry: KeyRegistry, before: StoredKey, to: KeyChange): Promise<StoredKey> {
  const after = changed(before, to);
  expect(await registry.write(replacement(before, after))).toEqual({ kind: 'written' });
  return after;
}

export const FIRST_PAGE: KeyQuery = { page: 1, pageSize: 100, sort: 'created_at' };

/** Ids of all pages, one page after the other; `between` is called before each page but the first. */
export async function idsOf(
  registry: KeyRegistry,
  query: Partial<KeyQuery> = {},
  between: (page: number) => Promise<void> = async () => undefined,
): Promise<string[]> {
  const found: string[] = [];
  for (let page = 1; ; page++) {
    if (page > 1) await between(page);
    const { items } = await registry.list({ ...FIRST_PAGE, ...query, page });
    if (items.length === 0) return found;
    found.push(...items.map(({ record }) => record.id));
  }
}
