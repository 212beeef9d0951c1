/** What one connection may ask for: each bound is reached, and beyond it happens what bounds.ts says. */
import { afterEach, describe, expect, test } from '@jest/globals';
import {
  CONCURRENT_STREAMS_MAX,
  CONNECTION_WINDOW_BYTES,
  frameBudgets,
  HEADER_LIST_BYTES_MAX,
  HEADER_TABLE_BYTES_MAX,
  OPEN_REQUESTS_BYTES_MAX,
  RESETS_BURST_MAX,
  RESETS_PER_SECOND_MAX,
  SMALL_FRAMES_A_STREAM,
  STREAM_WINDOW_BYTES,
} from '../../../../src/surfaces/rls/h2/bounds.ts';
import type { Budget } from '../../../../src/surfaces/rls/h2/budget.ts';
import { ERROR, FLAG, FRAME, SETTING } from '../../../../src/surfaces/rls/h2/frames.ts';
import { ManualClock } from '../../../support/clock.ts';
import { ConnectionUnderTest, REQUEST } from './connection-under-test.ts';
import { blockOf, frameOf, settingsOf, uint32 } from './frames-in.ts';

const { endStream: END, endHeaders: WHOLE } = FLAG;
const opened: ConnectionUnderTest[] = [];

afterEach(() => {
  for (const { client } of opened.splice(0)) client.destroy();
});

async function open(): Promise<ConnectionUnderTest> {
  const wire = await ConnectionUnderTest.open();
  opened.push(wire);
  return wire;
}

/** As `count` frames, in one write. */
function flood(wire: ConnectionUnderTest, count: number, frame: (at: number) => Buffer): void {
  wire.client.write(Buffer.concat(Array.from({ length: count }, (_, at) => frame(at))));
}

test('the client is told of the bounds that it can keep to', async () => {
  const wire = await open();
  await wire.settled();
  expect(wire.of(FRAME.settings)[0]?.payload).toEqual(
    settingsOf(
      [SETTING.maxConcurrentStreams, CONCURRENT_STREAMS_MAX],
      [SETTING.maxHeaderListSize, HEADER_LIST_BYTES_MAX],
    ),
  );
  expect(wire.of(FRAME.windowUpdate)[0]?.payload).toEqual(uint32(CONNECTION_WINDOW_BYTES - STREAM_WINDOW_BYTES));
});

test(`${CONCURRENT_STREAMS_MAX} streams are open at once; beyond, they are refused until one has ended`, async () => {
  const wire = await open();
  const block = blockOf(REQUEST);
  flood(wire, CONCURRENT_STREAMS_MAX, (at) => frameOf(FRAME.headers, WHOLE, 2 * at + 1, block));
  await wire.settled();
  expect(wire.of(FRAME.rstStream)).toEqual([]);
  const next = 2 * CONCURRENT_STREAMS_MAX + 1;
  wire.request(next);
  // On its way when it was refused.
  wire.send(FRAME.data, END, next, Buffer.of(1));
  await wire.settled();
  expect(wire.resets(next)).toEqual([ERROR.refusedStream]);
  wire.send(FRAME.rstStream, 0, 1, uint32(ERROR.cancel));
  wire.request(next + 2);
  await wire.settled();
  expect(wire.resets(next + 2)).toEqual([]);
  expect(wire.goaways()).toEqual([]);
});

test('what a refused request has said of the table holds for those behind it', async () => {
  const wire = await open();
  wire.request(1);
  await wire.settled();
  wire.connection.close();
  const added = Buffer.concat([blockOf(REQUEST), Buffer.of(0x40, 1), Buffer.from('x'), Buffer.of(1), Buffer.from('y')]);
  wire.send(FRAME.headers, WHOLE | END, 3, added);
  // As trailers of the one that is still open: the newest of the table, or a COMPRESSION_ERROR.
  wire.send(FRAME.headers, WHOLE | END, 1, Buffer.of(0x80 | 62));
  await wire.settled();
  expect(wire.asked.map(({ isEnded }) => isEnded)).toEqual([true]);
  expect(wire.goaways()).toEqual([ERROR.none]);
});

describe('a header list', () => {
  /** Of exactly so many bytes, as RFC 9113 §6.5.2 counts. */
  function listOf(bytes: number): Buffer {
    const used = REQUEST.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
    return blockOf([...REQUEST, ['x', 'v'.repeat(bytes - used - 33)]]);
  }

  function send(wire: ConnectionUnderTest, streamId: number, flags: number, block: Buffer): void {
    for (let at = 0; at < block.length; at += 16_384) {
      const isLast = at + 16_384 >= block.length;
      const type = at === 0 ? FRAME.headers : FRAME.continuation;
      wire.send(type, (at === 0 ? flags : 0) | (isLast ? WHOLE : 0), streamId, block.subarray(at, at + 16_384));
    }
  }

  test(`of ${HEADER_LIST_BYTES_MAX} bytes is served; one byte more is answered by 431, and the connection goes on`, async () => {
    const wire = await open();
    send(wire, 1, END, listOf(HEADER_LIST_BYTES_MAX));
    send(wire, 3, END, listOf(HEADER_LIST_BYTES_MAX + 1));
    send(wire, 5, 0, listOf(HEADER_LIST_BYTES_MAX + 1));
    await wire.settled();
    expect(wire.asked.map(({ stream }) => stream.id)).toEqual([1]);
    const answers = wire.of(FRAME.headers);
    expect(answers.map(({ streamId, flags }) => [streamId, flags])).toEqual([
      [3, WHOLE | END],
      [5, WHOLE | END],
    ]);
    for (const { payload } of answers) expect(wire.fields(payload)).toEqual([[':status', '431']]);
    expect([wire.resets(3), wire.resets(5)]).toEqual([[], [ERROR.none]]);
    expect(wire.goaways()).toEqual([]);
  });
});

test(`heads of ${OPEN_REQUESTS_BYTES_MAX} bytes are kept until they are answered, however short they came`, async () => {
  const wire = await open();
  // A field of 4,000 bytes in the table, and fifteen times its index: 24 bytes that become 60 KiB.
  const long = Buffer.concat([
    Buffer.of(0x40, 1),
    Buffer.from('x'),
    Buffer.of(0x7f, 0xa1, 0x1e),
    Buffer.alloc(4_000, 'v'),
  ]);
  wire.send(FRAME.headers, WHOLE | END, 1, Buffer.concat([blockOf(REQUEST), long]));
  wire.send(FRAME.rstStream, 0, 1, uint32(ERROR.cancel));
  const block = Buffer.concat([blockOf(REQUEST), Buffer.alloc(15, 0x80 | 62)]);
  const listBytes = REQUEST.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 15 * 4_033);
  const fit = Math.floor(OPEN_REQUESTS_BYTES_MAX / listBytes);
  flood(wire, fit, (at) => frameOf(FRAME.headers, WHOLE, 2 * at + 3, block));
  await wire.settled();
  expect(wire.of(FRAME.rstStream)).toEqual([]);
  expect(wire.asked).toHaveLength(fit + 1);
  wire.send(FRAME.headers, WHOLE, 2 * fit + 3, block);
  await wire.settled();
  expect(wire.resets(2 * fit + 3)).toEqual([ERROR.enhanceYourCalm]);
  expect(wire.asked).toHaveLength(fit + 1);
});

describe('the table that clients may fill', () => {
  const sizeUpdate = (bytes: number): Buffer => Buffer.of(0x3f, 0x80 | ((bytes - 31) & 0x7f), (bytes - 31) >> 7);

  test(`has ${HEADER_TABLE_BYTES_MAX} bytes; one more is a COMPRESSION_ERROR`, async () => {
    const wire = await open();
    const block = blockOf(REQUEST);
    wire.send(FRAME.headers, WHOLE, 1, Buffer.concat([sizeUpdate(HEADER_TABLE_BYTES_MAX), block]));
    await wire.settled();
    expect(wire.asked).toHaveLength(1);
    wire.send(FRAME.headers, WHOLE, 3, Buffer.concat([sizeUpdate(HEADER_TABLE_BYTES_MAX + 1), block]));
    await wire.closed;
    expect(wire.goaways()).toEqual([ERROR.compression]);
  });
});

describe('frames beyond a budget end the connection, and every call on it', () => {
  const budgets = frameBudgets(new ManualClock());
  const sizeOf = (budget: Budget): number => {
    for (let count = 0; ; count++) if (!budget.spend()) return count;
  };
  const [resets, settings, small] = [sizeOf(budgets.resets), sizeOf(budgets.settings), sizeOf(budgets.small)];

  test('they are as large as bounds.ts says', () => {
    expect([resets, settings, small]).toEqual([RESETS_BURST_MAX, 1_000, 100_000]);
    expect(RESETS_BURST_MAX).toBe(4 * CONCURRENT_STREAMS_MAX);
    expect(RESETS_PER_SECOND_MAX).toBe(3_000);
  });

  // Stream 1 is open; what `settled` and the preface spend is counted by `spent`.
  test.each<[what: string, budget: number, spent: number, frame: (at: number) => Buffer]>([
    ['RST_STREAM', resets, 0, () => frameOf(FRAME.rstStream, 0, 3, uint32(ERROR.cancel))],
    ['resets that a client provokes', resets, 0, () => frameOf(FRAME.windowUpdate, 0, 5, uint32(0))],
    ['SETTINGS', settings, 1, () => frameOf(FRAME.settings, 0, 0)],
    ['acknowledgements of SETTINGS', settings, 1, () => frameOf(FRAME.settings, FLAG.ack, 0)],
    ['PING', small, 1, () => frameOf(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8))],
    ['PRIORITY', small, 1, () => frameOf(FRAME.priority, 0, 9, Buffer.alloc(5))],
    ['WINDOW_UPDATE', small, 1, () => frameOf(FRAME.windowUpdate, 0, 0, uint32(1))],
    ['GOAWAY', small, 1, () => frameOf(FRAME.goaway, 0, 0, Buffer.alloc(8))],
    ['unknown frames', small, 1, () => frameOf(0xff, 0, 0)],
  ])('%s', async (_what, budget, spent, frame) => {
    const wire = await open();
    wire.request(1);
    wire.request(3);
    wire.request(5, END);
    flood(wire, budget - spent, frame);
    await wire.settled();
    expect(wire.goaways()).toEqual([]);
    flood(wire, 1, frame);
    await wire.closed;
    expect(wire.goaways()).toEqual([ERROR.enhanceYourCalm]);
    expect(wire.asked.map(({ abortedBy }) => abortedBy.length)).toEqual([1, 1, 1]);
  });

  test('empty DATA', async () => {
    const wire = await open();
    const perStream = 8_000;
    const streams = Math.ceil(small / perStream);
    for (let at = 0; at < streams; at++) wire.request(2 * at + 1);
    flood(wire, small - 1, (at) => frameOf(FRAME.data, 0, 2 * Math.floor(at / perStream) + 1));
    await wire.settled();
    expect(wire.goaways()).toEqual([]);
    wire.send(FRAME.data, 0, 2 * streams - 1);
    await wire.closed;
    expect(wire.goaways()).toEqual([ERROR.enhanceYourCalm]);
  });

  test(`each stream brings ${SMALL_FRAMES_A_STREAM} small frames more`, async () => {
    const wire = await open();
    const ping = (): Buffer => frameOf(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8));
    flood(wire, small, ping);
    wire.request(1);
    // One of them is the PING of `settled`.
    flood(wire, SMALL_FRAMES_A_STREAM - 1, ping);
    await wire.settled();
    expect(wire.goaways()).toEqual([]);
    flood(wire, 1, ping);
    await wire.closed;
    expect(wire.goaways()).toEqual([ERROR.enhanceYourCalm]);
  });

  test('so many resets a second are had for ever', async () => {
    const wire = await open();
    wire.request(1);
    const reset = (): Buffer => frameOf(FRAME.rstStream, 0, 1, uint32(ERROR.cancel));
    flood(wire, RESETS_BURST_MAX, reset);
    await wire.settled();
    for (let second = 0; second < 3; second++) {
      wire.clock.advance(1_000);
      flood(wire, RESETS_PER_SECOND_MAX, reset);
      await wire.settled();
    }
    expect(wire.goaways()).toEqual([]);
    flood(wire, 1, reset);
    await wire.closed;
    expect(wire.goaways()).toEqual([ERROR.enhanceYourCalm]);
  });
});

describe(`of ${CONCURRENT_STREAMS_MAX} streams that were reset here, it is known what was on its way`, () => {
  test('their trailers are no mistake; those of the one before are', async () => {
    const wire = await open();
    const block = blockOf(REQUEST.slice(0, 2));
    flood(wire, CONCURRENT_STREAMS_MAX + 1, (at) => frameOf(FRAME.headers, WHOLE, 2 * at + 1, block));
    const trailers = blockOf([['x', 'y']]);
    flood(wire, CONCURRENT_STREAMS_MAX, (at) => frameOf(FRAME.headers, WHOLE | END, 2 * at + 3, trailers));
    await wire.settled();
    expect(wire.goaways()).toEqual([]);
    wire.send(FRAME.headers, WHOLE | END, 1, trailers);
    await wire.closed;
    expect(wire.goaways()).toEqual([ERROR.streamClosed]);
  });
});
