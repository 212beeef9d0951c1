/** Broken HTTP/2 made at random from a seed: recordings of good connections that are bent, and frames of any kind. */
import { connect } from 'node:net';
import {
  dataFrames,
  END_HEADERS,
  END_STREAM,
  FRAME_TYPES,
  frameBytes,
  headerBlock,
  headersFrames,
  PADDED,
  PREFACE,
  ping,
  reset,
  SETTING,
  settingsBytes,
  windowUpdate,
  withPadding,
} from './http2-frames.ts';
import { callFields, Http2Peer, head, QUESTION_BYTES } from './http2-peer.ts';

export interface FuzzReport {
  readonly connections: number;
  /** The seeds of those that were still open when nothing could be waited for. */
  readonly hung: readonly number[];
}

// At once: more would only wait for one another.
const BATCH = 16;
// Between the end of what is sent and the end of the connection, on a busy machine.
const HUNG_MILLIS = 10_000;

/**
 * Broken connections to a server on this machine for so long, and a good call after each batch. The connection of one
 * seed is always the same.
 * @throws when a good call is not answered
 */
export async function fuzz(port: number, seed: number, millis: number): Promise<FuzzReport> {
  const hung: number[] = [];
  const until = performance.now() + millis;
  let next = seed;
  while (performance.now() < until) {
    const seeds = Array.from({ length: BATCH }, (_, index) => next + index);
    next += BATCH;
    const ends = await Promise.all(seeds.map((each) => sendBroken(port, each)));
    hung.push(...seeds.filter((_, index) => ends[index] === 'hung'));
    await expectAnswer(port, next);
  }
  return { connections: next - seed, hung };
}

async function expectAnswer(port: number, seed: number): Promise<void> {
  const peer = await Http2Peer.open(port);
  peer.call(1);
  const { ended, trailers } = await peer.answer(1);
  peer.close();
  if (trailers['grpc-status'] !== '0') throw new Error(`a good call was not answered but ${ended} before seed ${seed}`);
}

/** From 0 to 1, never 1: the same row for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const BLOCK = headerBlock(callFields());
/** As real clients encode them: from the static table, into the dynamic one and from there, with Huffman's code. */
const BLOCKS = [
  BLOCK,
  // :method POST, :scheme http, content-type by name from the table with incremental indexing, and then by its new index.
  Buffer.concat([Buffer.from('83865f10', 'hex'), Buffer.from('application/grpc'), Buffer.from('be', 'hex')]),
  // RFC 7541 C.4.1 and C.4.2, as one block each.
  Buffer.from('828684418cf1e3c2e5f23a6ba0ab90f4ff', 'hex'),
  Buffer.from('828684be5886a8eb10649cbf', 'hex'),
  // A new size of the table, and one that is too large.
  Buffer.from('20828684', 'hex'),
  Buffer.from('3fffffff0f828684', 'hex'),
];

/** Good connections, frame by frame: what grpc-js and nghttp2 send, and what they may. */
const RECORDINGS: readonly (readonly Buffer[])[] = [
  [settingsBytes([]), head(1), dataFrames(1, QUESTION_BYTES), head(3), dataFrames(3, QUESTION_BYTES, 7)],
  [
    settingsBytes([
      [SETTING.MAX_CONCURRENT_STREAMS, 100],
      [SETTING.INITIAL_WINDOW_SIZE, 33_554_432],
      [SETTING.ENABLE_PUSH, 0],
    ]),
    windowUpdate(0, 33_488_897),
    head(1, { 'user-agent': 'curl/7.88.1', 'grpc-timeout': '1S' }),
    frameBytes('DATA', 0, 1, QUESTION_BYTES),
    frameBytes('DATA', END_STREAM, 1),
  ],
  [
    settingsBytes([[SETTING.HEADER_TABLE_SIZE, 0]]),
    headersFrames(1, BLOCK, 0, 30),
    frameBytes('DATA', END_STREAM | PADDED, 1, withPadding(QUESTION_BYTES, 40)),
    ping(),
    head(3),
    reset(3, 'CANCEL'),
    frameBytes('GOAWAY', 0, 0, Buffer.alloc(8)),
  ],
  [
    settingsBytes([[SETTING.INITIAL_WINDOW_SIZE, 1]]),
    head(1, { 'content-type': 'application/json', ':path': '/grpc.health.v1.Health/Check' }),
    dataFrames(1, Buffer.from('{"service":""}')),
    windowUpdate(1, 100),
    frameBytes('PRIORITY', 0, 5, Buffer.alloc(5)),
    head(7, { ':path': '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo' }),
    frameBytes('DATA', 0, 7, Buffer.from('00000000023a00', 'hex')),
  ],
];
const MUTATIONS_MAX = 4;
const FRAMES_MAX = 12;
const PAYLOAD_BYTES_MAX = 64;

/** All that one connection sends behind, or instead of, its preface. */
function brokenConnection(random: () => number): Buffer {
  const below = (bound: number): number => Math.floor(random() * bound);
  const one = <T>(of: readonly T[]): T => of[below(of.length)] as T;
  const bytes = (count: number): Buffer => Buffer.from(Array.from({ length: count }, () => below(256)));

  function anyFrame(): Buffer {
    const isOdd = random() < 0.8;
    const stream = one([0, 1, 3, 5, 2, 2 ** 31 - 1, below(2 ** 16)]);
    const frame = frameBytes(
      one(FRAME_TYPES),
      below(256),
      isOdd ? stream | 1 : stream,
      bytes(below(PAYLOAD_BYTES_MAX)),
    );
    if (random() < 0.1) frame.writeUInt8(below(256), 3);
    if (random() < 0.1) frame.writeUIntBE(below(2 ** 24), 0, 3);
    return frame;
  }

  function bentBlock(): Buffer {
    const block = bent(one(BLOCKS));
    const stream = one([1, 3, 9, 11]);
    return Buffer.concat([frameBytes('HEADERS', one([END_HEADERS, END_HEADERS | END_STREAM, 0]), stream, block)]);
  }

  function bent(good: Buffer): Buffer {
    let broken: Buffer = Buffer.from(good);
    for (let left = 1 + below(MUTATIONS_MAX); left > 0 && broken.length > 0; left -= 1) {
      const at = below(broken.length);
      const choice = below(5);
      if (choice === 0) broken[at] = below(256);
      else if (choice === 1) broken[at] = (broken[at] as number) ^ (1 << below(8));
      else if (choice === 2) broken = broken.subarray(0, at);
      else if (choice === 3) broken = Buffer.concat([broken.subarray(0, at), bytes(1 + below(9)), broken.subarray(at)]);
      else broken = Buffer.concat([broken.subarray(0, at), broken.subarray(at + 1 + below(9))]);
    }
    return broken;
  }

  const preface = random() < 0.95 ? PREFACE : bent(PREFACE);
  const settings = random() < 0.9 ? settingsBytes([]) : Buffer.alloc(0);
  const choice = random();
  if (choice < 0.4) return Buffer.concat([preface, bent(Buffer.concat([...one(RECORDINGS)]))]);
  const frames = Array.from({ length: 1 + below(FRAMES_MAX) }, () => {
    const kind = random();
    if (kind < 0.3) return anyFrame();
    if (kind < 0.6) return bentBlock();
    return one(one(RECORDINGS));
  });
  return Buffer.concat([preface, settings, ...frames]);
}

/** What this seed says, cut somewhere. Its own side ends then: a server has nothing more to wait for. */
function sendBroken(port: number, seed: number): Promise<'closed' | 'hung'> {
  const random = randomOf(seed);
  const bytes = brokenConnection(random);
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const timer = setTimeout(() => finish('hung'), HUNG_MILLIS);
    const finish = (end: 'closed' | 'hung'): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(end);
    };
    socket.on('error', () => undefined);
    socket.resume();
    socket.on('close', () => finish('closed'));
    const cut = Math.floor(random() * bytes.length);
    socket.write(bytes.subarray(0, cut), () => {
      if (!socket.destroyed) socket.end(bytes.subarray(cut));
    });
  });
}
