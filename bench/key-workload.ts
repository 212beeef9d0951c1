/** The records that `bench/keys.ts` loads: what they are follows from their number, so that every total is known beforehand. */
import { createHash } from 'node:crypto';
import { KEY_PREFIXES } from '../src/core/api-key.ts';
import type { KeyStatus, StoredKey } from '../src/core/key-record.ts';
import type { KeyQuery, KeyWrite } from '../src/ports/key-registry.ts';

const CREATED_AT = 1_800_000_000_000;

/** Of twenty records one is disabled and one revoked, of three one is publishable, of four one has limits of its own, of ten one has metadata. */
export function writeOf(number: number): KeyWrite {
  const text = createHash('sha256').update(String(number)).digest('base64url');
  const id = `key_${text.slice(0, 12)}`;
  const type = number % 3 === 0 ? 'publishable' : 'secret';
  const limited = number % 4 === 0;
  const after: StoredKey = {
    record: {
      id,
      name: nameOf(number),
      type,
      prefix: KEY_PREFIXES[type],
      rateLimitPerMinute: limited ? 600 : 0,
      rateLimitPerDay: limited ? 100_000 : 0,
      status: statusOf(number),
      expiresAt: undefined,
      createdAt: CREATED_AT + number,
      updatedAt: CREATED_AT + number,
      version: 1,
      metadata: number % 10 === 0 ? { customer: `c-${number}`, plan: 'pro' } : {},
    },
    credentials: { hash: text, rotated: undefined },
  };
  const audit = { at: CREATED_AT, actor: 'bench', action: 'key.created', subject: id };
  return { before: undefined, after, audit: { ...audit, before: undefined, after: after.record } };
}

/** Seventeen to twenty-two characters; in no order. */
function nameOf(number: number): string {
  const scattered = (number * 7_919) % 1_000_003;
  return `customer ${scattered % 10} key ${scattered}`;
}

function statusOf(number: number): KeyStatus {
  if (number % 20 === 7) return 'disabled';
  return number % 20 === 13 ? 'revoked' : 'active';
}

/** How many of so many records a query finds. */
export function totalOf(count: number, { type, status, namePrefix = '' }: Partial<KeyQuery>): number {
  let total = 0;
  for (let number = 0; number < count; number++) {
    const fits =
      (type === undefined || (type === 'publishable') === (number % 3 === 0)) &&
      (status === undefined || status === statusOf(number)) &&
      (namePrefix === '' || nameOf(number).startsWith(namePrefix));
    if (fits) total += 1;
  }
  return total;
}
