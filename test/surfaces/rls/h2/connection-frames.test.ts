/** What a client may not send ends what RFC 9113 says it ends, and nothing else. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { ERROR, FLAG, FRAME, PREFACE, SETTING } from '../../../../src/surfaces/rls/h2/frames.ts';
import { ConnectionUnderTest, type ConnectionUnderTestOptions, REQUEST } from './connection-under-test.ts';
import { blockOf, frameOf, settingsOf, uint32 } from './frames-in.ts';

const { endStream: END, endHeaders: WHOLE, padded: PADDED, priority: PRIORITY } = FLAG;
const BLOCK = blockOf(REQUEST);
const opened: ConnectionUnderTest[] = [];

afterEach(() => {
  for (const { client } of opened.splice(0)) client.destroy();
});

async function open(options?: ConnectionUnderTestOptions): Promise<ConnectionUnderTest> {
  const wire = await ConnectionUnderTest.open(options);
  opened.push(wire);
  return wire;
}

/** After stream 1 was opened and reset by the client, 3 is open, 5 has asked to its end; 7 and beyond are idle. */
async function inUse(): Promise<ConnectionUnderTest> {
  const wire = await open();
  wire.request(1);
  wire.send(FRAME.rstStream, 0, 1, uint32(ERROR.cancel));
  wire.request(3);
  wire.request(5, END);
  return wire;
}

type Row = [what: string, type: number, flags: number, streamId: number, payload: Buffer];

describe('the connection ends', () => {
  const { protocol, frameSize, flowControl, streamClosed } = ERROR;
  test.each<[...Row, code: number]>([
    ['DATA of no stream', FRAME.data, 0, 0, Buffer.of(1), protocol],
    ['DATA of an idle stream', FRAME.data, 0, 7, Buffer.of(1), protocol],
    ['DATA of a stream that would be ours', FRAME.data, 0, 2, Buffer.of(1), protocol],
    ['DATA with padding, but not even its length', FRAME.data, PADDED, 3, Buffer.of(), protocol],
    ['DATA with more padding than bytes', FRAME.data, PADDED, 3, Buffer.of(1), protocol],
    ['HEADERS of no stream', FRAME.headers, WHOLE, 0, BLOCK, protocol],
    ['HEADERS of a stream that would be ours', FRAME.headers, WHOLE, 8, BLOCK, protocol],
    ['HEADERS with padding, but not even its length', FRAME.headers, WHOLE | PADDED, 7, Buffer.of(), protocol],
    ['HEADERS with more padding than bytes', FRAME.headers, WHOLE | PADDED, 7, Buffer.of(1), protocol],
    ['HEADERS with less than a priority', FRAME.headers, WHOLE | PRIORITY, 7, Buffer.alloc(4), frameSize],
    ['HEADERS that depend on themselves', FRAME.headers, PRIORITY, 7, Buffer.of(0, 0, 0, 7, 0), protocol],
    ['HEADERS of a stream that the client has reset', FRAME.headers, WHOLE | END, 1, BLOCK, streamClosed],
    ['CONTINUATION of nothing', FRAME.continuation, WHOLE, 3, BLOCK, protocol],
    ['PRIORITY of no stream', FRAME.priority, 0, 0, Buffer.alloc(5), protocol],
    ['PRIORITY of a wrong length', FRAME.priority, 0, 7, Buffer.alloc(4), frameSize],
    ['PRIORITY of a wrong length, too long', FRAME.priority, 0, 7, Buffer.alloc(6), frameSize],
    ['PRIORITY of a stream that depends on itself', FRAME.priority, 0, 7, Buffer.of(0, 0, 0, 7, 0), protocol],
    ['RST_STREAM of no stream', FRAME.rstStream, 0, 0, uint32(0), protocol],
    ['RST_STREAM of an idle stream', FRAME.rstStream, 0, 7, uint32(0), protocol],
    ['RST_STREAM of a stream that would be ours', FRAME.rstStream, 0, 2, uint32(0), protocol],
    ['RST_STREAM of a wrong length', FRAME.rstStream, 0, 3, Buffer.alloc(3), frameSize],
    ['SETTINGS of a stream', FRAME.settings, 0, 3, Buffer.of(), protocol],
    ['SETTINGS that acknowledge and ask', FRAME.settings, FLAG.ack, 0, Buffer.alloc(6), frameSize],
    ['SETTINGS of a broken length', FRAME.settings, 0, 0, Buffer.alloc(5), frameSize],
    ['PUSH_PROMISE', FRAME.pushPromise, WHOLE, 3, uint32(4), protocol],
    ['PING of a stream', FRAME.ping, 0, 3, Buffer.alloc(8), protocol],
    ['PING of a wrong length', FRAME.ping, 0, 0, Buffer.alloc(7), frameSize],
    ['GOAWAY of a stream', FRAME.goaway, 0, 3, Buffer.alloc(8), protocol],
    ['GOAWAY of a wrong length', FRAME.goaway, 0, 0, Buffer.alloc(7), frameSize],
    ['WINDOW_UPDATE of a wrong length', FRAME.windowUpdate, 0, 0, Buffer.alloc(5), frameSize],
    ['WINDOW_UPDATE of nothing', FRAME.windowUpdate, 0, 0, uint32(0), protocol],
    ['WINDOW_UPDATE of an idle stream', FRAME.windowUpdate, 0, 7, uint32(1), protocol],
    ['WINDOW_UPDATE of a stream that would be ours', FRAME.windowUpdate, 0, 2, uint32(1), protocol],
    ['WINDOW_UPDATE beyond all windows', FRAME.windowUpdate, 0, 0, uint32(2 ** 31 - 65_535), flowControl],
    ['a frame beyond 16,384 bytes', 0xff, 0, 0, Buffer.alloc(16_385), frameSize],
    ['a header block that HPACK cannot read', FRAME.headers, WHOLE, 7, Buffer.of(0x80), ERROR.compression],
  ])('for %s', async (_what, type, flags, streamId, payload, code) => {
    const wire = await inUse();
    wire.send(type, flags, streamId, payload);
    await wire.closed;
    expect(wire.goaways()).toEqual([code]);
    expect(wire.of(FRAME.goaway)[0]?.payload.readUInt32BE()).toBe(5);
    expect(wire.asked.map(({ abortedBy }) => abortedBy.length)).toEqual([1, 1, 1]);
    expect(wire.logged).toEqual([]);
  });

  test.each<[what: string, bytes: Buffer]>([
    ['no preface', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a preface without SETTINGS', Buffer.concat([PREFACE, frameOf(FRAME.ping, 0, 0, Buffer.alloc(8))])],
    [
      'a preface whose SETTINGS acknowledge',
      Buffer.concat([PREFACE, frameOf(FRAME.settings, FLAG.ack, 0), frameOf(FRAME.ping, 0, 0, Buffer.alloc(8))]),
    ],
  ])('for %s', async (_what, hello) => {
    const wire = await open({ hello });
    await wire.closed;
    expect(wire.goaways()).toEqual([protocol]);
  });

  test.each<Row>([
    ['another frame', FRAME.ping, 0, 0, Buffer.alloc(8)],
    ['a frame of an unknown type', 0xff, 0, 7, Buffer.of()],
    ['the CONTINUATION of another stream', FRAME.continuation, WHOLE, 9, Buffer.of()],
  ])('for a header block that is interrupted by %s', async (_what, type, flags, streamId, payload) => {
    const wire = await open();
    wire.send(FRAME.headers, END, 7, BLOCK);
    wire.send(type, flags, streamId, payload);
    await wire.closed;
    expect(wire.goaways()).toEqual([protocol]);
    expect(wire.asked).toEqual([]);
  });

  test('for SETTINGS that make a window larger than it may be', async () => {
    const wire = await inUse();
    wire.send(FRAME.windowUpdate, 0, 3, uint32(2 ** 31 - 1 - 65_535));
    await wire.settled();
    expect(wire.goaways()).toEqual([]);
    wire.send(FRAME.settings, 0, 0, settingsOf([SETTING.initialWindowSize, 65_536]));
    await wire.closed;
    expect(wire.goaways()).toEqual([flowControl]);
  });
});

describe('a stream alone ends', () => {
  const { protocol, flowControl, streamClosed } = ERROR;
  test.each<[...Row, code: number]>([
    ['DATA of a stream that the client has reset', FRAME.data, 0, 1, Buffer.of(1), streamClosed],
    ['DATA behind the end', FRAME.data, 0, 5, Buffer.of(1), streamClosed],
    ['HEADERS behind the end', FRAME.headers, WHOLE | END, 5, blockOf([['x', 'y']]), streamClosed],
    ['trailers that do not end it', FRAME.headers, WHOLE, 3, blockOf([['x', 'y']]), protocol],
    ['trailers with pseudo-header fields', FRAME.headers, WHOLE | END, 3, BLOCK, protocol],
    ['WINDOW_UPDATE of nothing', FRAME.windowUpdate, 0, 3, uint32(0), protocol],
    ['WINDOW_UPDATE beyond all windows', FRAME.windowUpdate, 0, 3, uint32(2 ** 31 - 65_535), flowControl],
    [
      'a request without the body that it announces',
      FRAME.headers,
      WHOLE | END,
      7,
      blockOf([...REQUEST, ['content-length', '1']]),
      protocol,
    ],
    ['a request without a path', FRAME.headers, WHOLE, 7, blockOf(REQUEST.slice(0, 2)), protocol],
  ])('for %s', async (_what, type, flags, streamId, payload, code) => {
    const wire = await inUse();
    wire.send(type, flags, streamId, payload);
    await wire.settled();
    expect(wire.resets(streamId)).toEqual([code]);
    expect(wire.of(FRAME.rstStream)).toHaveLength(1);
    expect(wire.goaways()).toEqual([]);
    const aborted = wire.asked.filter(({ abortedBy }) => abortedBy.length > 0).map(({ stream }) => stream.id);
    expect(aborted.filter((id) => id < 7)).toEqual(streamId < 7 ? [...new Set([1, streamId])] : [1]);
  });
});

describe('nothing happens', () => {
  test.each<Row>([
    ['for WINDOW_UPDATE of a stream that has ended', FRAME.windowUpdate, 0, 1, uint32(1)],
    ['for RST_STREAM of a stream that has ended', FRAME.rstStream, 0, 1, uint32(0)],
    ['for PRIORITY of whatever stream', FRAME.priority, 0, 9, Buffer.alloc(5)],
    ['for a frame of an unknown type', 0xff, 0xff, 3, Buffer.alloc(16_384)],
    ['for GOAWAY', FRAME.goaway, 0, 0, Buffer.alloc(8)],
    ['for a setting that nobody knows', FRAME.settings, 0, 0, settingsOf([0xff, 1])],
    ['for an acknowledgement of nothing', FRAME.ping, FLAG.ack, 0, Buffer.alloc(8)],
  ])('%s', async (_what, type, flags, streamId, payload) => {
    const wire = await inUse();
    wire.send(type, flags, streamId, payload);
    await wire.settled();
    expect(wire.of(FRAME.rstStream)).toEqual([]);
    expect(wire.goaways()).toEqual([]);
    expect(wire.asked.map(({ abortedBy }) => abortedBy.length)).toEqual([1, 0, 0]);
  });
});
