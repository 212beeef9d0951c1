/** API-key records in this process's memory: for one process, gone with it. What a record may become is key-record.ts's matter. */
import type { StoredKey } from '../../core/key-record.ts';
import type { Clock } from '../../ports/clock.ts';
import type {
  AuditEntry,
  KeyQuery,
  KeyRegistry,
  KeyWrite,
  OnceReply,
  Page,
  WriteOutcome,
} from '../../ports/key-registry.ts';

export interface MemoryKeysOptions {
  readonly clock: Pick<Clock, 'nowMillis'>;
}

/** Beyond it, the oldest entry is forgotten. */
const AUDIT_ENTRIES_MAX = 10_000;
/** Beyond it, the reply remembered longest ago is forgotten: its write, if it is asked for again, is made again. */
const REPLIES_MAX = 10_000;

interface Kept {
  readonly stored: StoredKey;
  /**
   * What lists by name are ordered by: the bytes of UTF-8, as in Redis (UTF-16 orders what is beyond U+FFFF otherwise);
   * equal names by id. Names have no NUL.
   */
  readonly nameBytes: Buffer;
}

interface Remembered {
  readonly reply: string;
  readonly untilMillis: number;
}

/** Holds as many records as are created: nothing that a caller without an admin token sends adds one. */
export class MemoryKeys implements KeyRegistry {
  readonly #clock: Pick<Clock, 'nowMillis'>;
  /** In the order of creation: a record that changes keeps its place. */
  readonly #keys = new Map<string, Kept>();
  readonly #replies = new Map<string, Remembered>();
  /** As JSON, oldest first: what was changed afterwards changes no entry. */
  readonly #audit: string[] = [];

  constructor({ clock }: MemoryKeysOptions) {
    this.#clock = clock;
  }

  /** For a decision, which reads the record in the same turn as the counters. */
  stored(id: string): StoredKey | undefined {
    return this.#keys.get(id)?.stored;
  }

  find(id: string): Promise<StoredKey | undefined> {
    return Promise.resolve(this.stored(id));
  }

  write({ before, after, audit, once }: KeyWrite): Promise<WriteOutcome> {
    const reply = once && this.#replyOf(once.name);
    if (reply !== undefined) return Promise.resolve({ kind: 'repeated', reply });
    const { id, name } = after.record;
    if (this.stored(id)?.record.version !== before?.record.version) return Promise.resolve({ kind: 'conflict' });
    this.#keys.set(id, { stored: after, nameBytes: Buffer.from(`${name}\0${id}`) });
    this.#addAudit(audit);
    if (once !== undefined) this.#remember(once);
    return Promise.resolve({ kind: 'written' });
  }

  /** Looks at every record, whatever the page: some milliseconds for ten thousand. */
  list(query: KeyQuery): Promise<Page<StoredKey>> {
    const found = [...this.#keys.values()].filter(matching(query));
    if (query.sort.endsWith('name')) found.sort((one, other) => Buffer.compare(one.nameBytes, other.nameBytes));
    if (query.sort.startsWith('-')) found.reverse();
    const { items, totalCount } = pageOf(found, query.page, query.pageSize);
    return Promise.resolve({ items: items.map(({ stored }) => stored), totalCount });
  }

  replyOf(name: string): Promise<string | undefined> {
    return Promise.resolve(this.#replyOf(name));
  }

  addAudit(entry: AuditEntry): Promise<void> {
    this.#addAudit(entry);
    return Promise.resolve();
  }

  audit(page: number, pageSize: number): Promise<Page<AuditEntry>> {
    const { items, totalCount } = pageOf(this.#audit.toReversed(), page, pageSize);
    return Promise.resolve({ items: items.map((entry) => JSON.parse(entry) as AuditEntry), totalCount });
  }

  #replyOf(name: string): string | undefined {
    const remembered = this.#replies.get(name);
    return remembered && this.#clock.nowMillis() < remembered.untilMillis ? remembered.reply : undefined;
  }

  #remember({ name, reply, seconds }: OnceReply): void {
    const now = this.#clock.nowMillis();
    this.#replies.delete(name);
    this.#replies.set(name, { reply, untilMillis: now + seconds * 1_000 });
    for (const [oldest, { untilMillis }] of this.#replies) {
      if (now < untilMillis && this.#replies.size <= REPLIES_MAX) return;
      this.#replies.delete(oldest);
    }
  }

  #addAudit(entry: AuditEntry): void {
    this.#audit.push(JSON.stringify(entry));
    if (this.#audit.length > AUDIT_ENTRIES_MAX) this.#audit.shift();
  }
}

function matching({ type, status, namePrefix }: KeyQuery): (kept: Kept) => boolean {
  const prefix = Buffer.from(namePrefix ?? '');
  return ({ stored: { record }, nameBytes }) =>
    (type === undefined || record.type === type) &&
    (status === undefined || record.status === status) &&
    (prefix.length === 0 || (!prefix.includes(0) && nameBytes.subarray(0, prefix.length).equals(prefix)));
}

function pageOf<T>(all: readonly T[], page: number, pageSize: number): Page<T> {
  return { items: all.slice((page - 1) * pageSize, page * pageSize), totalCount: all.length };
}
