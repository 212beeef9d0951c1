/** The fields of a record's hash in Redis. Those that a decision reads are take.lua's, too. */
import { KEY_PREFIXES, type KeyType } from '../../core/api-key.ts';
import { activeUntil, type KeyStatus, type StoredKey } from '../../core/key-record.ts';

export type KeyFields = Readonly<Record<string, string>>;

/**
 * What is 0, undefined or empty has no field. Redis keeps a hash in one piece of memory as long as no value has more than
 * 64 bytes: a longer name, or more metadata, costs about 400 bytes beside its length.
 */
export function fieldsOf({ record, credentials }: StoredKey): KeyFields {
  const { hash, rotated } = credentials;
  const { rateLimitPerMinute, rateLimitPerDay, expiresAt, createdAt, updatedAt, metadata } = record;
  return {
    // Read by decisions.
    hash,
    until: String(activeUntil(record)),
    ...(rotated && { rotated: rotated.hash, rotated_until: String(rotated.untilSeconds) }),
    ...(rateLimitPerMinute !== 0 && { 'max:60': String(rateLimitPerMinute) }),
    ...(rateLimitPerDay !== 0 && { 'max:86400': String(rateLimitPerDay) }),
    // Read here only.
    name: record.name,
    type: record.type,
    status: record.status,
    version: String(record.version),
    created: String(createdAt),
    ...(updatedAt !== createdAt && { updated: String(updatedAt) }),
    ...(expiresAt !== undefined && { expires: String(expiresAt) }),
    ...(Object.keys(metadata).length > 0 && { metadata: JSON.stringify(metadata) }),
  };
}

/** @returns undefined for what is no record: nothing, or what is left of one */
export function storedKeyOf(id: string, fields: KeyFields): StoredKey | undefined {
  const { hash, name, version, created, rotated, rotated_until, expires, metadata } = fields;
  if (hash === undefined || name === undefined || version === undefined || created === undefined) return undefined;
  const type = fields.type as KeyType;
  const record = {
    id,
    name,
    type,
    prefix: KEY_PREFIXES[type],
    rateLimitPerMinute: Number(fields['max:60'] ?? 0),
    rateLimitPerDay: Number(fields['max:86400'] ?? 0),
    status: fields.status as KeyStatus,
    expiresAt: expires === undefined ? undefined : Number(expires),
    createdAt: Number(created),
    updatedAt: Number(fields.updated ?? created),
    version: Number(version),
    metadata: metadata === undefined ? {} : (JSON.parse(metadata) as Record<string, string>),
  };
  const isRotated = rotated !== undefined && rotated_until !== undefined;
  return {
    record,
    credentials: { hash, rotated: isRotated ? { hash: rotated, untilSeconds: Number(rotated_until) } : undefined },
  };
}

export interface FieldChange {
  readonly set: KeyFields;
  readonly gone: readonly string[];
}

/** Leaves alone what does not change: a decision may have replaced the hash by the one under a newer secret. */
export function fieldChange(before: StoredKey | undefined, after: StoredKey): FieldChange {
  const [old, fields] = [before === undefined ? {} : fieldsOf(before), fieldsOf(after)];
  const set = Object.entries(fields).filter(([field, value]) => old[field] !== value);
  return { set: Object.fromEntries(set), gone: Object.keys(old).filter((field) => fields[field] === undefined) };
}
