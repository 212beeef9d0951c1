/** However a stream of bytes is cut, it is the same frames. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ConnectionError } from '../../../../src/surfaces/rls/h2/errors.ts';
import { FrameReader } from '../../../../src/surfaces/rls/h2/frame-reader.ts';
import { ERROR, PREFACE } from '../../../../src/surfaces/rls/h2/frames.ts';
import { type Frame, frameOf } from './frames-in.ts';

const SEED = 9_113;
const FRAME_BYTES_MAX = 16_384;

function read(chunks: readonly Buffer[]): Frame[] {
  const frames: Frame[] = [];
  const reader = new FrameReader({
    frame: (type, flags, streamId, bytes, from, to) =>
      frames.push({ type, flags, streamId, payload: Buffer.from(bytes.subarray(from, to)) }),
  });
  // Sockets give the next chunk where the last one was, or not.
  for (const chunk of chunks) {
    const lent = Buffer.from(chunk);
    reader.read(lent);
    lent.fill(0xee);
  }
  return frames;
}

function bytesOf(frames: readonly Frame[]): Buffer {
  return Buffer.concat([
    PREFACE,
    ...frames.map(({ type, flags, streamId, payload }) => frameOf(type, flags, streamId, payload)),
  ]);
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...chunks, bytes.subarray(at)];
}

const frame: fc.Arbitrary<Frame> = fc.record({
  type: fc.nat(255),
  flags: fc.nat(255),
  streamId: fc.nat(2 ** 31 - 1),
  payload: fc
    .oneof(fc.nat(40), fc.nat(40), fc.constantFrom(0, FRAME_BYTES_MAX - 1, FRAME_BYTES_MAX))
    .map((length) => Buffer.alloc(length, length)),
});

test('however it is cut', () => {
  const sizes = fc.array(fc.oneof(fc.nat(12), fc.nat(40), fc.nat(20_000)), { maxLength: 60 });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), sizes, (frames, cuts) => {
      expect(read(cut(bytesOf(frames), cuts))).toEqual(frames);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

test('byte by byte, the preface too', () => {
  const frames = [0, 1, 9, 300].map((length, index) => ({
    type: index,
    flags: 1,
    streamId: index,
    payload: Buffer.alloc(length, 7),
  }));
  const bytes = bytesOf(frames);
  expect(read(cut(bytes, new Array<number>(bytes.length).fill(1)))).toEqual(frames);
});

test('in two pieces, wherever they meet', () => {
  const frames = [Buffer.of(), Buffer.of(1), Buffer.alloc(20, 2)].map((payload) => ({
    type: 0,
    flags: 0,
    streamId: 1,
    payload,
  }));
  const bytes = bytesOf(frames);
  for (let at = 0; at <= bytes.length; at++) expect(read(cut(bytes, [at]))).toEqual(frames);
});

test('the first bit of a stream number is not read', () => {
  expect(read([Buffer.concat([PREFACE, frameOf(0, 0, 2 ** 31 + 5)])])[0]?.streamId).toBe(5);
});

describe('the connection ends', () => {
  function codeOf(chunks: readonly Buffer[]): number | undefined {
    try {
      read(chunks);
    } catch (error) {
      return (error as ConnectionError).code;
    }
    return undefined;
  }

  test('at a frame of 16,385 bytes as soon as its header has come, not at one of 16,384', () => {
    const largest = frameOf(0, 0, 1, Buffer.alloc(FRAME_BYTES_MAX));
    const tooLarge = frameOf(0, 0, 1, Buffer.alloc(FRAME_BYTES_MAX + 1)).subarray(0, 9);
    expect(codeOf([PREFACE, largest])).toBeUndefined();
    expect(codeOf([PREFACE, tooLarge])).toBe(ERROR.frameSize);
    expect(codeOf([PREFACE, tooLarge.subarray(0, 4), tooLarge.subarray(4, 8)])).toBeUndefined();
    expect(codeOf([PREFACE, tooLarge.subarray(0, 4), tooLarge.subarray(4)])).toBe(ERROR.frameSize);
  });

  test('at the first byte that is none of the preface', () => {
    for (let at = 0; at < PREFACE.length; at++) {
      const wrong = Buffer.from(PREFACE);
      wrong.writeUInt8(wrong.readUInt8(at) ^ 1, at);
      expect(codeOf(cut(wrong.subarray(0, at), new Array<number>(at).fill(1)))).toBeUndefined();
      expect(codeOf(cut(wrong.subarray(0, at + 1), new Array<number>(at).fill(1)))).toBe(ERROR.protocol);
    }
  });
});
