/** What the audit keeps of a record: bounded in bytes, whatever its metadata hold. */
import { expect, test } from '@jest/globals';
import { auditedViewOf, viewOf } from '../../src/app/key-view.ts';
import type { KeyRecord } from '../../src/core/key-record.ts';
import { createSchema } from '../../src/surfaces/keys/schema.ts';

const RECORD: KeyRecord = {
  id: 'key_000000000000',
  name: 'n',
  type: 'secret',
  prefix: 'csk_',
  rateLimitPerMinute: 0,
  rateLimitPerDay: 0,
  status: 'active',
  expiresAt: undefined,
  createdAt: 0,
  updatedAt: 0,
  version: 1,
  metadata: {},
};

test.each([
  ['', ''],
  ['x'.repeat(32), 'x'.repeat(32)],
  ['x'.repeat(33), `${'x'.repeat(32)}…`],
  ['😀'.repeat(32), '😀'.repeat(32)],
  ['😀'.repeat(500), `${'😀'.repeat(32)}…`],
  [`${'x'.repeat(31)}😀y`, `${'x'.repeat(31)}😀…`],
])('of the value %j the audit keeps %j', (value, kept) => {
  const record = { ...RECORD, metadata: { ['n'.repeat(40)]: value, constructor: value } };
  expect(auditedViewOf(record)).toEqual({ ...viewOf(record), metadata: { ['n'.repeat(40)]: kept, constructor: kept } });
});

test.each([
  ['emoji', '😀', 11_000],
  ['control characters, which JSON writes with six', '\u0001', 13_500],
])('an entry of the longest record that can be made of %s has at most so many bytes', (_what, character, bytesMax) => {
  const names = Array.from({ length: 16 }, (_, index) => '😀'.repeat(39) + index.toString(16));
  const metadata = Object.fromEntries(names.map((name) => [name, character.repeat(500)]));
  const name = '😀'.repeat(100);
  expect(createSchema.safeParse({ name, metadata }).success).toBe(true);
  const view = auditedViewOf({ ...RECORD, name, metadata, rateLimitPerDay: 2 ** 32 - 1, expiresAt: 253_402_300_799 });
  const bytes = Buffer.byteLength(JSON.stringify({ before: view, after: view }));
  expect(bytes).toBeLessThan(bytesMax);
});
