/** A client of HTTP/2 that reads and writes frame by frame: for what a library's client would not show or not do. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encoded, frame as message } from './clients-grpc.ts';
import { RLS_PATH } from './clients-rls.ts';

export interface Frame {
  readonly type: string;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** RFC 9113 §6. */
const TYPES = [
  'DATA',
  'HEADERS',
  'PRIORITY',
  'RST_STREAM',
  'SETTINGS',
  'PUSH_PROMISE',
  'PING',
  'GOAWAY',
  'WINDOW_UPDATE',
];
const HEADER_BYTES = 9;
const END_STREAM = 0x1;
const ACK = 0x1;
const END_HEADERS = 0x4;
const CALL_PERIOD_MILLIS = 1;

const QUESTION = { domain: 'closient', descriptors: [{ entries: [{ key: 'api_key', value: 'k' }] }] };

export class Http2Peer {
  /** The streams that were answered to their end, in that order. */
  readonly answered: number[] = [];
  /** Settles when the connection is gone. */
  readonly closed: Promise<unknown>;
  readonly #socket: Socket;
  readonly #unread: Frame[] = [];
  #bytes = Buffer.alloc(0);
  #wake: () => void = () => undefined;
  #isAskedToGo = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  /** Settles when the server has answered a PING, and so knows the connection. */
  static async open(port: number): Promise<Http2Peer> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    const peer = new Http2Peer(socket);
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    peer.#write(4, 0, 0, Buffer.alloc(0));
    peer.#write(6, 0, 0, Buffer.alloc(8));
    await peer.frame('PING');
    return peer;
  }

  /** The next frame of this type; others are passed over. */
  async frame(type: string): Promise<Frame> {
    for (;;) {
      for (let next = this.#unread.shift(); next; next = this.#unread.shift()) if (next.type === type) return next;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** ShouldRateLimit on this stream. */
  call(stream: number): void {
    const target = { ':method': 'POST', ':scheme': 'http', ':authority': 'x', ':path': RLS_PATH };
    const fields = { ...target, 'content-type': 'application/grpc' };
    this.#write(1, END_HEADERS, stream, Buffer.concat(Object.entries(fields).map(literal)));
    this.#write(0, END_STREAM, stream, message(encoded(QUESTION)));
  }

  /** Gives a call up (CANCEL), as a gateway does whose own time for it is over. */
  cancel(stream: number): void {
    this.#write(3, 0, stream, Buffer.from([0, 0, 0, 8]));
  }

  /** Calls one after the other until GOAWAY is read, and acknowledges PINGs. @returns how many calls it made */
  async callUntilAskedToGo(): Promise<number> {
    let calls = 0;
    while (!this.#isAskedToGo) {
      this.call(2 * calls + 1);
      calls += 1;
      await new Promise((resolve) => setTimeout(resolve, CALL_PERIOD_MILLIS));
    }
    this.acknowledge(await this.frame('PING'));
    return calls;
  }

  acknowledge(ping: Frame): void {
    this.#write(6, ACK, 0, ping.payload);
  }

  #read(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < end) break;
      const type = TYPES[this.#bytes.readUInt8(3)] ?? '?';
      const flags = this.#bytes.readUInt8(4);
      const stream = this.#bytes.readUInt32BE(5);
      this.#unread.push({ type, flags, stream, payload: this.#bytes.subarray(HEADER_BYTES, end) });
      this.#bytes = this.#bytes.subarray(end);
      if (type === 'GOAWAY') this.#isAskedToGo = true;
      if (type === 'HEADERS' && (flags & END_STREAM) !== 0) this.answered.push(stream);
    }
    this.#wake();
  }

  #write(type: number, flags: number, stream: number, payload: Buffer): void {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUIntBE(payload.length, 0, 3);
    header.writeUInt8(type, 3);
    header.writeUInt8(flags, 4);
    header.writeUInt32BE(stream, 5);
    this.#socket.write(Buffer.concat([header, payload]));
  }
}

/** RFC 7541 §6.2.2: a field that is not indexed, its name and value as they are, each shorter than 127 bytes. */
function literal([name, value]: readonly [string, string]): Buffer {
  return Buffer.concat([
    Buffer.from([0, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ]);
}
