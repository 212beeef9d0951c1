/** API-key records in Redis: every call costs the same whatever the number of records. What may change is key-record.ts's matter. */
import { hash, randomUUID } from 'node:crypto';
import type { StoredKey } from '../../core/key-record.ts';
import type { AuditEntry, KeyQuery, KeyRegistry, KeyWrite, Page, WriteOutcome } from '../../ports/key-registry.ts';
import type { RedisConnection } from './connect.ts';
import { fieldChange, storedKeyOf } from './key-fields.ts';
import { listQueryOf, mergedIds, placesOf, type Slice } from './key-lists.ts';
import { recordKey } from './record-key.ts';
import { readSource, Scripts, scriptOf } from './scripts.ts';
import { replyText, SteppedWrites } from './stepped-writes.ts';

export interface RedisKeysOptions {
  readonly redis: RedisConnection;
  /** Literal prefix of every key (CACHE_KEY_PREFIX). */
  readonly keyPrefix: string;
}

/** Beyond it, the oldest entry is forgotten: 4 to 10 MB. */
const AUDIT_ENTRIES_MAX = 10_000;

const AUDIT = readSource('audit.lua');
const WRITE_KEY = scriptOf(AUDIT + ['places.lua', 'record.lua', 'write-key.lua'].map(readSource).join(''));
const ADD_AUDIT = scriptOf(AUDIT + readSource('add-audit.lua'));
const LIST_KEYS = scriptOf(readSource('list-keys.lua'));

/**
 * On one server, a record and the lists that it stands in change together. In a Cluster the lists, the audit and the
 * remembered replies are on one slot of their own, and a change has steps: stepped-writes.ts.
 */
export class RedisKeys implements KeyRegistry {
  readonly #redis: RedisConnection;
  readonly #scripts: Scripts;
  readonly #prefix: string;
  /** Of all keys but the records. */
  readonly #shelf: string;
  readonly #auditKey: string;
  /** Undefined: a change is one step. */
  readonly #stepped: SteppedWrites | undefined;

  constructor({ redis, keyPrefix }: RedisKeysOptions) {
    this.#redis = redis;
    this.#scripts = new Scripts(redis);
    this.#prefix = `${keyPrefix}hr:`;
    this.#shelf = redis.isCluster ? `${this.#prefix}{keys}:` : this.#prefix;
    this.#auditKey = `${this.#shelf}audit`;
    this.#stepped = redis.isCluster ? new SteppedWrites(redis, this.#scripts) : undefined;
  }

  async find(id: string): Promise<StoredKey | undefined> {
    const key = recordKey(this.#prefix, id);
    const [fields] = await Promise.all([this.#redis.client.hgetall(key), this.#finished(key)]);
    return storedKeyOf(id, fields);
  }

  async write({ before, after, audit, once }: KeyWrite): Promise<WriteOutcome> {
    const { id } = after.record;
    const now = placesOf(after.record);
    const old = before === undefined ? now : placesOf(before.record);
    const { set, gone } = fieldChange(before, after);
    const lists = [old.byCreation, now.byCreation, old.byName, now.byName].map((list) => this.#listKey(list));
    const replyKey = once && this.#replyKey(once.name);
    const reply = once?.reply ?? '';
    const write = {
      recordKey: recordKey(this.#prefix, id),
      change: [
        before === undefined ? '' : String(before.record.version),
        before?.credentials.hash ?? '',
        String(gone.length),
        ...gone,
        ...Object.entries(set).flat(),
      ],
      placesKeys: [this.#listKey('sequence'), this.#auditKey, ...lists, ...(replyKey === undefined ? [] : [replyKey])],
      placesArgs: [
        now.createdMember,
        old.nameMember,
        now.nameMember,
        JSON.stringify(audit),
        String(AUDIT_ENTRIES_MAX),
        this.#stepped === undefined ? reply : replyText(reply),
        String(once?.seconds ?? 0),
      ],
      // Not of the version: a record that lost its last write to a failover comes to the same one again.
      markKey: `${this.#shelf}placed:${id}:${randomUUID()}`,
    };
    if (this.#stepped !== undefined) return this.#stepped.write(write, replyKey);
    const keys = [write.recordKey, ...write.placesKeys];
    const answer = await this.#scripts.run(WRITE_KEY, [...keys, ...write.placesArgs, ...write.change], keys.length);
    const [kind, remembered] = answer as [WriteOutcome['kind'], string];
    return kind === 'repeated' ? { kind, reply: remembered } : { kind };
  }

  /** A record that somebody deleted by hand is left out of its page, and still counts in the total. */
  async list(query: KeyQuery): Promise<Page<StoredKey>> {
    const { page, pageSize, namePrefix = '' } = query;
    // No name has it, but the lists have it behind every name.
    if (namePrefix.includes('\0')) return { items: [], totalCount: 0 };
    const { order, isDescending, lists } = listQueryOf(query);
    const keys = lists.map((list) => this.#listKey(list));
    const args = [order, isDescending ? 'desc' : 'asc', String((page - 1) * pageSize), String(pageSize), namePrefix];
    const reply = await this.#scripts.run(LIST_KEYS, [...keys, ...args], keys.length);
    const [total, ...slices] = reply as [string, ...Slice[]];
    const ids = mergedIds(slices);
    if (isDescending) ids.reverse();
    return { items: await this.#found(ids), totalCount: Number(total) };
  }

  async replyOf(name: string): Promise<string | undefined> {
    const key = this.#replyKey(name);
    return this.#stepped === undefined
      ? ((await this.#redis.client.get(key)) ?? undefined)
      : this.#stepped.replyAt(key);
  }

  async addAudit(entry: AuditEntry): Promise<void> {
    await this.#scripts.run(ADD_AUDIT, [this.#auditKey, JSON.stringify(entry), String(AUDIT_ENTRIES_MAX)], 1);
  }

  /** Entries that are added between its two steps are on no page yet. */
  async audit(page: number, pageSize: number): Promise<Page<AuditEntry>> {
    const [length, [newest]] = await Promise.all([
      this.#redis.client.xlen(this.#auditKey),
      this.#redis.client.xrevrange(this.#auditKey, '+', '-', 'COUNT', 1),
    ]);
    const last = Number(newest?.[0].split('-')[0] ?? 0) - (page - 1) * pageSize;
    const totalCount = Number(length);
    if (last < 1) return { items: [], totalCount };
    const first = Math.max(last - pageSize + 1, 1);
    const entries = await this.#redis.client.xrevrange(this.#auditKey, `${last}-0`, `${first}-0`);
    return { items: entries.map(([, [, entry]]) => JSON.parse(entry as string) as AuditEntry), totalCount };
  }

  /** In one write, whatever their number. */
  async #found(ids: readonly string[]): Promise<StoredKey[]> {
    this.#redis.joinTurn();
    const found = await Promise.all(ids.map((id) => this.find(id)));
    return found.filter((stored) => stored !== undefined);
  }

  /** A record can be read while its lists cannot be written. */
  async #finished(key: string): Promise<void> {
    await this.#stepped?.finishOf(key).catch(() => undefined);
  }

  #listKey(list: string): string {
    return `${this.#shelf}keys:${list}`;
  }

  /** Hashed, since the name comes from a caller. */
  #replyKey(name: string): string {
    return `${this.#shelf}once:${hash('sha256', name, 'base64url')}`;
  }
}
