import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RateLimitRequestSchema } from '../../../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { byHand, byTwin } from './reader-twin.ts';

const REPEATABLE = { seed: 20_250_726, numRuns: 1_000 };

const uint32 = fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 4_294_967_295 }));
const uint64 = fc.oneof(fc.bigInt({ min: 0n, max: 300n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const text = fc.oneof(fc.string({ unit: 'grapheme-ascii' }), fc.string({ unit: 'binary' }), fc.constant('api_key'));

const requests = fc
  .record({
    domain: text,
    hitsAddend: uint32,
    descriptors: fc.array(
      fc.record(
        {
          entries: fc.array(fc.record({ key: text, value: text }), { maxLength: 4 }),
          limit: fc.record({ requestsPerUnit: uint32, unit: fc.integer({ min: -1, max: 8 }) }),
          hitsAddend: uint64,
          isNegativeHits: fc.boolean(),
        },
        { requiredKeys: ['entries'] },
      ),
      { maxLength: 4 },
    ),
  })
  .map((request) =>
    toBinary(
      RateLimitRequestSchema,
      create(RateLimitRequestSchema, request as MessageInitShape<typeof RateLimitRequestSchema>),
    ),
  );

/** A varint as some writer may put it: with bytes that it does not need, and with more of them than it may have. */
const varint = fc
  .tuple(uint64, fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat({ max: 11 })))
  .map(([value, padding]) => {
    const bytes: number[] = [];
    let rest = value;
    for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
    bytes.push(Number(rest));
    for (let count = 0; count < padding; count++) {
      bytes[bytes.length - 1] = (bytes.at(-1) as number) | 0x80;
      bytes.push(0);
    }
    return Buffer.from(bytes);
  });

/** What follows the tag is what the wire type says, or what the field is: protobuf-es tells them apart by the field. */
const { message } = fc.letrec<{ message: Buffer; field: Buffer }>((tie) => ({
  message: fc.array(tie('field'), { maxLength: 5 }).map((fields) => Buffer.concat(fields)),
  field: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.tuple(number(), varint).map(([at, value]) => Buffer.concat([tag(at, 0), value])),
    fc
      .tuple(number(), fc.constantFrom(0, 1, 2, 5), varint)
      .map(([at, type, value]) => Buffer.concat([tag(at, type), value])),
    fc.tuple(number(), fc.uint8Array({ maxLength: 6 })).map(([at, bytes]) => lengthDelimited(at, bytes, 0)),
    fc
      .tuple(number(), fc.uint8Array({ minLength: 8, maxLength: 8 }))
      .map(([at, bytes]) => Buffer.concat([tag(at, 1), bytes])),
    fc
      .tuple(number(), fc.uint8Array({ minLength: 4, maxLength: 4 }))
      .map(([at, bytes]) => Buffer.concat([tag(at, 5), bytes])),
    fc.tuple(number(), tie('message')).map(([at, inner]) => Buffer.concat([tag(at, 3), inner, tag(at, 4)])),
    // Three in four that messages stand within each other; some say that they are longer or shorter than they are.
    fc.tuple(number(), tie('message')).map(([at, inner]) => lengthDelimited(at, inner, 0)),
    fc.tuple(number(), tie('message')).map(([at, inner]) => lengthDelimited(at, inner, 0)),
    fc
      .tuple(number(), tie('message'), fc.integer({ min: -3, max: 3 }))
      .map(([at, inner, off]) => lengthDelimited(at, inner, off)),
  ),
}));

function number() {
  return fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 1, max: 4 }) }, fc.constantFrom(0, 5, 15, 16, 536_870_911));
}

function tag(field: number, type: number): Buffer {
  let rest = field * 8 + type;
  const bytes: number[] = [];
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function lengthDelimited(field: number, inner: Uint8Array, off: number): Buffer {
  const length = Math.max(0, inner.length + off);
  const head = length < 128 ? [length] : [(length % 128) | 128, length >> 7];
  return Buffer.concat([tag(field, 2), Buffer.from(head), inner]);
}

function expectTwins(bytes: Uint8Array): void {
  expect(byHand(bytes)).toStrictEqual(byTwin(bytes));
}

test('whatever protobuf-es writes, the reader takes as protobuf-es does', () => {
  fc.assert(fc.property(requests, expectTwins), REPEATABLE);
});

test('fields of any number and wire type, in any order, within each other: taken or refused as by protobuf-es', () => {
  const counts = { taken: 0, invalid: 0, malformed: 0 };
  fc.assert(
    fc.property(message, (bytes) => {
      expectTwins(bytes);
      const outcome = byHand(bytes);
      counts[outcome === 'malformed' ? 'malformed' : 'invalid' in outcome ? 'invalid' : 'taken']++;
    }),
    REPEATABLE,
  );
  // Each of them was tried in earnest.
  expect(counts.taken).toBeGreaterThan(REPEATABLE.numRuns / 50);
  expect(counts.malformed).toBeGreaterThan(REPEATABLE.numRuns / 50);
  expect(counts.invalid).toBeGreaterThan(0);
});

test('requests with fields inserted that nobody knows', () => {
  fc.assert(
    fc.property(requests, message, message, (request, before, after) => {
      expectTwins(Buffer.concat([before, request, after]));
    }),
    REPEATABLE,
  );
});

test('requests with bytes exchanged, taken out, put in or cut off', () => {
  const mutations = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 2 }), fc.uint8Array({ maxLength: 2 })), { maxLength: 4 });
  fc.assert(
    fc.property(requests, mutations, fc.nat(), (request, changes, cut) => {
      const bytes = Array.from(request);
      for (const [at, taken, put] of changes) bytes.splice(at % (bytes.length + 1), taken, ...put);
      expectTwins(Uint8Array.from(bytes));
      expectTwins(Uint8Array.from(bytes.slice(0, cut % (bytes.length + 1))));
    }),
    REPEATABLE,
  );
});

test('any bytes', () => {
  const small = fc.array(fc.oneof(fc.nat({ max: 0x22 }), fc.nat({ max: 0xff })), { maxLength: 24 });
  fc.assert(
    fc.property(small, (bytes) => expectTwins(Uint8Array.from(bytes))),
    { ...REPEATABLE, numRuns: 5_000 },
  );
});
