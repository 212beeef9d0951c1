/** What may come of bodies: never more than is kept, and never less for good than was granted at first. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  CONNECTION_WINDOW_BYTES,
  DATA_FRAMES_MAX,
  OPEN_REQUESTS_BYTES_MAX,
  STREAM_WINDOW_BYTES,
} from '../../../../src/surfaces/rls/h2/bounds.ts';
import { ERROR, FRAME } from '../../../../src/surfaces/rls/h2/frames.ts';
import { Receiver } from '../../../../src/surfaces/rls/h2/receiver.ts';
import type { Stream } from '../../../../src/surfaces/rls/h2/stream.ts';
import { SenderUnderTest } from './sender-under-test.ts';

const SEED = 9_113;
/** As receiver.ts counts a frame beside its bytes. */
const FRAME_KEPT_BYTES = 128;

/** A client that keeps to its windows, and the receiver that it sends to. */
class Upload {
  readonly receiver: Receiver;
  window = CONNECTION_WINDOW_BYTES;
  readonly #windows = new Map<number, number>();
  readonly #under = new SenderUnderTest();

  constructor() {
    this.receiver = new Receiver(this.#under.sender);
  }

  open(id: number): Stream {
    this.#windows.set(id, STREAM_WINDOW_BYTES);
    return this.#under.stream(id);
  }

  windowOf({ id }: Stream): number {
    return this.#windows.get(id)!;
  }

  /** DATA as long as the windows allow. @returns how long it was */
  send(stream: Stream, wanted: number, padding = 0): number {
    const bytes = Math.min(wanted, this.window, this.windowOf(stream));
    const padded = Math.min(padding, bytes);
    this.window -= bytes;
    this.#windows.set(stream.id, this.windowOf(stream) - bytes);
    // As Connection does with a frame.
    this.receiver.received(stream.isClosed ? undefined : stream, bytes);
    if (!stream.isClosed) {
      this.receiver.body(stream, bytes - padded, false);
      if (padded > 0) this.receiver.consumed(stream, padded);
    }
    this.read();
    return bytes - padded;
  }

  consume(stream: Stream, bytes: number): void {
    this.receiver.consumed(stream, bytes);
    this.read();
  }

  /** As Connection does when a stream is over, however that comes. */
  forget(stream: Stream): void {
    stream.isClosed = true;
    this.receiver.forget(stream);
    this.read();
  }

  read(): void {
    for (const { type, streamId, payload } of this.#under.written()) {
      expect(type).toBe(FRAME.windowUpdate);
      if (streamId === 0) this.window += payload.readUInt32BE();
      else this.#windows.set(streamId, (this.#windows.get(streamId) ?? 0) + payload.readUInt32BE());
    }
  }
}

let upload: Upload;

beforeEach(() => {
  upload = new Upload();
});

function codeOf(work: () => void): string | undefined {
  try {
    work();
  } catch (error) {
    const { name, code } = error as Error & { code: number };
    return `${name} ${code}`;
  }
  return undefined;
}

describe('flow control', () => {
  test('a stream may be sent its window, and not one byte more', () => {
    const stream = upload.open(1);
    expect(codeOf(() => upload.receiver.received(stream, STREAM_WINDOW_BYTES))).toBeUndefined();
    expect(codeOf(() => upload.receiver.received(stream, 1))).toBe(`StreamError ${ERROR.flowControl}`);
  });

  test('a connection may be sent its window, and not one byte more', () => {
    let left = CONNECTION_WINDOW_BYTES;
    for (let id = 1; left > 0; id += 2) left -= upload.send(upload.open(id), left);
    expect(codeOf(() => upload.receiver.received(upload.open(99), 1))).toBe(`ConnectionError ${ERROR.flowControl}`);
  });

  test('half a window is granted anew in one piece, when so much was used', () => {
    const stream = upload.open(1);
    upload.send(stream, STREAM_WINDOW_BYTES);
    upload.consume(stream, 32_767);
    expect(upload.windowOf(stream)).toBe(0);
    upload.consume(stream, 1);
    expect(upload.windowOf(stream)).toBe(32_768);
  });

  test('a stream that was sent to its end is granted no more', () => {
    const stream = upload.open(1);
    upload.send(stream, STREAM_WINDOW_BYTES);
    stream.isRequestEnded = true;
    upload.consume(stream, STREAM_WINDOW_BYTES);
    expect(upload.windowOf(stream)).toBe(0);
  });

  test('what is used after a stream has ended is not granted twice', () => {
    for (let id = 1; id < 200; id += 2) {
      const stream = upload.open(id);
      const bytes = upload.send(stream, STREAM_WINDOW_BYTES);
      upload.forget(stream);
      upload.consume(stream, bytes);
      expect(upload.window).toBeLessThanOrEqual(CONNECTION_WINDOW_BYTES);
    }
  });
});

test('however streams end, the connection’s window never shrinks for good, nor grows', () => {
  const step = fc.record({
    what: fc.constantFrom('open', 'send', 'send', 'send', 'consume', 'consume', 'forget', 'late'),
    which: fc.nat(9),
    bytes: fc.nat(40_000),
    padding: fc.oneof(fc.constant(0), fc.nat(256)),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 200 }), (steps) => {
      upload = new Upload();
      const streams: Stream[] = [];
      const unused = new Map<Stream, number>();
      for (const { what, which, bytes, padding } of steps) {
        const stream = streams.at(-1 - which);
        if (what === 'open' || stream === undefined) streams.push(upload.open(2 * streams.length + 1));
        else if (what === 'send' && !stream.isClosed)
          unused.set(stream, (unused.get(stream) ?? 0) + upload.send(stream, bytes, padding));
        // On its way when the stream was reset; to one of streams that were reset before.
        else if (what === 'late' && stream.isClosed) upload.send(stream, bytes);
        else if (what === 'consume') {
          const used = Math.min(bytes, unused.get(stream) ?? 0);
          unused.set(stream, (unused.get(stream) ?? 0) - used);
          upload.consume(stream, used);
        } else if (what === 'forget' && !stream.isClosed) upload.forget(stream);
        expect(upload.window).toBeLessThanOrEqual(CONNECTION_WINDOW_BYTES);
      }
      for (const stream of streams) if (!stream.isClosed) upload.forget(stream);
      expect(upload.window).toBeGreaterThan(CONNECTION_WINDOW_BYTES / 2);
    }),
    { seed: SEED, numRuns: 300 },
  );
});

test('a stream that is read to the end of what comes never stops for want of a window', () => {
  const frames = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 16_384 }), padding: fc.nat(256) }), {
    minLength: 20,
    maxLength: 60,
  });
  fc.assert(
    fc.property(frames, (sent) => {
      upload = new Upload();
      const stream = upload.open(1);
      for (const { bytes, padding } of sent) {
        upload.consume(stream, upload.send(stream, bytes, padding));
        expect(Math.min(upload.window, upload.windowOf(stream))).toBeGreaterThan(STREAM_WINDOW_BYTES / 2 - 1);
      }
    }),
    { seed: SEED, numRuns: 200 },
  );
});

describe('a body is as long as its content-length', () => {
  test.each<[what: string, length: number, parts: number[], isRight: boolean]>([
    ['as long', 10, [4, 6], true],
    ['nothing', 0, [], true],
    ['one byte short', 10, [4, 5], false],
    ['one byte long', 10, [4, 7], false],
    ['something where nothing was to come', 0, [1], false],
    ['of whatever length, if it does not say', -1, [3, 4], true],
  ])('%s', (_what, length, parts, isRight) => {
    const stream = upload.open(1);
    stream.head.contentLength = length;
    const send = (): void => {
      for (const bytes of parts) upload.receiver.body(stream, bytes, false);
      upload.receiver.body(stream, 0, true);
    };
    expect(codeOf(send)).toBe(isRight ? undefined : `StreamError ${ERROR.protocol}`);
  });

  test('what is too long is refused before its end', () => {
    const stream = upload.open(1);
    stream.head.contentLength = 3;
    expect(codeOf(() => upload.receiver.body(stream, 4, false))).toBe(`StreamError ${ERROR.protocol}`);
  });
});

describe('beyond what is kept, the stream is told to calm down', () => {
  const CALM = `StreamError ${ERROR.enhanceYourCalm}`;

  test(`${DATA_FRAMES_MAX} frames are taken of one body, not more`, () => {
    const stream = upload.open(1);
    for (let count = 0; count < DATA_FRAMES_MAX; count++) upload.receiver.body(stream, 1, false);
    expect(codeOf(() => upload.receiver.body(stream, 0, false))).toBe(CALM);
  });

  test(`${OPEN_REQUESTS_BYTES_MAX} bytes of all of them, heads and frames included, and none more until one is over`, () => {
    const first = upload.open(1);
    first.head.listBytes = 1_000;
    upload.receiver.opened(first);
    const second = upload.open(3);
    upload.receiver.body(second, OPEN_REQUESTS_BYTES_MAX - 1_000 - FRAME_KEPT_BYTES, false);
    const third = upload.open(5);
    third.head.listBytes = 1;
    expect(codeOf(() => upload.receiver.opened(third))).toBe(CALM);
    upload.forget(third);
    upload.forget(first);
    const fourth = upload.open(7);
    fourth.head.listBytes = 1_000;
    expect(codeOf(() => upload.receiver.opened(fourth))).toBeUndefined();
    expect(codeOf(() => upload.receiver.body(second, 0, false))).toBe(CALM);
  });

  test('what one request keeps is given back once', () => {
    const stream = upload.open(1);
    upload.receiver.body(stream, OPEN_REQUESTS_BYTES_MAX / 2, false);
    upload.forget(stream);
    upload.forget(stream);
    expect(codeOf(() => upload.receiver.body(upload.open(3), OPEN_REQUESTS_BYTES_MAX, false))).toBe(CALM);
  });
});
