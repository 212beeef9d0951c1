import { create, fromBinary, type JsonObject as ProtoJsonObject, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Decided } from '../../../src/app/limiter.ts';
import type { Decision, Reason, Status, WindowReading } from '../../../src/core/decision.ts';
import { type Answer, answerOf, type Header } from '../../../src/core/headers.ts';
import { type JsonObject, type Limit, REQUESTS_MAX, unitWindow, type Window } from '../../../src/core/limit.ts';
import { fixedWindow } from '../../../src/core/window.ts';
import { RateLimitResponseSchema } from '../../../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { toProto } from '../../../src/surfaces/rls/codec.ts';
import { WriteBuffer } from '../../../src/surfaces/rls/h2/write-buffer.ts';
import { writeRateLimitResponse } from '../../../src/surfaces/rls/response-writer.ts';

const NOW = 1_753_500_007;
const REPEATABLE = { seed: 20_250_726, numRuns: 1_000 };
const NO_ANSWER: Answer = { headers: [], body: undefined, retryAfterSeconds: undefined };

function limitOf(windows: readonly Window[], unlimited = false): Limit {
  return {
    policy: 'closient.api_key',
    statsKey: 'closient.api_key',
    windows,
    charging: 'together',
    overdraft: false,
    shadow: false,
    quota: false,
    unlimited,
    detailed: false,
    name: '',
    replaces: [],
    metadata: undefined,
  };
}

function statusOf(reason: Reason, limit: Limit | undefined, reported: WindowReading | undefined): Status {
  const readings = reported === undefined ? [] : [reported];
  return { reason, limit, readings, reported, denies: false, quota: false, counted: undefined };
}

function decisionOf(statuses: readonly Status[], allowed = true): Decision {
  const deciding = statuses.find((status) => status.reported !== undefined);
  const reason = allowed ? 'within_limit' : 'over_limit';
  return { allowed, reason, nowSeconds: NOW, statuses, deciding, globallyShadowed: false };
}

function readingOf(window: Window, remaining: number, resetSeconds = 53): WindowReading {
  return { window, remaining, endsAt: NOW + resetSeconds, over: remaining === 0 };
}

/** Into a buffer that is in use, and has to grow. */
function written(decided: Decided): Buffer {
  const before = Buffer.from('before');
  const out = new WriteBuffer(8);
  out.append(before);
  writeRateLimitResponse(decided, out);
  expect(out.length).toBeLessThanOrEqual(out.bytes.length);
  expect(out.bytes.subarray(0, before.length)).toEqual(before);
  return out.bytes.subarray(before.length, out.length);
}

function expectTwins(decided: Decided): void {
  const twin = Buffer.from(toBinary(RateLimitResponseSchema, toProto(decided)));
  expect(written(decided).toString('hex')).toBe(twin.toString('hex'));
}

const MINUTE = unitWindow(300, 'minute');
const DAY = unitWindow(10_000, 'day');
const ODD: Window = { name: '90s', max: 7, seconds: 90, unit: undefined, algorithm: fixedWindow };
const within = (window: Window, remaining: number, resetSeconds?: number) =>
  statusOf('within_limit', limitOf([window]), readingOf(window, remaining, resetSeconds));

describe('a response, byte for byte', () => {
  const status = '12 18 08 01 12 0d 08 ac02 10 02 1a 06 6d696e757465 18 ab02 22 02 08 35';
  test.each<[string, Decided, string]>([
    ['of no limit', decided([statusOf('no_limit', undefined, undefined)]), '08 01 12 02 08 01'],
    ['of one window', decided([within(MINUTE, 299)]), `08 01 ${status}`],
    ['of two descriptors', decided([within(MINUTE, 299), within(MINUTE, 299)]), `08 01 ${status} ${status}`],
    ['of nothing left', decided([within(ODD, 0)]), '08 01 12 0f 08 01 12 07 08 07 1a 03 393073 22 02 08 35'],
    [
      'of no limit to a limit',
      decided([statusOf('no_limit', limitOf([], true), undefined)]),
      '08 01 12 08 08 01 18 ffffffff0f',
    ],
    [
      'of a key that is refused',
      decided([statusOf('invalid_api_key', limitOf([MINUTE]), undefined)], NO_ANSWER, false),
      '08 02 12 02 08 02',
    ],
    ['with a header', decided([], { ...NO_ANSWER, headers: [['a', 'bc']] }), '08 01 1a 07 0a 01 61 12 02 6263'],
    ['with a header without a value', decided([], { ...NO_ANSWER, headers: [['a', '']] }), '08 01 1a 03 0a 01 61'],
    [
      'with a body',
      decided([], { ...NO_ANSWER, headers: [['content-type', 'x']], body: '{}' }),
      '08 01 1a 11 0a 0c 636f6e74656e742d74797065 12 01 78 2a 02 7b7d',
    ],
    ['with a body of which no header tells the type', decided([], { ...NO_ANSWER, body: '{}' }), '08 01'],
    ['with metadata', { ...decided([]), metadata: { a: true } }, '08 01 32 09 0a 07 0a 01 61 12 02 20 01'],
  ])('%s', (_, value, hex) => {
    expect(written(value).toString('hex')).toBe(hex.replaceAll(' ', ''));
    expectTwins(value);
  });

  test.each([0, 1, 63, 64, 65, 117, 118, 119, 127, 128, 129, 130, 16_000, 16_383, 16_384])(
    'whose lengths need more than one byte: a text of %i characters',
    (length) => {
      for (const character of ['x', 'ü', '世', '😀', '\ud800']) {
        const text = character.repeat(length);
        const headers: Header[] = [
          ['content-type', text],
          [text, ''],
          [`${'a'.repeat(length)}ü`, text],
        ];
        const window = { ...MINUTE, name: text };
        expectTwins(decided([within(window, 5), within(DAY, 5)], { ...NO_ANSWER, headers, body: text }));
      }
    },
  );

  test.each([1, 127, 128, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 35, 2 ** 42 + 1, 2 ** 52 - 1])(
    'whose window ends in %i seconds',
    (resetSeconds) => expectTwins(decided([within(DAY, 5, resetSeconds)])),
  );

  test('of a great request: as many statuses as descriptors', () => {
    expectTwins(decided(Array.from({ length: 4_096 }, (_, index) => within(index % 2 === 0 ? MINUTE : DAY, index))));
  });
});

function decided(statuses: readonly Status[], answer = NO_ANSWER, allowed = true): Decided {
  return { decision: decisionOf(statuses, allowed), answer, metadata: undefined };
}

describe('random decisions', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme-ascii', maxLength: 40 }),
    fc.string({ unit: 'binary', maxLength: 150 }),
  );
  const max = fc.oneof(fc.nat({ max: 20_000 }), fc.nat({ max: REQUESTS_MAX }));
  const windows: fc.Arbitrary<Window> = fc.oneof(
    fc
      .tuple(max, fc.constantFrom('second', 'minute', 'hour', 'day', 'week', 'month', 'year'))
      .map(([most, unit]) => unitWindow(most, unit)),
    fc.record({ name: text, max, seconds: fc.integer({ min: 1, max: 4_294_967_295 }) }).map((window) => ({
      ...window,
      unit: undefined,
      algorithm: fixedWindow,
    })),
  );
  const readings = fc
    .tuple(
      windows,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.boolean(),
    )
    .map(
      ([window, left, passed, over]): WindowReading => ({
        window,
        remaining: Math.floor(left * window.max),
        endsAt: NOW + Math.max(1, Math.floor(passed * window.seconds)),
        over,
      }),
    );
  const reasons = fc.constantFrom<Reason[]>('within_limit', 'over_limit', 'cost_exceeds_limit', 'shadowed');
  const statuses: fc.Arbitrary<Status> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.tuple(reasons, fc.array(readings, { minLength: 1, maxLength: 3 })).map(([reason, all]) => ({
        ...statusOf(reason, limitOf(all.map(({ window }) => window)), all[0]),
        readings: all,
        denies: reason === 'over_limit',
      })),
    },
    fc.constantFrom(
      statusOf('no_limit', undefined, undefined),
      statusOf('no_limit', limitOf([], true), undefined),
      statusOf('invalid_api_key', limitOf([MINUTE]), undefined),
      statusOf('shadowed', limitOf([MINUTE]), undefined),
    ),
  );
  const metadata = fc.option(fc.dictionary(text, fc.jsonValue({ maxDepth: 3 })), { freq: 4, nil: undefined });
  const decisions = fc
    .tuple(fc.array(statuses, { maxLength: 4 }), fc.boolean())
    .map(([all, allowed]) => decisionOf(all, allowed));
  const answers: fc.Arbitrary<Answer> = fc
    .tuple(
      fc.array(fc.tuple(fc.oneof(text, fc.constantFrom('content-type', 'RateLimit-Limit')), text), { maxLength: 9 }),
      fc.option(text, { nil: undefined }),
    )
    .map(([headers, body]) => ({ headers, body, retryAfterSeconds: undefined }));

  test('any answer is written as by protobuf-es', () => {
    fc.assert(
      fc.property(decisions, answers, metadata, (decision, answer, json) => {
        expectTwins({ decision, answer, metadata: json as JsonObject | undefined });
      }),
      REPEATABLE,
    );
  });

  test.each(['documented', 'ietf', 'reference', 'off'] as const)(
    'so is the answer that the style %s gives',
    (style) => {
      const names = { limit: 'x-limit', remaining: 'x-remaining', reset: 'x-reset' };
      fc.assert(
        fc.property(decisions, (decision) => {
          expectTwins({ decision, answer: answerOf(decision, style, names), metadata: undefined });
        }),
        { ...REPEATABLE, numRuns: 300 },
      );
    },
  );
});

test('metadata stands for itself: the parts can be read as one message', () => {
  const metadata = { domain: 'd', nested: { list: [1, 'zwei', null] } };
  const bytes = written({ ...decided([within(MINUTE, 5)]), metadata });
  const alone = create(RateLimitResponseSchema, { dynamicMetadata: metadata as ProtoJsonObject });
  expect(fromBinary(RateLimitResponseSchema, bytes).dynamicMetadata).toEqual(alone.dynamicMetadata);
});
