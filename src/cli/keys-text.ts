/** API keys as people read them. */
import type { CreatedKey, KeyRecord, KeyUsage, RotatedKey, WindowUsage } from '../client/client.ts';
import { type Column, facts, Table } from './table.ts';
import { visible } from './visible-text.ts';

const NAME_CHARACTERS_MAX = 32;

export const KEY_COLUMNS: readonly Column<KeyRecord>[] = [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'NAME', cell: ({ name }) => name, widthMax: NAME_CHARACTERS_MAX },
  { title: 'TYPE', cell: ({ type }) => type },
  { title: 'STATUS', cell: ({ status }) => status },
  { title: 'PER MINUTE', cell: (record) => limitText(record.rate_limit_per_minute), align: 'right' },
  { title: 'PER DAY', cell: (record) => limitText(record.rate_limit_per_day), align: 'right' },
  { title: 'EXPIRES', cell: ({ expires_at }) => expires_at?.slice(0, 10) ?? 'never' },
  { title: 'CREATED', cell: ({ created_at }) => created_at.slice(0, 10) },
];

export function recordText(record: KeyRecord): string {
  return facts([
    ['id', record.id],
    ['name', record.name],
    ['type', record.type],
    ['status', record.status],
    ['per minute', limitText(record.rate_limit_per_minute)],
    ['per day', limitText(record.rate_limit_per_day)],
    ['expires', record.expires_at ?? 'never'],
    ['created', record.created_at],
    ['updated', record.updated_at],
    ['version', String(record.version)],
    ['metadata', metadataLines(record.metadata)],
  ]);
}

export function createdText(created: CreatedKey): string {
  return `${recordText(created)}${keyText(created)}`;
}

export function rotatedText(rotated: RotatedKey): string {
  const until = rotated.previous_key_expires_at;
  const before =
    until === null ? 'The key before is not good any more.' : `The key before is good until ${visible(until)}.`;
  return `${recordText(rotated)}${keyText(rotated)}${before}\n`;
}

interface UsageRow extends WindowUsage {
  readonly domain: string;
  readonly policy: string;
}

const USAGE_COLUMNS: readonly Column<UsageRow>[] = [
  { title: 'DOMAIN', cell: ({ domain }) => domain },
  { title: 'POLICY', cell: ({ policy }) => policy },
  { title: 'WINDOW', cell: ({ name }) => name },
  { title: 'LIMIT', cell: ({ limit }) => String(limit), align: 'right' },
  { title: 'USED', cell: ({ used }) => String(used), align: 'right' },
  { title: 'REMAINING', cell: ({ remaining }) => String(remaining), align: 'right' },
  { title: 'RESETS IN', cell: ({ reset_seconds }) => durationText(reset_seconds), align: 'right' },
];

export function usageText({ policies }: KeyUsage): string {
  const rows = policies.flatMap(({ domain, policy, windows }) => windows.map((each) => ({ ...each, domain, policy })));
  return rows.length === 0 ? 'no policy limits this key\n' : new Table(USAGE_COLUMNS).lines(rows);
}

/** `342 keys`, or where in them a single page stands. */
export function countText(totalCount: number, page?: { readonly page: number; readonly total_pages: number }): string {
  const keys = `${totalCount} ${totalCount === 1 ? 'key' : 'keys'}`;
  return page === undefined ? keys : `page ${page.page} of ${page.total_pages}, ${keys}`;
}

/** The two largest units that are needed: `1 d 3 h`, `12 s`. */
export function durationText(seconds: number): string {
  const units = [
    ['d', Math.floor(seconds / 86_400)],
    ['h', Math.floor(seconds / 3_600) % 24],
    ['min', Math.floor(seconds / 60) % 60],
    ['s', seconds % 60],
  ] as const;
  const first = units.findIndex(([, count]) => count > 0);
  const shown = first === -1 ? units.slice(-1) : units.slice(first, first + 2);
  const told = shown.filter(([, count], index) => index === 0 || count > 0);
  return told.map(([unit, count]) => `${count} ${unit}`).join(' ');
}

function keyText({ key }: CreatedKey): string {
  return `\n${visible(key)}\n\nThis key is not shown again.\n`;
}

function limitText(limit: number): string {
  return limit === 0 ? 'default' : String(limit);
}

function metadataLines(metadata: Readonly<Record<string, string>>): readonly string[] {
  const lines = Object.entries(metadata).map(([name, value]) => `${name}=${value}`);
  return lines.length === 0 ? ['none'] : lines;
}
