/** ShouldRateLimit is answered at once where it is plain, however its bytes come; all else is handed over with all that came. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { MemoryStore } from '../../../src/adapters/memory/memory-store.ts';
import { parsePolicy } from '../../../src/adapters/policy-file/read-policy.ts';
import { Limiter } from '../../../src/app/limiter.ts';
import { Undecidable } from '../../../src/core/errors.ts';
import {
  RateLimitRequestSchema,
  RateLimitResponse_Code,
  RateLimitResponseSchema,
} from '../../../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { ERROR, FLAG, FRAME } from '../../../src/surfaces/rls/h2/frames.ts';
import { RequestHead } from '../../../src/surfaces/rls/h2/request-head.ts';
import { isPlainRateLimit, RateLimitCall } from '../../../src/surfaces/rls/rate-limit-call.ts';
import { hasherForTest } from '../../core/build.ts';
import { ManualClock, settled } from '../../support/clock.ts';
import { type Asked, ConnectionUnderTest } from './h2/connection-under-test.ts';
import { uint32 } from './h2/frames-in.ts';

const { endStream: END } = FLAG;
const HELD_BYTES_MAX = 32_768;
const POLICY = `
domain: d
descriptors:
  - key: k
    limits: [{ requests: 1, per: year }]
`;
const PLAIN = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit'],
  ['content-type', 'application/grpc'],
] as const;

function bytesOf(domain: string, value = 'v'): Buffer {
  const entries = [{ key: 'k', value }];
  return Buffer.from(
    toBinary(RateLimitRequestSchema, create(RateLimitRequestSchema, { domain, descriptors: [{ entries }] })),
  );
}

function messageOf(bytes: Uint8Array, flag = 0, length = bytes.length): Buffer {
  return Buffer.concat([Buffer.of(flag), uint32(length), bytes]);
}

const MESSAGE = messageOf(bytesOf('d'));

describe('plain is', () => {
  const head = (name: string, value: string): RequestHead => {
    const made = new RequestHead();
    for (const [each, its] of PLAIN) made.field(each, each === name ? value : its);
    if (!PLAIN.some(([each]) => each === name)) made.field(name, value);
    return made;
  };
  test.each([
    ['te', 'trailers', true],
    ['content-type', 'application/grpc+proto', true],
    ['content-type', 'application/grpc+json', false],
    ['content-type', 'application/grpc-web', false],
    ['content-type', 'application/grpc;x=y', false],
    ['content-type', 'application/proto', false],
    [':method', 'GET', false],
    [':path', '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit?a', false],
    [':path', '/envoy.service.ratelimit.v2.RateLimitService/ShouldRateLimit', false],
    ['grpc-encoding', 'identity', true],
    ['grpc-encoding', 'gzip', false],
    ['grpc-timeout', '1n', true],
    ['grpc-timeout', '0S', false],
    ['grpc-timeout', 'soon', false],
  ])('%s: %s: %p', (name, value, isPlain) => {
    expect(isPlainRateLimit(head(name, value))).toBe(isPlain);
  });
});

let wire: ConnectionUnderTest;
let handedOver: Asked[];
let calls: string[];
let fails: Error | undefined;
let held: Promise<void> | undefined;
let taken: number;

beforeEach(async () => {
  [handedOver, calls, fails, held, taken] = [[], [], undefined, undefined, 0];
  const clock = new ManualClock();
  const policy = parsePolicy(POLICY, 'policy.yaml');
  const memory = new MemoryStore({ clock, subjectsMax: 100 });
  const limiter = new Limiter({
    policies: { current: () => new Map([[policy.domain, policy]]) },
    store: {
      take: async (hits) => {
        await held;
        taken += 1;
        if (fails !== undefined) throw fails;
        return memory.take(hits);
      },
    },
    clock,
    observer: { decided: () => undefined, undecided: () => undefined, refused: () => undefined },
    hasher: hasherForTest,
  });
  const note = (): void => undefined;
  wire = await ConnectionUnderTest.open({
    serve: (asked, connection) => {
      const serveElse = (): Asked => {
        handedOver.push(asked);
        return asked;
      };
      const log = { debug: note, info: note, warn: note, error: note };
      const onCall = (method: string): void => void calls.push(method);
      return new RateLimitCall({ limiter, log, clock, tracer: undefined, onCall, serveElse }, asked.stream, connection);
    },
  });
  // Answers never wait for a window here.
  wire.send(FRAME.windowUpdate, 0, 0, uint32(2 ** 30));
});

afterEach(() => {
  wire.client.destroy();
});

async function answerOf(
  streamId: number,
): Promise<{ code?: RateLimitResponse_Code; status: string | undefined; message?: string | undefined }> {
  await wire.until(() => wire.of(FRAME.headers, streamId).length === 2);
  const trailer = new Map(wire.of(FRAME.headers, streamId).flatMap(({ payload }) => wire.fields(payload)));
  const data = Buffer.concat(wire.of(FRAME.data, streamId).map(({ payload }) => payload));
  const status = trailer.get('grpc-status');
  if (data.length === 0) return { status, message: trailer.get('grpc-message') };
  expect([data[0], data.readUInt32BE(1)]).toEqual([0, data.length - 5]);
  return { code: fromBinary(RateLimitResponseSchema, data.subarray(5)).overallCode, status };
}

describe('a plain call', () => {
  test('is decided, and a denial is an answer like any other', async () => {
    for (const id of [1, 3]) {
      wire.request(id, 0, PLAIN);
      wire.send(FRAME.data, END, id, MESSAGE);
    }
    expect(await answerOf(1)).toEqual({ code: RateLimitResponse_Code.OK, status: '0' });
    expect(await answerOf(3)).toEqual({ code: RateLimitResponse_Code.OVER_LIMIT, status: '0' });
    expect(calls).toEqual(['ShouldRateLimit', 'ShouldRateLimit']);
    expect(handedOver).toEqual([]);
  });

  test('is decided wherever its message is cut, and whether its end comes alone', async () => {
    for (let at = 0; at <= MESSAGE.length; at++) {
      const id = 2 * at + 1;
      wire.request(id, 0, PLAIN);
      wire.send(FRAME.data, 0, id, MESSAGE.subarray(0, at));
      wire.send(FRAME.data, END, id, MESSAGE.subarray(at));
      expect((await answerOf(id)).status).toBe('0');
    }
    expect(handedOver).toEqual([]);
  });

  test('is charged all the same when its client gives it up, and nobody is told', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    held = promise;
    wire.request(1, 0, PLAIN);
    wire.send(FRAME.data, END, 1, MESSAGE);
    wire.send(FRAME.rstStream, 0, 1, uint32(ERROR.cancel));
    await wire.settled();
    resolve();
    await settled();
    await wire.settled();
    expect(taken).toBe(1);
    expect(wire.frames.filter(({ streamId }) => streamId === 1)).toEqual([]);
  });

  test.each<[what: string, bytes: Buffer, error: Error | undefined, status: string, message: RegExp]>([
    ['a request without a domain', bytesOf(''), undefined, '3', /domain/],
    [
      'a store that does not answer',
      bytesOf('d'),
      new Undecidable('STORE_TIMEOUT', 'é\n\udcff'),
      '14',
      /^STORE_TIMEOUT%3A%20%C3%A9%0A%EF%BF%BD$/,
    ],
    ['a mistake of ours', bytesOf('d'), new Error('ours'), '13', /^internal%20error$/],
  ])('fails for %s, with its status as trailers', async (_what, bytes, error, status, message) => {
    fails = error;
    wire.request(1, 0, PLAIN);
    wire.send(FRAME.data, END, 1, messageOf(bytes));
    const answer = await answerOf(1);
    expect(answer.status).toBe(status);
    expect(answer.message).toMatch(message);
    expect(calls).toEqual(['ShouldRateLimit']);
  });
});

describe('handed over, with all that came of it, is', () => {
  test.each<[what: string, body: Buffer, isEarly: boolean]>([
    ['no message', Buffer.of(), false],
    ['less than a message', MESSAGE.subarray(0, -1), false],
    ['less than a prefix', MESSAGE.subarray(0, 4), false],
    ['more than a message', Buffer.concat([MESSAGE, Buffer.of(0)]), true],
    ['two messages', Buffer.concat([MESSAGE, MESSAGE]), true],
    ['a compressed message', messageOf(bytesOf('d'), 1), true],
    ['bytes that are no message', messageOf(Buffer.of(0xff)), false],
    [`a message beyond ${HELD_BYTES_MAX} bytes`, messageOf(bytesOf('d', 'v'.repeat(HELD_BYTES_MAX))), true],
  ])('%s', async (_what, body, isEarly) => {
    wire.request(1, 0, PLAIN);
    for (let at = 0; at < body.length; at += 7_000) wire.send(FRAME.data, 0, 1, body.subarray(at, at + 7_000));
    await wire.settled();
    expect(handedOver).toHaveLength(isEarly ? 1 : 0);
    wire.send(FRAME.data, END, 1);
    await wire.settled();
    expect(handedOver).toHaveLength(1);
    expect(handedOver[0]).toMatchObject({ isEnded: true });
    expect(handedOver[0]?.body.equals(body)).toBe(true);
    expect(taken).toBe(0);
  });

  test(`not one of exactly ${HELD_BYTES_MAX} bytes in all`, async () => {
    const short = messageOf(bytesOf('d', 'v'.repeat(16_384)));
    const body = messageOf(bytesOf('d', 'v'.repeat(16_384 + HELD_BYTES_MAX - short.length)));
    expect(body).toHaveLength(HELD_BYTES_MAX);
    wire.request(1, 0, PLAIN);
    for (let at = 0; at < body.length; at += 16_384) wire.send(FRAME.data, 0, 1, body.subarray(at, at + 16_384));
    wire.send(FRAME.data, END, 1);
    await answerOf(1);
    expect(handedOver).toEqual([]);
  });

  test('a stream that is aborted later: whoever took over is told', async () => {
    wire.request(1, 0, PLAIN);
    wire.send(FRAME.data, 0, 1, messageOf(bytesOf('d'), 1));
    wire.send(FRAME.rstStream, 0, 1, uint32(ERROR.cancel));
    await wire.settled();
    expect(handedOver[0]?.abortedBy).toEqual([ERROR.cancel]);
  });
});

test('calls whose decisions take long leave the connection’s window to others', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  held = promise;
  const body = messageOf(bytesOf('d', 'v'.repeat(8_000)));
  // More than the window, in steps that it allows.
  for (let id = 1; id < 401; id += 2) {
    wire.request(id, 0, PLAIN);
    wire.send(FRAME.data, END, id, body);
    if (id % 50 === 1) await wire.settled();
  }
  await wire.settled();
  expect(wire.goaways()).toEqual([]);
  expect(wire.of(FRAME.headers)).toHaveLength(0);
  resolve();
  await wire.until(() => wire.of(FRAME.headers, 399).length === 2);
});

test('what a connection was sent for calls that were answered may be sent anew', async () => {
  const body = messageOf(bytesOf('d', 'v'.repeat(8_000)));
  for (let id = 1; id < 401; id += 2) {
    wire.request(id, 0, PLAIN);
    wire.send(FRAME.data, END, id, body);
    await answerOf(id);
  }
  await wire.settled();
  const granted = wire.of(FRAME.windowUpdate, 0).reduce((sum, { payload }) => sum + payload.readUInt32BE(), 65_535);
  expect(granted - 200 * body.length).toBeGreaterThan(1_048_576 / 2);
  expect(wire.of(FRAME.windowUpdate).every(({ streamId }) => streamId === 0)).toBe(true);
});
