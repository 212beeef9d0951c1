import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { keyHasher } from '../../src/adapters/node-crypto/hash-api-key.ts';
import { checkRequest } from '../../src/core/descriptor.ts';
import { decodeText } from '../../src/surfaces/rls/any-bytes.ts';
import { type InProcess, startInProcess } from '../support/in-process.ts';

const POLICY = `
domain: bytes
descriptors:
  - { key: api_key, api_keys: true, limits: [ { requests: 1, per: day } ] }
  - { key: agent, limits: [ { requests: 1, per: day } ] }
`;

let server: InProcess;

beforeAll(async () => {
  server = await startInProcess([POLICY]);
});
afterAll(() => server.stop());

/** domain = 1, descriptors = 2 { entries = 1 { key = 1, value = 2 } } */
function request(key: string, value: Uint8Array): Buffer {
  const entry = Buffer.concat([field(1, Buffer.from(key)), field(2, value)]);
  return Buffer.concat([field(1, Buffer.from('bytes')), field(2, field(1, entry))]);
}

function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}

async function isAllowed(key: string, value: Uint8Array): Promise<boolean> {
  const answer = await fetch(`${server.grpc}/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit`, {
    method: 'POST',
    headers: { 'content-type': 'application/proto' },
    body: new Uint8Array(request(key, value)),
  });
  expect(answer.status).toBe(200);
  const body = Buffer.from(await answer.arrayBuffer());
  // overall_code = 1: OK is 1, OVER_LIMIT is 2.
  expect(body[0]).toBe(0x08);
  return body[1] === 1;
}

describe.each(['api_key', 'agent'])('a value of %s that is not UTF-8', (key) => {
  test('is limited like any other: a bad byte is no way around a limit', async () => {
    const value = Buffer.from([0x61, 0xff, 0x62]);
    expect(await isAllowed(key, value)).toBe(true);
    expect(await isAllowed(key, value)).toBe(false);
  });

  test('shares its counter with no other', async () => {
    expect(await isAllowed(key, Buffer.from([0x63, 0xfe]))).toBe(true);
    expect(await isAllowed(key, Buffer.from([0x63, 0xfd]))).toBe(true);
    expect(await isAllowed(key, Buffer.from([0x63, 0xef, 0xbf, 0xbd]))).toBe(true);
  });
});

const bytes = fc.uint8Array({ maxLength: 12 });

test('different bytes are different text, and all of it can be decided', () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      expect(decodeText(a) === decodeText(b)).toBe(Buffer.compare(a, b) === 0);
      const entries = [{ key: 'k', value: decodeText(a) }];
      checkRequest({ domain: 'd', descriptors: [{ entries, isNegativeHits: false }], hitsAddend: 0 });
    }),
  );
});

test.each([undefined, 'pepper'])('different bytes have different hashes (secret: %s)', (secret) => {
  const hashed = keyHasher({ secret, previousSecret: undefined }).hash;
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      expect(hashed(decodeText(a)) === hashed(decodeText(b))).toBe(Buffer.compare(a, b) === 0);
    }),
  );
});
