/** From what the admin API was sent to what the use cases take, and back. */
import type { Issued, WantedKey } from '../../app/key-admin.ts';
import type { PolicyUsage } from '../../app/key-usage.ts';
import { millisText, secondText, viewOf } from '../../app/key-view.ts';
import { InvalidRequest } from '../../core/errors.ts';
import type { KeyChange } from '../../core/key-record.ts';
import type { AuditEntry, KeyQuery, Page } from '../../ports/key-registry.ts';
import type { ChangeBody, CreateBody, ListQuery } from './schema.ts';
import { secondsOf } from './seconds.ts';

export function wantedOf(body: CreateBody): WantedKey {
  return {
    name: body.name,
    type: body.type,
    rateLimitPerMinute: body.rate_limit_per_minute,
    rateLimitPerDay: body.rate_limit_per_day,
    status: body.status,
    expiresAt: body.expires_at === null ? undefined : secondsOf(body.expires_at),
    metadata: body.metadata,
  };
}

export function changeOf(body: ChangeBody): KeyChange {
  return {
    name: body.name,
    rateLimitPerMinute: body.rate_limit_per_minute,
    rateLimitPerDay: body.rate_limit_per_day,
    status: body.status,
    expiresAt: typeof body.expires_at === 'string' ? secondsOf(body.expires_at) : body.expires_at,
    metadata: body.metadata,
  };
}

/** @throws InvalidRequest for a sort that contradicts the name */
export function queryOf({ page, page_size, type, status, name, sort }: ListQuery): KeyQuery {
  if (name !== undefined && sort?.endsWith('created_at')) {
    throw new InvalidRequest('sort', 'sort: with a name, keys are sorted by name or -name');
  }
  const byDefault = name === undefined ? 'created_at' : 'name';
  return { page, pageSize: page_size, type, status, namePrefix: name, sort: sort ?? byDefault };
}

/** The documented envelope. `has_previous` is true beyond the last page, too. */
export function envelopeOf<T>(data: readonly T[], page: number, pageSize: number, totalCount: number) {
  const totalPages = Math.ceil(totalCount / pageSize);
  return {
    data,
    pagination: {
      page,
      page_size: pageSize,
      total_count: totalCount,
      total_pages: totalPages,
      has_next: page < totalPages,
      has_previous: page > 1 && totalCount > 0,
    },
  };
}

export function auditOf({ items, totalCount }: Page<AuditEntry>, page: number, pageSize: number) {
  const entries = items.map(({ at, actor, action, subject, before = null, after = null }) => ({
    at: millisText(at),
    actor,
    action,
    subject,
    before,
    after,
  }));
  return envelopeOf(entries, page, pageSize, totalCount);
}

export function createdOf({ record, key }: Issued) {
  return { ...viewOf(record), key };
}

export function rotatedOf(issued: Issued) {
  const { previousUntil } = issued;
  const expiresAt = previousUntil === undefined ? null : secondText(previousUntil);
  return { ...createdOf(issued), previous_key_expires_at: expiresAt };
}

export function usageOf(id: string, policies: readonly PolicyUsage[]) {
  return {
    id,
    policies: policies.map(({ domain, policy, windows }) => ({
      domain,
      policy,
      windows: windows.map(({ resetSeconds, resetAt, ...window }) => ({
        ...window,
        reset_seconds: resetSeconds,
        reset_at: resetAt,
      })),
    })),
  };
}
