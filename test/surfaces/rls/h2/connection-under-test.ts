/** A connection over a real socket, and a client of it that writes whatever frames a test wants. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Connection } from '../../../../src/surfaces/rls/h2/connection.ts';
import { FLAG, FRAME, PREFACE } from '../../../../src/surfaces/rls/h2/frames.ts';
import { HpackDecoder } from '../../../../src/surfaces/rls/h2/hpack/decoder.ts';
import type { Stream, StreamConsumer } from '../../../../src/surfaces/rls/h2/stream.ts';
import { ManualClock } from '../../../support/clock.ts';
import { blockOf, type Frame, frameOf, framesIn } from './frames-in.ts';

/** What came of one request. */
export class Asked implements StreamConsumer {
  readonly stream: Stream;
  body = Buffer.alloc(0);
  isEnded = false;
  readonly abortedBy: number[] = [];

  constructor(stream: Stream) {
    this.stream = stream;
  }

  data(bytes: Buffer, from: number, to: number, isEnd: boolean): void {
    this.body = Buffer.concat([this.body, bytes.subarray(from, to)]);
    this.isEnded = isEnd;
  }

  aborted(code: number): void {
    this.abortedBy.push(code);
  }
}

export const REQUEST = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/a.B/C'],
] as const;

export interface ConnectionUnderTestOptions {
  readonly serve?: (asked: Asked, connection: Connection) => StreamConsumer;
  /** Unless so: the preface with empty SETTINGS. */
  readonly hello?: Buffer;
  readonly isPaused?: boolean;
}

export class ConnectionUnderTest {
  readonly clock = new ManualClock();
  readonly asked: Asked[] = [];
  /** What the connection has told its operators. */
  readonly logged: string[] = [];
  /** Everything that the client has read. */
  readonly frames: Frame[] = [];
  readonly closed: Promise<unknown>;
  readonly client: Socket;
  readonly socket: Socket;
  readonly connection: Connection;
  readonly #decoder = new HpackDecoder({ tableBytesMax: 4_096, listBytesMax: 65_536 });
  #unread = Buffer.alloc(0);
  #wake: () => void = () => undefined;
  #pings = 0;

  private constructor(client: Socket, socket: Socket, { serve }: ConnectionUnderTestOptions) {
    this.client = client;
    this.socket = socket;
    client.on('error', () => undefined);
    socket.on('error', () => socket.destroy());
    client.on('data', (chunk: Buffer) => this.#read(chunk));
    this.closed = once(client, 'close');
    void this.closed.then(() => this.#wake());
    const note = (_: object, message: string): void => void this.logged.push(message);
    this.connection = new Connection({
      socket,
      clock: this.clock,
      log: { debug: note, info: note, warn: note, error: note },
      serve: (stream, connection) => {
        const asked = new Asked(stream);
        this.asked.push(asked);
        return serve?.(asked, connection) ?? asked;
      },
    });
  }

  static async open(options: ConnectionUnderTestOptions = {}): Promise<ConnectionUnderTest> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'connection');
    const { port } = server.address() as { port: number };
    const client = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(client, 'connect');
    const [socket] = (await accepted) as [Socket];
    server.close();
    const opened = new ConnectionUnderTest(client, socket, options);
    client.write(options.hello ?? Buffer.concat([PREFACE, frameOf(FRAME.settings, 0, 0)]));
    return opened;
  }

  send(type: number, flags: number, streamId: number, payload?: Uint8Array): void {
    this.client.write(frameOf(type, flags, streamId, payload));
  }

  request(streamId: number, flags = 0, fields: readonly (readonly [string, string])[] = REQUEST): void {
    this.send(FRAME.headers, flags | FLAG.endHeaders, streamId, blockOf(fields));
  }

  /** Settles when the connection has read all that was sent, and the client all that came of it; or it has ended. */
  async settled(): Promise<void> {
    this.#pings += 1;
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(this.#pings);
    this.send(FRAME.ping, 0, 0, payload);
    await this.until(() => this.frames.some((frame) => frame.type === FRAME.ping && frame.payload.equals(payload)));
  }

  /** Settles when it is so, or the connection has ended. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo() && !this.client.closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  of(type: number, streamId?: number): Frame[] {
    return this.frames.filter((frame) => frame.type === type && (streamId ?? frame.streamId) === frame.streamId);
  }

  /** How a stream was reset: the codes. */
  resets(streamId: number): number[] {
    return this.of(FRAME.rstStream, streamId).map(({ payload }) => payload.readUInt32BE());
  }

  /** How the connection was ended: the codes of its GOAWAYs. */
  goaways(): number[] {
    return this.of(FRAME.goaway).map(({ payload }) => payload.readUInt32BE(4));
  }

  /** All blocks have to be read in order, so once. */
  fields(block: Buffer): (readonly [string, string])[] {
    const fields: (readonly [string, string])[] = [];
    this.#decoder.decode(block, 0, block.length, { field: (name, value) => void fields.push([name, value]) });
    return fields;
  }

  #read(chunk: Buffer): void {
    const { frames, end } = framesIn(Buffer.concat([this.#unread, chunk]));
    this.#unread = Buffer.concat([this.#unread, chunk]).subarray(end);
    this.frames.push(...frames);
    this.#wake();
  }
}
