/** Where the records of API keys live, beside the counters that read them. */
import type { KeyType } from '../core/api-key.ts';
import type { KeyStatus, StoredKey } from '../core/key-record.ts';

/** One change, as it is remembered: who, what, before and after. Holds no key and no hash. */
export interface AuditEntry {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Who: the fingerprint of an admin token. */
  readonly actor: string;
  /** `key.created`, `key.changed` … */
  readonly action: string;
  /** The record's id, or what else was touched. */
  readonly subject: string;
  /** JSON values; undefined where there is none. */
  readonly before: unknown;
  readonly after: unknown;
}

export interface KeyWrite {
  /** What the record must still be for the write to be made; undefined: there must be none. */
  readonly before: StoredKey | undefined;
  readonly after: StoredKey;
  readonly audit: AuditEntry;
  /** Under which name, and for how long, the reply to this write is remembered. */
  readonly once?: OnceReply | undefined;
}

export interface OnceReply {
  readonly name: string;
  /** Opaque: sealed by whoever wrote it. */
  readonly reply: string;
  /** Whole, at least 1. */
  readonly seconds: number;
}

export type WriteOutcome =
  | { readonly kind: 'written' }
  /** The record is no longer what `before` says; nothing was written. */
  | { readonly kind: 'conflict' }
  /** `once.name` was used before; nothing was written. */
  | { readonly kind: 'repeated'; readonly reply: string };

/**
 * `-` before the field: descending. Keys created one after the other stand in that order, whatever the clocks said; names
 * in that of their bytes in UTF-8, equal ones in that of their ids. A name is well-formed and has no NUL.
 */
export type KeySort = 'created_at' | '-created_at' | 'name' | '-name';

export interface KeyQuery {
  /** From 1. */
  readonly page: number;
  readonly pageSize: number;
  readonly type?: KeyType | undefined;
  readonly status?: KeyStatus | undefined;
  /** With what the name begins, byte by byte; only with a sort by name. */
  readonly namePrefix?: string | undefined;
  readonly sort: KeySort;
}

export interface Page<T> {
  /** Empty beyond the last page. */
  readonly items: readonly T[];
  readonly totalCount: number;
}

/** Settles whenever the store answers (deadlines are store-guard's matter); fails with whatever its driver says. */
export interface KeyRegistry {
  find(id: string): Promise<StoredKey | undefined>;

  /**
   * Atomic: the record, the lists that it stands in, the audit entry and the remembered reply change together or not at
   * all, and a decision sees the record either before or after. Where they live on several servers the record changes
   * first, atomically, and the rest follows, by this writer or by whoever reads the record next. After a failure it is
   * unknown whether it was made.
   */
  write(write: KeyWrite): Promise<WriteOutcome>;

  /** Costs the same at every depth. */
  list(query: KeyQuery): Promise<Page<StoredKey>>;

  /** The reply that was remembered under this name. */
  replyOf(name: string): Promise<string | undefined>;

  /** Adds an entry of its own, for what changes no record. */
  addAudit(entry: AuditEntry): Promise<void>;

  /** Newest first; only so many are kept. */
  audit(page: number, pageSize: number): Promise<Page<AuditEntry>>;
}
