/** Answers leave whole and in order, and never more of them than a client has granted. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ERROR, FLAG, FRAME } from '../../../../src/surfaces/rls/h2/frames.ts';
import type { PeerSettings } from '../../../../src/surfaces/rls/h2/peer-settings.ts';
import type { Stream } from '../../../../src/surfaces/rls/h2/stream.ts';
import type { Frame } from './frames-in.ts';
import { SenderUnderTest } from './sender-under-test.ts';

const SEED = 9_113;
const WINDOW = 65_535;
const FRAME_BYTES_MAX = 16_384;
const WINDOW_CEILING = 2 ** 31 - 1;
const NOTHING: PeerSettings = { headerTableBytes: undefined, initialWindowBytes: undefined, frameBytesMax: undefined };

let wire: SenderUnderTest;

beforeEach(() => {
  wire = new SenderUnderTest();
});

/** Not all alike, so that order is seen. */
const PATTERN = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * 31 + (at >> 8)) & 0xff));

function bytesOf(length: number, seed = 1): Buffer {
  return PATTERN.subarray(seed, seed + length);
}

function dataOf(frames: readonly Frame[], streamId: number): Buffer {
  return Buffer.concat(
    frames.filter((frame) => frame.type === FRAME.data && frame.streamId === streamId).map(({ payload }) => payload),
  );
}

/** How many bytes of DATA. */
function dataBytes(frames: readonly Frame[]): number {
  return frames.reduce((sum, { type, payload }) => sum + (type === FRAME.data ? payload.length : 0), 0);
}

function withPrefix(bytes: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

describe('a message of gRPC', () => {
  test('is three frames, and the answer is over', () => {
    wire.message(wire.stream(7), bytesOf(3));
    const frames = wire.written();
    expect(frames.map(({ type, flags, streamId }) => [type, flags, streamId])).toEqual([
      [FRAME.headers, FLAG.endHeaders, 7],
      [FRAME.data, 0, 7],
      [FRAME.headers, FLAG.endHeaders | FLAG.endStream, 7],
    ]);
    expect(frames[1]?.payload).toEqual(withPrefix(bytesOf(3)));
    expect(wire.fields(frames[0]!.payload)).toEqual([':status: 200', 'content-type: application/grpc+proto']);
    expect(wire.fields(frames[2]!.payload)).toEqual(['grpc-status: 0']);
    expect(wire.answered).toEqual([7]);
  });

  test.each([
    ['of the largest frame leaves in one', FRAME_BYTES_MAX, [FRAME_BYTES_MAX]],
    ['of one byte more in two', FRAME_BYTES_MAX + 1, [FRAME_BYTES_MAX, 1]],
  ])('%s', (_what, length, lengths) => {
    wire.message(wire.stream(1), bytesOf(length - 5));
    const frames = wire.written();
    expect(frames.filter(({ type }) => type === FRAME.data).map(({ payload }) => payload.length)).toEqual(lengths);
    expect(dataOf(frames, 1)).toEqual(withPrefix(bytesOf(length - 5)));
    expect(wire.answered).toEqual([1]);
  });

  test('that the client asks to have in larger frames leaves in larger frames', () => {
    wire.sender.peerSettings({ ...NOTHING, frameBytesMax: 20_000 }, []);
    wire.message(wire.stream(1), bytesOf(20_000 - 5));
    expect(wire.written().map(({ type }) => type)).toEqual([FRAME.headers, FRAME.data, FRAME.headers]);
  });

  test('of exactly the windows leaves at once', () => {
    wire.message(wire.stream(1), bytesOf(WINDOW - 5));
    expect(dataBytes(wire.written())).toBe(WINDOW);
    expect(wire.answered).toEqual([1]);
  });

  test('beyond its stream’s window waits for it, and the connection’s is left to others', () => {
    wire.sender.grant(undefined, WINDOW);
    const stream = wire.stream(1);
    wire.message(stream, bytesOf(WINDOW - 4));
    expect(dataBytes(wire.written())).toBe(WINDOW);
    wire.message(wire.stream(3), bytesOf(100));
    expect(wire.answered).toEqual([3]);
    wire.sender.grant(stream, 1);
    expect(wire.answered).toEqual([3, 1]);
  });

  test('beyond the connection’s window waits for it', () => {
    const stream = wire.stream(1);
    wire.sender.grant(stream, WINDOW);
    wire.message(stream, bytesOf(WINDOW - 4));
    const before = wire.written();
    wire.sender.grant(undefined, 1);
    const after = wire.written();
    expect(dataBytes(before)).toBe(WINDOW);
    expect(after.map(({ type, flags }) => [type, flags])).toEqual([
      [FRAME.data, 0],
      [FRAME.headers, FLAG.endHeaders | FLAG.endStream],
    ]);
    expect(dataOf([...before, ...after], 1)).toEqual(withPrefix(bytesOf(WINDOW - 4)));
  });

  test('that failed says so in place of a message', () => {
    wire.sender.fail(wire.stream(1), [['grpc-status', '13']]);
    const frames = wire.written();
    expect(frames.flatMap(({ payload }) => wire.fields(payload)).slice(2)).toEqual(['grpc-status: 13']);
    expect(frames.map(({ flags }) => flags)).toEqual([FLAG.endHeaders, FLAG.endHeaders | FLAG.endStream]);
    expect(wire.answered).toEqual([1]);
  });
});

describe('a window that the client makes smaller', () => {
  test('may be below what was sent: nothing leaves until it is above', () => {
    const stream = wire.stream(1);
    wire.sender.grant(undefined, WINDOW);
    wire.message(stream, bytesOf(WINDOW + 100));
    wire.written();
    wire.sender.peerSettings({ ...NOTHING, initialWindowBytes: 1_000 }, [stream]);
    expect(stream.sendWindow).toBe(1_000 - WINDOW);
    wire.sender.grant(stream, WINDOW - 1_000);
    expect(wire.written()).toEqual([]);
    wire.sender.grant(stream, 7);
    expect(dataBytes(wire.written())).toBe(7);
    wire.sender.peerSettings({ ...NOTHING, initialWindowBytes: WINDOW }, [stream]);
    expect(wire.answered).toEqual([1]);
  });

  test('is that of streams to come', () => {
    wire.sender.peerSettings({ ...NOTHING, initialWindowBytes: 0 }, []);
    const stream = wire.stream(1);
    wire.message(stream, bytesOf(0));
    expect(dataBytes(wire.written())).toBe(0);
    wire.sender.grant(stream, 5);
    expect(wire.answered).toEqual([1]);
  });
});

describe('a window beyond 2^31 - 1', () => {
  test.each([
    ['ends the connection if it is its own', undefined],
    ['ends the stream if it is a stream’s', 1],
  ])('%s', (_what, id) => {
    const stream = id === undefined ? undefined : wire.stream(id);
    wire.sender.grant(stream, WINDOW_CEILING - WINDOW);
    const expected = { code: ERROR.flowControl, name: id === undefined ? 'ConnectionError' : 'StreamError' };
    expect(() => wire.sender.grant(stream, 1)).toThrow(expect.objectContaining(expected));
  });

  test('ends the connection if SETTINGS make it', () => {
    const stream = wire.stream(1);
    wire.sender.grant(stream, 10);
    const settings = (initialWindowBytes: number): PeerSettings => ({ ...NOTHING, initialWindowBytes });
    wire.sender.peerSettings(settings(WINDOW_CEILING - 10), [stream]);
    expect(() => wire.sender.peerSettings(settings(WINDOW_CEILING - 9), [stream])).toThrow(
      expect.objectContaining({ code: ERROR.flowControl, name: 'ConnectionError' }),
    );
  });
});

describe('streams that wait', () => {
  test('share the connection’s window in the order in which they came to wait', () => {
    wire.message(wire.stream(9), bytesOf(WINDOW - 5));
    for (const id of [5, 1, 3]) wire.message(wire.stream(id), bytesOf(995));
    wire.written();
    wire.sender.grant(undefined, 1_500);
    const frames = wire.written().filter(({ type }) => type === FRAME.data);
    expect(frames.map(({ streamId, payload }) => [streamId, payload.length])).toEqual([
      [5, 1_000],
      [1, 500],
    ]);
    wire.sender.grant(undefined, 1_500);
    expect(wire.answered).toEqual([9, 5, 1, 3]);
  });

  test('are passed over when they are forgotten', () => {
    wire.message(wire.stream(9), bytesOf(WINDOW - 5));
    const gone = wire.stream(1);
    wire.message(gone, bytesOf(10));
    wire.message(wire.stream(3), bytesOf(10));
    wire.sender.forget(gone);
    wire.written();
    wire.sender.grant(undefined, 15);
    expect(wire.answered).toEqual([9, 3]);
    expect(wire.written().some(({ streamId }) => streamId === 1)).toBe(false);
  });
});

describe('a header block longer than a frame', () => {
  test('goes on in CONTINUATIONs, and nothing comes in between', () => {
    const fields = Array.from({ length: 5 }, (_, at) => [`x-${at}`, 'v'.repeat(8_000)] as const);
    wire.sender.head(wire.stream(1), 404, fields, true);
    const frames = wire.written();
    expect(frames.map(({ type, flags }) => [type, flags])).toEqual([
      [FRAME.headers, FLAG.endStream],
      [FRAME.continuation, 0],
      [FRAME.continuation, FLAG.endHeaders],
    ]);
    expect(frames.map(({ payload }) => payload.length).slice(0, 2)).toEqual([FRAME_BYTES_MAX, FRAME_BYTES_MAX]);
    const block = Buffer.concat(frames.map(({ payload }) => payload));
    expect(wire.fields(block)).toEqual([':status: 404', ...fields.map(([name, value]) => `${name}: ${value}`)]);
    expect(wire.answered).toEqual([1]);
  });
});

test('whatever windows come in whatever order, all bytes arrive in order and never more than granted', () => {
  const step = fc.oneof(
    fc.record({ what: fc.constant('connection'), amount: fc.integer({ min: 1, max: 30_000 }) }),
    fc.record({ what: fc.constant('stream'), which: fc.nat(5), amount: fc.integer({ min: 1, max: 30_000 }) }),
    fc.record({ what: fc.constant('initial'), amount: fc.nat(80_000) }),
    fc.record({ what: fc.constant('frame'), amount: fc.integer({ min: 16_384, max: 40_000 }) }),
    fc.record({ what: fc.constant('message'), amount: fc.nat(50_000) }),
  ) as fc.Arbitrary<{ what: string; which?: number; amount: number }>;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const under = new SenderUnderTest();
      const client = new WatchedClient(under);
      for (const each of steps) client.take(each);
      client.grantAll();
    }),
    { seed: SEED, numRuns: 300 },
  );
});

/** Counts what it has granted, as a client that tolerates nothing. */
class WatchedClient {
  readonly #under: SenderUnderTest;
  readonly #streams: Stream[] = [];
  readonly #sent: Buffer[] = [];
  readonly #windows: number[] = [];
  readonly #got: Buffer[] = [];
  #window = WINDOW;
  #initial = WINDOW;
  #frameBytesMax = FRAME_BYTES_MAX;

  constructor(under: SenderUnderTest) {
    this.#under = under;
  }

  take({ what, which = 0, amount }: { what: string; which?: number; amount: number }): void {
    const { sender } = this.#under;
    const open = this.#streams.filter((stream) => !stream.isClosed);
    if (what === 'connection') {
      this.#window += amount;
      sender.grant(undefined, amount);
    } else if (what === 'stream' && open.length > 0) {
      const stream = open[which % open.length]!;
      this.#windows[this.#streams.indexOf(stream)]! += amount;
      sender.grant(stream, amount);
    } else if (what === 'initial') {
      for (const stream of open) this.#windows[this.#streams.indexOf(stream)]! += amount - this.#initial;
      this.#initial = amount;
      sender.peerSettings({ ...NOTHING, initialWindowBytes: amount }, open);
    } else if (what === 'frame') {
      this.#frameBytesMax = amount;
      sender.peerSettings({ ...NOTHING, frameBytesMax: amount }, open);
    } else if (what === 'message') this.#message(amount);
    this.#read();
  }

  /** In the end everything has come. */
  grantAll(): void {
    const open = this.#streams.filter((stream) => !stream.isClosed);
    for (let left = open.length; left > 0; left--) this.take({ what: 'stream', which: left - 1, amount: 3_000_000 });
    this.take({ what: 'connection', amount: 3_000_000 });
    for (const [index, bytes] of this.#sent.entries()) expect(this.#got[index]?.equals(withPrefix(bytes))).toBe(true);
    expect([...this.#under.answered].sort((a, b) => a - b)).toEqual(this.#streams.map(({ id }) => id));
  }

  #message(length: number): void {
    const stream = this.#under.stream(2 * this.#streams.length + 1);
    this.#streams.push(stream);
    this.#windows.push(this.#initial);
    this.#got.push(Buffer.alloc(0));
    this.#sent.push(bytesOf(length, stream.id));
    this.#under.message(stream, this.#sent.at(-1)!);
  }

  #read(): void {
    for (const { type, streamId, payload } of this.#under.written()) {
      if (type !== FRAME.data) continue;
      const index = (streamId - 1) / 2;
      this.#window -= payload.length;
      this.#windows[index]! -= payload.length;
      this.#got[index] = Buffer.concat([this.#got[index]!, payload]);
      expect(payload.length).toBeLessThanOrEqual(this.#frameBytesMax);
      expect(Math.min(this.#window, this.#windows[index]!)).toBeGreaterThanOrEqual(0);
    }
  }
}
