/** From what the admin API was sent to what the use cases take, and back. */
import { isIP } from 'node:net';
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

/**
 * An address as it is counted: IPv4 whole, also where IPv6 carries it; of IPv6 the first 64 bits, since whoever has one
 * address there has them all (RFC 6177).
 * @returns undefined for what is no address
 */
export function countedAddress(text: string): string | undefined {
  const version = isIP(text);
  if (version === 4) return text;
  if (version !== 6) return undefined;
  const groups = groupsOf(text.replace(/%.*$/, ''));
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped)
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 0xff])
      .join('.');
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  // The URL standard writes addresses in one way alone (RFC 5952), IPv4 at the end as two groups.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const [before, after] = [head, tail ?? ''].map((part) => (part === '' ? [] : part.split(':')));
  const left = (before ?? []).map((group) => Number.parseInt(group, 16));
  const right = (after ?? []).map((group) => Number.parseInt(group, 16));
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
}
