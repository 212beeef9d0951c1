/** What is asked: keys, their requests as bytes, and the policy under which every verdict is known beforehand. */
import { hash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { KEY_PREFIXES, type KeyType, type NewKey, newKey } from '../src/core/api-key.ts';
import type { StoredKey } from '../src/core/key-record.ts';
import { RateLimitRequestSchema } from '../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';

export const METHOD_PATH = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';

/** One key of so many is spent, and so is one request of so many. */
export const SPENT_EVERY = 10;

export const DOMAIN = 'bench';

// Two windows for everybody. No run comes near the first limit's maxima. The other's year admits one request of a key
// and denies all later ones; it ends once in 365 days, so no verdict changes while a benchmark runs.
export const POLICY = `domain: ${DOMAIN}
descriptors:
  - key: api_key
    api_keys: true
    limits:
      - { requests: 100000000, per: minute }
      - { requests: 1000000000, per: day }
    classes:
      - name: publishable
        prefix: cpk_
        limits:
          - { requests: 100000000, per: minute }
          - { requests: 1, per: year }
`;

/** What is known of the keys: nothing, since they are not ours; a record each; or a record each with a limit of its own. */
export type Registered = 'none' | 'record' | 'override';

export interface BenchKey {
  readonly text: string;
  /** What asks for it: a gRPC message with its prefix. */
  readonly message: Buffer;
  /** Admitted once, denied from then on. */
  readonly spent: boolean;
}

/** @param count a multiple of SPENT_EVERY */
export function keysOf(count: number, registered: Registered): BenchKey[] {
  return Array.from({ length: count }, (_, index) => {
    const text = registered === 'none' ? foreignKey(index) : issuedKey(index).key;
    return { text, message: grpcMessage(requestFor(text)), spent: isSpent(index) };
  });
}

/** The records of the keys, as they are written to the registry. */
export function recordsOf(count: number, registered: Registered): StoredKey[] {
  if (registered === 'none') return [];
  return Array.from({ length: count }, (_, index): StoredKey => {
    const { id, key } = issuedKey(index);
    const type = typeOf(index);
    const record = {
      id,
      name: `bench ${index}`,
      type,
      prefix: KEY_PREFIXES[type],
      // Another number than the policy's, and as far away: no verdict changes.
      rateLimitPerMinute: registered === 'override' ? OWN_REQUESTS : 0,
      rateLimitPerDay: 0,
      status: 'active' as const,
      expiresAt: undefined,
      createdAt: 0,
      updatedAt: 0,
      version: 1,
      metadata: {},
    };
    return { record, credentials: { hash: hash('sha256', key, 'base64url'), rotated: undefined } };
  });
}

const OWN_REQUESTS = 90_000_000;

/** As long as a real key, a prefix, 32 characters and 6 of checksum; but the checksum is wrong, so there can be no record. */
export function foreignKey(index: number): string {
  return KEY_PREFIXES[typeOf(index)] + String(index).padStart(38, '0');
}

/** The same for the same index in every process. */
function issuedKey(index: number): NewKey {
  let calls = 0;
  return newKey(typeOf(index), (count) => {
    calls += 1;
    return hash('sha512', `${index} ${calls}`, 'buffer').subarray(0, count);
  });
}

function typeOf(index: number): KeyType {
  return isSpent(index) ? 'publishable' : 'secret';
}

/**
 * Endless draws of key indexes: every tenth is a random spent key, the others are random ordinary ones. Random, because
 * keys that come round in a fixed order meet a warmer cache than callers do; seeded, so that every variant gets the same.
 */
export function drawsOf(count: number, seed: number): () => number {
  const random = xorshift(seed);
  const tens = count / SPENT_EVERY;
  let drawn = 0;
  return () => {
    const ten = (random() % tens) * SPENT_EVERY;
    drawn += 1;
    return drawn % SPENT_EVERY === 0 ? ten : ten + 1 + (random() % (SPENT_EVERY - 1));
  };
}

/** The five bytes before a gRPC message: not compressed, its length. */
function grpcMessage(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function isSpent(index: number): boolean {
  return index % SPENT_EVERY === 0;
}

/** Of a key as it is asked for. */
export function isSpentKey(key: string): boolean {
  return key.startsWith(KEY_PREFIXES.publishable);
}

function requestFor(key: string): Uint8Array {
  const descriptors = [{ entries: [{ key: 'api_key', value: key }] }];
  return toBinary(RateLimitRequestSchema, create(RateLimitRequestSchema, { domain: DOMAIN, descriptors }));
}

/** Marsaglia's xorshift32: uint32, never 0. */
function xorshift(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
