/** Answers' fields are read as they were meant, whatever the client says of its table and however answers interleave. */
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Connection } from '../../../../src/surfaces/rls/h2/connection.ts';
import { FLAG, FRAME } from '../../../../src/surfaces/rls/h2/frames.ts';
import { HpackDecoder } from '../../../../src/surfaces/rls/h2/hpack/decoder.ts';
import type { PeerSettings } from '../../../../src/surfaces/rls/h2/peer-settings.ts';
import { ResponseFields } from '../../../../src/surfaces/rls/h2/response-fields.ts';
import type { Stream } from '../../../../src/surfaces/rls/h2/stream.ts';
import { WriteBuffer } from '../../../../src/surfaces/rls/h2/write-buffer.ts';
import { ManualClock } from '../../../support/clock.ts';
import { framesIn } from './frames-in.ts';
import { SenderUnderTest } from './sender-under-test.ts';

const SEED = 7_541;
const HEAD = [':status: 200', 'content-type: application/grpc+proto'];
const TRAILER = ['grpc-status: 0'];
const SMALL: PeerSettings = { headerTableBytes: 100, initialWindowBytes: undefined, frameBytesMax: undefined };
/** What a client may say of its table, from the smallest on. */
const TABLES = [0, 31, 100, 4_095, 4_096, 4_097, 65_536];

/** A client's decoder, which insists on what RFC 7541 §4.2 asks of who writes to a table that became smaller. */
class Client {
  readonly out = new WriteBuffer(64);
  readonly fields = new ResponseFields();
  readonly #decoder = new HpackDecoder({ tableBytesMax: 65_536, listBytesMax: 65_536 });
  /** The smallest table since the last block, if it is below what holds now. */
  #owed: number | undefined;
  #holds = 4_096;

  constructor() {
    // What a table begins with, until a block says otherwise.
    this.#decoder.decode(Buffer.of(0x3f, 0xe1, 0x1f), 0, 3, { field: () => undefined });
  }

  /** The settings and their acknowledgement are read between two frames. */
  setTable(bytes: number): void {
    if (bytes < this.#holds) this.#owed = Math.min(bytes, this.#owed ?? bytes);
    this.fields.clientTableChanged(bytes);
  }

  head(streamId: number): string[] {
    this.fields.writeHead(this.out, streamId);
    return this.#read(FLAG.endHeaders, streamId);
  }

  trailer(streamId: number): string[] {
    this.fields.writeTrailer(this.out, streamId);
    return this.#read(FLAG.endHeaders | FLAG.endStream, streamId);
  }

  #read(flags: number, streamId: number): string[] {
    const { frames, end } = framesIn(Buffer.from(this.out.bytes.subarray(0, this.out.length)));
    expect(end).toBe(this.out.length);
    this.out.length = 0;
    expect(frames.map((frame) => [frame.type, frame.flags, frame.streamId])).toEqual([
      [FRAME.headers, flags, streamId],
    ]);
    const block = frames[0]!.payload;
    if (this.#owed !== undefined) {
      expect(block[0]).toBe(0x20);
      this.#holds = 0;
      this.#owed = undefined;
    }
    const fields: string[] = [];
    this.#decoder.decode(block, 0, block.length, { field: (name, value) => void fields.push(`${name}: ${value}`) });
    return fields;
  }
}

test('however heads, trailers and sizes of the table interleave', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.constant('head') },
    { weight: 5, arbitrary: fc.nat(9) },
    { weight: 1, arbitrary: fc.constantFrom(...TABLES).map((bytes) => `table ${bytes}`) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const client = new Client();
      const open: number[] = [];
      let next = 1;
      for (const each of steps) {
        if (typeof each === 'number') {
          const [id] = open.splice(each % Math.max(1, open.length), 1);
          if (id !== undefined) expect(client.trailer(id)).toEqual(TRAILER);
        } else if (each === 'head') {
          expect(client.head(next)).toEqual(HEAD);
          open.push(next);
          next += 2;
        } else client.setTable(Number(each.slice('table '.length)));
      }
    }),
    { seed: SEED, numRuns: 500 },
  );
});

test('from the second answer on, both blocks together have three bytes', () => {
  const client = new Client();
  client.head(1);
  client.trailer(1);
  client.fields.writeHead(client.out, 3);
  client.fields.writeTrailer(client.out, 3);
  expect(client.out.length).toBe(9 + 2 + 9 + 1);
});

test('a hundred heads before the first trailer leave the table as later ones expect it', () => {
  const client = new Client();
  for (let id = 1; id < 200; id += 2) expect(client.head(id)).toEqual(HEAD);
  for (let id = 1; id < 200; id += 2) expect(client.trailer(id)).toEqual(TRAILER);
  expect(client.head(201)).toEqual(HEAD);
});

describe('a table that became smaller is acknowledged by the next block, whichever that is', () => {
  const fieldsOf = (wire: SenderUnderTest): [first: number | undefined, fields: string[]][] =>
    wire
      .written()
      .filter(({ type }) => type === FRAME.headers)
      .map(({ payload }) => [payload[0], wire.fields(payload)]);

  test.each<[what: string, answer: (wire: SenderUnderTest, stream: Stream) => void, fields: string[]]>([
    ['a head of another kind', ({ sender }, stream) => sender.head(stream, 404, [], true), [':status: 404']],
    ['other trailers', ({ sender }, stream) => sender.trailers(stream, [['a', 'b']]), ['a: b']],
  ])('%s', (_what, answer, fields) => {
    const wire = new SenderUnderTest();
    wire.message(wire.stream(1), Buffer.of());
    wire.sender.peerSettings(SMALL, []);
    answer(wire, wire.stream(3));
    wire.message(wire.stream(5), Buffer.of());
    const blocks = fieldsOf(wire);
    expect(blocks.map(([, each]) => each)).toEqual([HEAD, TRAILER, fields, HEAD, TRAILER]);
    expect(blocks.map(([first]) => first === 0x20)).toEqual([false, false, true, false, false]);
  });

  test('the trailer of an answer whose head came before', () => {
    const wire = new SenderUnderTest();
    wire.message(wire.stream(1), Buffer.of());
    const waiting = wire.stream(3);
    waiting.sendWindow = 0;
    wire.message(waiting, Buffer.of());
    wire.sender.peerSettings(SMALL, [waiting]);
    wire.sender.grant(waiting, 5);
    expect(fieldsOf(wire).map(([first, each]) => [first === 0x20, each])).toEqual([
      [false, HEAD],
      [false, TRAILER],
      [false, HEAD],
      [true, TRAILER],
    ]);
  });
});

describe('nghttp2 reads them', () => {
  test.each(TABLES)('with a table of %d bytes, and of others later', async (bytes) => {
    const held: Stream[] = [];
    const server = createServer((socket: Socket) => void serve(socket, held)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const client = connect(`http://127.0.0.1:${port}`, { settings: { headerTableSize: bytes } });
    for (const later of [undefined, 0, 4_096, undefined, 100, 65_536]) {
      if (later !== undefined) client.settings({ headerTableSize: later });
      const answers = await Promise.all([ask(client), ask(client), ask(client)]);
      for (const answer of answers) expect(answer).toEqual({ type: 'application/grpc+proto', status: '0', length: 9 });
    }
    client.close();
    server.close();
  });

  function serve(socket: Socket, held: Stream[]): Connection {
    socket.on('error', () => undefined);
    const note = (): void => undefined;
    const log = { debug: note, info: note, warn: note, error: note };
    const answer = (stream: Stream, { sender }: Connection): void => {
      const at = sender.beginMessage(stream);
      sender.out.append(Buffer.from('body'));
      sender.endMessage(stream, at);
    };
    return new Connection({
      socket,
      clock: new ManualClock(),
      log,
      serve: (opened, connection) => ({
        // Every answer waits until there are three, and then they come in reverse.
        data: () => {
          held.push(opened);
          if (held.length === 3) for (const each of held.splice(0).reverse()) answer(each, connection);
        },
        aborted: note,
      }),
    });
  }

  async function ask(client: ClientHttp2Session): Promise<unknown> {
    const stream: ClientHttp2Stream = client.request({ ':method': 'POST', ':path': '/' });
    const head = once(stream, 'response');
    const trailers = once(stream, 'trailers');
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.end();
    const [{ 'content-type': type }] = await head;
    const [{ 'grpc-status': status }] = await trailers;
    return { type, status, length: Buffer.concat(chunks).length };
  }
});
