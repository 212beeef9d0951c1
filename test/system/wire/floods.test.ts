/** Peers that send what costs them nothing, as fast as they can: they are ended or answered, and cost no more than a bound. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  ACK,
  dataFrames,
  END_STREAM,
  FRAME_BYTES_MAX,
  frameBytes,
  headerBlock,
  headersFrames,
  ping,
  reset,
  SETTING,
  settingsBytes,
  windowUpdate,
} from '../../support/http2-frames.ts';
import { callFields, Http2Peer, head, QUESTION_BYTES } from '../../support/http2-peer.ts';
import { residentMib } from '../../support/memory.ts';
import { TestService } from '../../support/service.ts';
import { TRANSPORTS, type Transport, transportEnv } from '../../support/transports.ts';

// One connection of Node's may hold 64 MiB as it counts them, of which its heap takes several times as much.
const GROWTH_MIB_MAX: Readonly<Record<Transport, number>> = { lean: 200, node: 800 };
// So long a flood may last until it is ended or answered, and so long another caller may wait, on a busy machine.
const FLOOD_MILLIS_MAX = 30_000;
const INNOCENT_MILLIS_MAX = 30_000;
const FRAMES = 40_000;
// More than a connection may reset at once: 16,384.
const RESETS = 17_000;
// More than a connection may have open: 4,096.
const CALLS = 5_000;
const BLOCK = headerBlock(callFields());

function times(count: number, frame: (index: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, index) => frame(index)));
}

const FLOODS: readonly (readonly [what: string, bytes: () => Buffer])[] = [
  [
    'calls that are reset',
    () => times(RESETS, (call) => Buffer.concat([head(2 * call + 1), reset(2 * call + 1, 'CANCEL')])),
  ],
  [
    'calls that end before they begin',
    () => times(CALLS, (call) => headersFrames(2 * call + 1, headerBlock({ ':method': 'POST' }), END_STREAM)),
  ],
  ['half of a call, again and again', () => times(CALLS, (call) => head(2 * call + 1))],
  ['PING', () => times(FRAMES, () => ping())],
  ['PING that claims to answer one', () => times(FRAMES, () => frameBytes('PING', ACK, 0, Buffer.alloc(8)))],
  ['SETTINGS', () => times(FRAMES, () => settingsBytes([[SETTING.INITIAL_WINDOW_SIZE, 65_535]]))],
  [
    'SETTINGS with a thousand values',
    () => times(100, () => settingsBytes(Array.from({ length: 1_000 }, () => [SETTING.HEADER_TABLE_SIZE, 0]))),
  ],
  ['SETTINGS that claim to be acknowledged', () => times(FRAMES, () => frameBytes('SETTINGS', ACK, 0))],
  [
    'PRIORITY',
    () => times(FRAMES, (frame) => frameBytes('PRIORITY', 0, 2 * frame + 1, Buffer.from('0000000000', 'hex'))),
  ],
  ['frames of a type that does not exist', () => times(FRAMES, () => unknownFrame())],
  ['empty DATA', () => Buffer.concat([head(1), times(FRAMES, () => frameBytes('DATA', 0, 1))])],
  [
    'DATA that is all padding',
    () =>
      Buffer.concat([
        head(1),
        times(200, () => frameBytes('DATA', 0x8, 1, Buffer.concat([Buffer.from([255]), Buffer.alloc(255)]))),
      ]),
  ],
  [
    'DATA beyond the window',
    () =>
      Buffer.concat([
        head(1),
        frameBytes('DATA', 0, 1, prefixOf(4_000_000)),
        times(300, () => frameBytes('DATA', 0, 1, Buffer.alloc(FRAME_BYTES_MAX))),
      ]),
  ],
  [
    'DATA on a stream that has ended',
    () =>
      Buffer.concat([
        head(1),
        dataFrames(1, QUESTION_BYTES),
        times(FRAMES, () => frameBytes('DATA', 0, 1, Buffer.alloc(10))),
      ]),
  ],
  [
    'trailers, again and again',
    () => Buffer.concat([head(1), times(FRAMES, () => headersFrames(1, headerBlock({ x: 'y' })))]),
  ],
  [
    'empty CONTINUATION',
    () => Buffer.concat([frameBytes('HEADERS', 0, 1, BLOCK), times(FRAMES, () => frameBytes('CONTINUATION', 0, 1))]),
  ],
  [
    'CONTINUATION without an end',
    () =>
      Buffer.concat([
        frameBytes('HEADERS', 0, 1, BLOCK),
        times(1_000, () => frameBytes('CONTINUATION', 0, 1, literalsOf(FRAME_BYTES_MAX))),
      ]),
  ],
  ['one field, referred to a million times', () => bomb()],
  ['WINDOW_UPDATE of its connection', () => times(FRAMES, () => windowUpdate(0, 1))],
  ['WINDOW_UPDATE of a stream', () => Buffer.concat([head(1), times(FRAMES, () => windowUpdate(1, 1))])],
  [
    'WINDOW_UPDATE of streams that are no more',
    () => Buffer.concat([head(1), dataFrames(1, QUESTION_BYTES), times(FRAMES, () => windowUpdate(1, 1))]),
  ],
  [
    'windows that shrink and grow under a thousand calls',
    () =>
      Buffer.concat([
        settingsBytes([[SETTING.INITIAL_WINDOW_SIZE, 0]]),
        times(1_000, (call) => Buffer.concat([head(2 * call + 1), dataFrames(2 * call + 1, QUESTION_BYTES)])),
        times(1_000, (frame) => settingsBytes([[SETTING.INITIAL_WINDOW_SIZE, frame % 2]])),
      ]),
  ],
  ['GOAWAY', () => times(FRAMES, () => frameBytes('GOAWAY', 0, 0, Buffer.alloc(8)))],
  ['noise', () => Buffer.alloc(1_000_000, 0xa5)],
];

describe.each(TRANSPORTS)('%s:', (transport) => {
  let service: TestService;
  let residentAtFirst: number;

  beforeAll(async () => {
    service = await TestService.start({ ...transportEnv(transport), DRAIN_TIMEOUT: '1s' });
    for (let connection = 0; connection < 20; connection += 1) await expectInnocent();
    residentAtFirst = residentMib(service.child.pid as number);
  }, 30_000);

  afterAll(() => service?.stop());

  async function expectInnocent(): Promise<void> {
    const peer = await Http2Peer.open(service.grpcPort);
    peer.call(1);
    const { ended, trailers } = await peer.answer(1);
    peer.close();
    expect([ended, trailers['grpc-status']]).toEqual(['answered', '0']);
  }

  test.each(FLOODS)(
    '%s',
    async (what, bytes) => {
      const peer = await Http2Peer.open(service.grpcPort);
      const startedAt = performance.now();
      const flooded = flood(peer, bytes());
      await expectInnocent();
      expect(performance.now() - startedAt).toBeLessThan(INNOCENT_MILLIS_MAX);
      const how = await Promise.race([flooded, peer.closed.then(() => 'closed' as const), late(FLOOD_MILLIS_MAX)]);
      expect(how).not.toBe('late');
      // Its reason is said, if it is said at all.
      if (what !== 'GOAWAY') expect(peer.goaway).not.toBe('NO_ERROR');
      peer.close();
      await expectInnocent();
      expect(residentMib(service.child.pid as number) - residentAtFirst).toBeLessThan(GROWTH_MIB_MAX[transport]);
    },
    60_000,
  );

  test('answers that are not read hold no more than a bound, however many are asked for', async () => {
    const peer = await Http2Peer.open(service.grpcPort, { settings: [[SETTING.INITIAL_WINDOW_SIZE, 2 ** 31 - 1]] });
    peer.send(windowUpdate(0, 2 ** 31 - 65_536));
    peer.stopReading();
    void flood(
      peer,
      times(CALLS, (call) => Buffer.concat([head(2 * call + 1), dataFrames(2 * call + 1, QUESTION_BYTES)])),
    );
    for (let look = 0; look < 10; look += 1) {
      await expectInnocent();
      expect(residentMib(service.child.pid as number) - residentAtFirst).toBeLessThan(GROWTH_MIB_MAX[transport]);
    }
    peer.close();
    await expectInnocent();
  }, 60_000);

  test('half of a call on each of many connections costs no more than a bound, and all others are answered', async () => {
    const peers = await Promise.all(Array.from({ length: 200 }, () => Http2Peer.open(service.grpcPort)));
    // As much as may be sent of a message before it is read.
    for (const peer of peers)
      peer.send(
        head(1),
        frameBytes('DATA', 0, 1, prefixOf(4_000_000)),
        times(3, () => frameBytes('DATA', 0, 1, Buffer.alloc(FRAME_BYTES_MAX))),
      );
    await expectInnocent();
    expect(residentMib(service.child.pid as number) - residentAtFirst).toBeLessThan(GROWTH_MIB_MAX[transport]);
    for (const peer of peers) peer.close();
    await expectInnocent();
  }, 60_000);
});

/** Settles when all is sent and what comes behind it was answered. */
async function flood(peer: Http2Peer, bytes: Buffer): Promise<'answered'> {
  await peer.sendAll(bytes);
  const last = 'the last';
  peer.send(ping(last));
  for (;;) {
    const frame = await peer.frame('PING').catch(() => undefined);
    // The connection ends.
    if (frame === undefined) return new Promise(() => undefined);
    if (frame.payload.toString() === last) return 'answered';
  }
}

function late(millis: number): Promise<'late'> {
  return new Promise((resolve) => {
    setTimeout(() => resolve('late'), millis).unref();
  });
}

function unknownFrame(): Buffer {
  const frame = frameBytes('PING', 0xff, 0, Buffer.alloc(100));
  frame.writeUInt8(0xbe, 3);
  return frame;
}

function prefixOf(messageBytes: number): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(messageBytes, 1);
  return prefix;
}

/** A part of a block that is made of whole fields. */
function literalsOf(bytes: number): Buffer {
  const field = headerBlock({ 'x-field': 'value' });
  return Buffer.concat(Array.from({ length: Math.floor(bytes / field.length) }, () => field));
}

/** RFC 7541 §7.3: 4 KB that go into the dynamic table, and one byte for each time that they are meant again. */
function bomb(): Buffer {
  const field = headerBlock({ x: 'v'.repeat(4_000) });
  // With incremental indexing.
  field.writeUInt8(0x40, 0);
  const block = Buffer.concat([BLOCK, field, Buffer.alloc(1_000_000, 0xbe)]);
  return Buffer.concat([headersFrames(1, block), frameBytes('DATA', END_STREAM, 1, QUESTION_BYTES)]);
}
