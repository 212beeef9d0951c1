/** What operators do with API keys: make, find, change, revoke and rotate them. What is counted is key-usage.ts's matter. */
import {
  hashesOf,
  KEY_ID,
  KEY_PREFIXES,
  type KeyHasher,
  type KeyType,
  newKey,
  parseKey,
  type RandomBytes,
  rotatedKey,
} from '../core/api-key.ts';
import { Conflict, InvalidRequest, NotFound, PreconditionFailed } from '../core/errors.ts';
import {
  changedRecord,
  isRecordsOwn,
  type KeyChange,
  type KeyRecord,
  type StoredKey,
  standingOf,
} from '../core/key-record.ts';
import type { Admin } from '../ports/admin-tokens.ts';
import type { Clock } from '../ports/clock.ts';
import type { KeyQuery, KeyRegistry, OnceReply, Page } from '../ports/key-registry.ts';
import type { Audit, AuditAction } from './audit.ts';
import { auditedViewOf } from './key-view.ts';
import { earlierReply, type IssuedKey, type Once, openReply, sealReply } from './replies.ts';
import { Turns } from './turns.ts';

export interface KeyAdminOptions {
  readonly registry: KeyRegistry;
  readonly audit: Audit;
  readonly clock: Pick<Clock, 'nowMillis'>;
  readonly random: RandomBytes;
  readonly hasher: KeyHasher;
}

/** What the record of a new key is to say. */
export interface WantedKey {
  readonly name: string;
  readonly type: KeyType;
  readonly rateLimitPerMinute: number;
  readonly rateLimitPerDay: number;
  readonly status: 'active' | 'disabled';
  readonly expiresAt: number | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Who asks, and on what conditions. */
export interface Asked {
  readonly by: Admin;
  /** The record must be at one of these versions; undefined: at any. */
  readonly versions?: readonly number[] | undefined;
}

export interface AskedOnce extends Asked {
  readonly idempotencyKey?: string | undefined;
}

/** A key that was made, now or when the same was asked before. */
export interface Issued extends IssuedKey {
  readonly replayed: boolean;
}

// Each conflict means that the change of another process went through meanwhile. Two processes in step can make one lose
// as often as the other has changes waiting, and so many of one record are no accident.
const ATTEMPTS_MAX = 100;

export class KeyAdmin {
  readonly #options: KeyAdminOptions;
  /** By id: changes of one record within this process never meet. */
  readonly #turns = new Turns();

  constructor(options: KeyAdminOptions) {
    this.#options = options;
  }

  /** @throws Conflict when the idempotency key was used for another content */
  async create(wanted: WantedKey, { by, idempotencyKey }: AskedOnce): Promise<Issued> {
    const once = onceOf(by, idempotencyKey, ['create'], contentOf(wanted));
    const earlier = await earlierReply(this.#options.registry, once);
    if (earlier !== undefined) return { ...earlier, replayed: true };
    // Ids are random: a conflict is a chance of 2^-71, and the next attempt takes another id.
    return this.#attempt(async () => {
      const { issued, stored } = this.#made(wanted);
      return this.#issue({ by, action: 'key.created', before: undefined, after: stored }, issued, once);
    });
  }

  /** @throws NotFound */
  async find(id: string): Promise<KeyRecord> {
    return (await this.#stored(id)).record;
  }

  async list(query: KeyQuery): Promise<Page<KeyRecord>> {
    const { items, totalCount } = await this.#options.registry.list(query);
    return { items: items.map(({ record }) => record), totalCount };
  }

  /** @throws NotFound, PreconditionFailed; Conflict when the key is revoked, or changed too often meanwhile */
  change(id: string, change: KeyChange, asked: Asked): Promise<KeyRecord> {
    const action = change.status === 'revoked' ? 'key.revoked' : 'key.changed';
    return this.#update(id, action, asked, ({ record, credentials }) => {
      refuseRevoked(record);
      return { record: changedRecord(record, change, this.#options.clock.nowMillis()), credentials };
    });
  }

  /** For good. Revoking again changes nothing. @throws NotFound, PreconditionFailed, Conflict */
  revoke(id: string, asked: Asked): Promise<KeyRecord> {
    return this.#update(id, 'key.revoked', asked, ({ record, credentials }) => {
      if (record.status === 'revoked') return undefined;
      return { record: changedRecord(record, { status: 'revoked' }, this.#options.clock.nowMillis()), credentials };
    });
  }

  /**
   * A new key for the same record, and so with the same counters.
   * @param graceSeconds how long the present key stays good; a key before it is good no more
   * @throws NotFound, PreconditionFailed; Conflict when the key is revoked, or changed too often meanwhile
   */
  async rotate(id: string, graceSeconds: number, asked: AskedOnce): Promise<Issued> {
    const once = onceOf(asked.by, asked.idempotencyKey, ['rotate', id], { graceSeconds });
    return this.#attemptInTurn(id, async () => {
      // The record first: if it shows the rotation that this repeats, the reply to that is there, too.
      const before = await this.#stored(id);
      const earlier = await earlierReply(this.#options.registry, once);
      if (earlier !== undefined) return { ...earlier, replayed: true };
      refuseOtherVersion(before.record, asked.versions);
      refuseRevoked(before.record);
      const { issued, stored } = this.#rotated(before, graceSeconds);
      return this.#issue({ by: asked.by, action: 'key.rotated', before, after: stored }, issued, once);
    });
  }

  /** Whose key this is, whether or not it is active. @throws InvalidRequest for a mistyped key, NotFound */
  async lookup(key: string): Promise<KeyRecord> {
    const parsed = parseKey(key);
    if (parsed === undefined) throw new InvalidRequest('key', 'key: this is no API key, or it is mistyped');
    const { registry, hasher, clock } = this.#options;
    const stored = await registry.find(parsed.id);
    const standing = standingOf(stored, hashesOf(key, hasher), Math.floor(clock.nowMillis() / 1_000));
    if (stored === undefined || !isRecordsOwn(standing)) throw new NotFound('key', 'no record belongs to this key');
    return stored.record;
  }

  async #stored(id: string): Promise<StoredKey> {
    const stored = KEY_ID.test(id) ? await this.#options.registry.find(id) : undefined;
    if (stored === undefined) throw new NotFound('id', 'there is no key with this id');
    return stored;
  }

  /** @param change undefined: there is nothing to be changed */
  #update(
    id: string,
    action: AuditAction,
    { by, versions }: Asked,
    change: (stored: StoredKey) => StoredKey | undefined,
  ): Promise<KeyRecord> {
    return this.#attemptInTurn(id, async () => {
      const before = await this.#stored(id);
      refuseOtherVersion(before.record, versions);
      const after = change(before);
      if (after === undefined) return before.record;
      const outcome = await this.#write({ by, action, before, after });
      return outcome.kind === 'conflict' ? undefined : after.record;
    });
  }

  #attemptInTurn<T>(id: string, step: () => Promise<T | undefined>): Promise<T> {
    return this.#turns.take(id, () => this.#attempt(step));
  }

  /** Reads, changes and writes anew while others write in between. @param step undefined: another was faster */
  async #attempt<T>(step: () => Promise<T | undefined>): Promise<T> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const done = await step();
      if (done !== undefined) return done;
    }
    throw new Conflict('id', 'the key is being changed by others: try again');
  }

  async #issue(change: Change, issued: IssuedKey, once: Once | undefined): Promise<Issued | undefined> {
    const outcome = await this.#write(change, once && sealReply(once, issued));
    if (outcome.kind === 'conflict') return undefined;
    if (outcome.kind === 'written' || once === undefined) return { ...issued, replayed: false };
    return { ...openReply(once, outcome.reply), replayed: true };
  }

  async #write({ by, action, before, after }: Change, once?: OnceReply) {
    const { registry, audit } = this.#options;
    const { id } = after.record;
    const entry = audit.entry(by, action, id, before && auditedViewOf(before.record), auditedViewOf(after.record));
    const outcome = await registry.write({ before, after, audit: entry, once });
    if (outcome.kind === 'written') audit.logged(entry);
    return outcome;
  }

  #made(wanted: WantedKey): { issued: IssuedKey; stored: StoredKey } {
    const { random, hasher, clock } = this.#options;
    const { id, key } = newKey(wanted.type, random);
    const now = clock.nowMillis();
    const prefix = KEY_PREFIXES[wanted.type];
    const record: KeyRecord = { id, ...wanted, prefix, createdAt: now, updatedAt: now, version: 1 };
    const credentials = { hash: hasher.hash(key), rotated: undefined };
    return { issued: { record, key, previousUntil: undefined }, stored: { record, credentials } };
  }

  #rotated({ record, credentials }: StoredKey, graceSeconds: number): { issued: IssuedKey; stored: StoredKey } {
    const { random, hasher, clock } = this.#options;
    const key = rotatedKey(record.type, record.id, random);
    const now = clock.nowMillis();
    const untilSeconds = graceSeconds === 0 ? undefined : Math.floor(now / 1_000) + graceSeconds;
    const rotated = untilSeconds === undefined ? undefined : { hash: credentials.hash, untilSeconds };
    const after = changedRecord(record, {}, now);
    return {
      issued: { record: after, key, previousUntil: untilSeconds },
      stored: { record: after, credentials: { hash: hasher.hash(key), rotated } },
    };
  }
}

interface Change {
  readonly by: Admin;
  readonly action: AuditAction;
  readonly before: StoredKey | undefined;
  readonly after: StoredKey;
}

/** The same for the same request, in whichever order it names its metadata. */
function contentOf({ metadata, ...rest }: WantedKey): unknown {
  return { ...rest, metadata: Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)) };
}

function onceOf(
  by: Admin,
  idempotencyKey: string | undefined,
  operation: readonly string[],
  content: unknown,
): Once | undefined {
  return idempotencyKey === undefined ? undefined : { by, idempotencyKey, operation, content };
}

function refuseOtherVersion({ version }: KeyRecord, versions: readonly number[] | undefined): void {
  if (versions === undefined || versions.includes(version)) return;
  throw new PreconditionFailed('if-match', 'the key has been changed since: read it again');
}

function refuseRevoked({ status }: KeyRecord): void {
  if (status === 'revoked') throw new Conflict('status', 'a revoked key stays as it is');
}
