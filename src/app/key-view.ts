/** A record as operators see it, in answers and, with less of its metadata, in the audit: no key, no hash, times as text. */
import type { KeyType } from '../core/api-key.ts';
import type { KeyRecord, KeyStatus } from '../core/key-record.ts';

/** Names are those of the API. */
export interface KeyView {
  readonly id: string;
  readonly name: string;
  readonly type: KeyType;
  readonly prefix: string;
  readonly rate_limit_per_minute: number;
  readonly rate_limit_per_day: number;
  readonly status: KeyStatus;
  /** RFC 3339 in UTC, whole seconds. */
  readonly expires_at: string | null;
  /** RFC 3339 in UTC, milliseconds; so is `updated_at`. */
  readonly created_at: string;
  readonly updated_at: string;
  readonly version: number;
  readonly metadata: Readonly<Record<string, string>>;
}

export function viewOf(record: KeyRecord): KeyView {
  return {
    id: record.id,
    name: record.name,
    type: record.type,
    prefix: record.prefix,
    rate_limit_per_minute: record.rateLimitPerMinute,
    rate_limit_per_day: record.rateLimitPerDay,
    status: record.status,
    expires_at: record.expiresAt === undefined ? null : secondText(record.expiresAt),
    created_at: millisText(record.createdAt),
    updated_at: millisText(record.updatedAt),
    version: record.version,
    metadata: record.metadata,
  };
}

/** Characters, not UTF-16 units. Enough to see which value it was; 10,000 entries of whole ones would be 650 MB. */
const AUDITED_CHARACTERS_MAX = 32;

/** As viewOf, but with long values of metadata cut short: what the audit and the log keep. */
export function auditedViewOf(record: KeyRecord): KeyView {
  const metadata = Object.entries(record.metadata).map(([name, value]) => [name, shortened(value)]);
  return { ...viewOf(record), metadata: Object.fromEntries(metadata) };
}

function shortened(text: string): string {
  if (text.length <= AUDITED_CHARACTERS_MAX) return text;
  const characters = Array.from(text);
  if (characters.length <= AUDITED_CHARACTERS_MAX) return text;
  return `${characters.slice(0, AUDITED_CHARACTERS_MAX).join('')}…`;
}

/** @param seconds since the epoch */
export function secondText(seconds: number): string {
  return millisText(seconds * 1_000).replace('.000Z', 'Z');
}

/** @param millis since the epoch */
export function millisText(millis: number): string {
  return new Date(millis).toISOString();
}
