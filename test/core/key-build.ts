/** Records and keys for tests, as short as a row needs them. */
import { createHash } from 'node:crypto';
import { KEY_PREFIXES, type KeyType, type NewKey, newKey } from '../../src/core/api-key.ts';
import type { KeyRecord } from '../../src/core/key-record.ts';

export function keyRecord(rest: Partial<KeyRecord> = {}): KeyRecord {
  const type = rest.type ?? 'secret';
  return {
    id: 'key_000000000000',
    name: 'a key',
    type,
    prefix: KEY_PREFIXES[type],
    rateLimitPerMinute: 0,
    rateLimitPerDay: 0,
    status: 'active',
    expiresAt: undefined,
    createdAt: 1_800_000_000_000,
    updatedAt: 1_800_000_000_000,
    version: 1,
    metadata: {},
    ...rest,
  };
}

/** A key that is always the same for the same seed. */
export function keyOf(seed: string, type: KeyType = 'secret'): NewKey {
  let calls = 0;
  return newKey(type, (count) => {
    calls += 1;
    return createHash('sha512').update(`${seed} ${calls}`).digest().subarray(0, count);
  });
}
