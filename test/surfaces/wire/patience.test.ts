/** Peers that are slow: with their bytes, with their windows, with reading. They are waited for, others are not held up. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '../../support/children.ts';
import { encoded, frame as message } from '../../support/clients-grpc.ts';
import { ManualClock, settled } from '../../support/clock.ts';
import { GrpcPort } from '../../support/grpc-port.ts';
import {
  dataFrames,
  frameBytes,
  PREFACE,
  ping,
  SETTING,
  settingsBytes,
  windowUpdate,
} from '../../support/http2-frames.ts';
import { Http2Peer, head, type PeerAnswer, QUESTION_BYTES } from '../../support/http2-peer.ts';
import { TRANSPORTS } from '../../support/transports.ts';

const RLS_NAME = 'envoy.service.ratelimit.v3.RateLimitService';
const WINDOW_BYTES_MAX = 2 ** 31 - 1;
const WINDOW_BYTES_INITIAL = 65_535;
// Of time that passes at each look: much faster than it does, and still many looks within the bound of 20 s.
const PASSING_MILLIS = 100;
// Each answered with several KiB.
const LONG_QUESTION = message(
  encoded({
    domain: 'closient',
    descriptors: Array.from({ length: 300 }, (_, index) => ({
      entries: [{ key: 'api_key', value: `k${index}` }],
      hitsAddend: 0n,
    })),
  }),
);
// Of a connection without a call that moves, as server.ts has it.
const IDLE_MILLIS = 600_000;
const NARROW_BYTES = 16;
// More than an answer needs at that width.
const FRAMES_MAX = 1_000;
const REFLECTION_PATH = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
/** By its field 4, file_containing_symbol: answered with files of 4 KB. */
const REFLECTION_QUESTION = message(Buffer.concat([Buffer.from([0x22, RLS_NAME.length]), Buffer.from(RLS_NAME)]));
// Their answers are more than two sockets hold; they themselves go into one DATA frame.
const UNREAD_ANSWERS = 250;

describe.each(TRANSPORTS)('%s:', (transport) => {
  let clock: ManualClock;
  let port: GrpcPort;
  let peer: Http2Peer;

  beforeEach(async () => {
    clock = new ManualClock();
    port = await GrpcPort.start({ transport, clock });
  });

  afterEach(async () => {
    peer.close();
    await port.stop(0);
  });

  function ask(stream: number): Promise<PeerAnswer> {
    peer.call(stream);
    return peer.answer(stream);
  }

  test('a peer that sends byte by byte is answered', async () => {
    // An acknowledgement would come between two bytes of something else.
    peer = await Http2Peer.connect(port.port, { acknowledgesSettings: false });
    for (const byte of Buffer.concat([PREFACE, settingsBytes([]), head(1), dataFrames(1, QUESTION_BYTES)])) {
      await peer.sendAll(Buffer.from([byte]));
      await settled();
    }
    expect(await peer.answer(1)).toMatchObject({ ended: 'answered', trailers: { 'grpc-status': '0' } });
  });

  test('a peer that sends everything in one write is answered', async () => {
    peer = await Http2Peer.connect(port.port);
    const calls = Array.from({ length: 100 }, (_, call) => [
      head(2 * call + 1),
      dataFrames(2 * call + 1, QUESTION_BYTES),
    ]);
    peer.send(PREFACE, settingsBytes([]), ...calls.flat());
    const answers = await Promise.all(calls.map((_, call) => peer.answer(2 * call + 1)));
    expect(answers.filter(({ trailers }) => trailers['grpc-status'] === '0')).toHaveLength(100);
  });

  test('a peer that never acknowledges the settings is answered', async () => {
    peer = await Http2Peer.open(port.port, { acknowledgesSettings: false });
    for (let stream = 1; stream < 20; stream += 2) {
      expect(await ask(stream)).toMatchObject({ ended: 'answered', trailers: { 'grpc-status': '0' } });
    }
  });

  test('a peer that takes larger frames than others, or other bounds, is answered', async () => {
    peer = await Http2Peer.open(port.port, {
      settings: [
        [SETTING.HEADER_TABLE_SIZE, 0],
        [SETTING.ENABLE_PUSH, 0],
        [SETTING.MAX_CONCURRENT_STREAMS, 0],
        [SETTING.MAX_FRAME_SIZE, 2 ** 24 - 1],
        [SETTING.MAX_HEADER_LIST_SIZE, 1_000],
        [0xabcd, 7],
      ],
    });
    expect(await ask(1)).toMatchObject({ ended: 'answered', trailers: { 'grpc-status': '0' } });
    peer.send(settingsBytes([[SETTING.HEADER_TABLE_SIZE, 2 ** 32 - 1]]));
    for (let stream = 3; stream < 20; stream += 2) {
      expect(await ask(stream)).toMatchObject({ ended: 'answered', trailers: { 'grpc-status': '0' } });
    }
  });

  describe('a peer without a window', () => {
    test('is sent no byte of a message until it has one, and then so many', async () => {
      peer = await Http2Peer.open(port.port, { settings: [[SETTING.INITIAL_WINDOW_SIZE, 0]] });
      for (const stream of [1, 3, 5]) peer.call(stream);
      await until('the heads are there', () => peer.counts.get('HEADERS') === 3);
      peer.send(ping());
      await peer.frame('PING');
      expect(peer.counts.get('DATA')).toBeUndefined();
      peer.send(windowUpdate(3, WINDOW_BYTES_INITIAL));
      expect(await peer.answer(3)).toMatchObject({ ended: 'answered', trailers: { 'grpc-status': '0' } });
      expect(peer.answered).toEqual([3]);
      peer.send(settingsBytes([[SETTING.INITIAL_WINDOW_SIZE, 10]]));
      await until('both have begun', () => (peer.counts.get('DATA') ?? 0) >= 3);
      peer.send(settingsBytes([[SETTING.INITIAL_WINDOW_SIZE, WINDOW_BYTES_INITIAL]]));
      await Promise.all([peer.answer(1), peer.answer(5)]);
      expect(peer.answered).toHaveLength(3);
    });

    test('of the connection has its streams wait for it, and calls beside it do not', async () => {
      peer = await Http2Peer.open(port.port);
      const long = async (stream: number): Promise<PeerAnswer> => {
        peer.send(head(stream), dataFrames(stream, LONG_QUESTION));
        return peer.answer(stream);
      };
      const answers = Array.from({ length: 20 }, (_, call) => long(2 * call + 1));
      let ended = 0;
      for (const answer of answers) void answer.then(() => (ended += 1));
      const other = await Http2Peer.open(port.port);
      other.call(1);
      expect(await other.answer(1)).toMatchObject({ trailers: { 'grpc-status': '0' } });
      other.close();
      expect(ended).toBeLessThan(20);
      peer.send(windowUpdate(0, 20 * LONG_QUESTION.length * 4));
      for (const answer of answers) expect(await answer).toMatchObject({ trailers: { 'grpc-status': '0' } });
    });

    test('that is a few bytes wide at a time gets its answer, too', async () => {
      peer = await Http2Peer.open(port.port, { settings: [[SETTING.INITIAL_WINDOW_SIZE, 1]] });
      peer.call(1);
      let isAnswered = false;
      void peer.answer(1).then(() => {
        isAnswered = true;
      });
      for (let frames = 1; !isAnswered && frames < FRAMES_MAX; frames += 1) {
        await until('the next bytes', () => isAnswered || (peer.counts.get('DATA') ?? 0) >= frames);
        peer.send(windowUpdate(1, NARROW_BYTES));
      }
      const { body, trailers } = await peer.answer(1);
      expect(trailers).toEqual({ 'grpc-status': '0' });
      expect(body.readUInt32BE(1)).toBe(body.length - 5);
    });
  });

  // Node counts the idle time by a timer of its own.
  const testByClock = transport === 'node' ? test.skip : test;

  testByClock('a call that stops in the middle is not waited for beyond the idle time', async () => {
    peer = await Http2Peer.open(port.port);
    peer.send(head(1), frameBytes('DATA', 0, 1, QUESTION_BYTES.subarray(0, 9)), ping());
    await peer.frame('PING');
    clock.advance(IDLE_MILLIS - 1_000);
    expect(peer.goaway).toBeUndefined();
    let isGone = false;
    void peer.closed.then(() => {
      isGone = true;
    });
    await until('it is ended', () => {
      clock.advance(PASSING_MILLIS);
      return isGone;
    });
    expect(peer.goaway).toBe('NO_ERROR');
  });

  test('a peer that asks and never reads is given up in time, and holds up nobody meanwhile', async () => {
    // A socket of this machine, which holds less than one of TCP.
    const folder = mkdtempSync(join(tmpdir(), 'headroom-unread-'));
    const path = join(folder, 'socket');
    const local = await GrpcPort.start({ transport, clock, config: { listen: { path } } });
    peer = await Http2Peer.open(path, { settings: [[SETTING.INITIAL_WINDOW_SIZE, WINDOW_BYTES_MAX]] });
    peer.send(windowUpdate(0, WINDOW_BYTES_MAX - WINDOW_BYTES_INITIAL));
    peer.stopReading();
    let isGone = false;
    void peer.closed.then(() => {
      isGone = true;
    });
    const asked = Buffer.concat(Array.from({ length: UNREAD_ANSWERS }, () => REFLECTION_QUESTION));
    peer.send(head(1, { ':path': REFLECTION_PATH }), frameBytes('DATA', 0, 1, asked));
    const other = await Http2Peer.open(path);
    other.call(1);
    expect(await other.answer(1)).toMatchObject({ trailers: { 'grpc-status': '0' } });
    // Time passes for it alone: all others have been answered.
    await until('it is given up', () => {
      clock.advance(PASSING_MILLIS);
      peer.send(ping());
      return isGone;
    });
    other.call(3);
    expect(await other.answer(3)).toMatchObject({ trailers: { 'grpc-status': '0' } });
    other.close();
    await local.stop(0);
    rmSync(folder, { recursive: true });
  });
});
