/** A second opinion on HPACK: what Node's own HTTP/2 client (nghttp2) writes, over many requests on one connection. */
import { type ClientHttp2Session, connect, sensitiveHeaders } from 'node:http2';
import { type Duplex, duplexPair } from 'node:stream';
import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { HpackDecoder } from '../../../../../src/surfaces/rls/h2/hpack/decoder.ts';
import { decoded, type Field, tableOf } from './reference-encoder.ts';

const PREFACE_BYTES = 24;
const FRAME_HEADER_BYTES = 9;
const HEADERS = 1;
const CONTINUATION = 9;
const PRIORITY_FLAG = 0x20;
const END_HEADERS = 0x04;

/** A server that only listens: it takes the header blocks out of what the client sends. */
class HeaderBlocks {
  readonly session: ClientHttp2Session;
  readonly #server: Duplex;
  #bytes = Buffer.alloc(0);
  #isOpen = false;
  #parts: Buffer[] = [];
  #waiting: ((block: Buffer) => void)[] = [];

  /** @param settings the payload of our SETTINGS, as hex */
  constructor(settings: string) {
    const [client, server] = duplexPair();
    this.#server = server;
    server.on('data', (chunk: Buffer) => this.#take(chunk));
    const payloadBytes = (settings.length / 2).toString(16).padStart(6, '0');
    server.write(Buffer.from(`${payloadBytes}040000000000${settings}`, 'hex'));
    this.session = connect('http://nowhere', { createConnection: () => client, maxSendHeaderBlockLength: 1_000_000 });
  }

  async of(fields: readonly Field[], sensitive: readonly string[]): Promise<Buffer> {
    const block = new Promise<Buffer>((resolve) => this.#waiting.push(resolve));
    const headers = { ...Object.fromEntries(fields), [sensitiveHeaders]: [...sensitive] };
    this.session.request(headers, { endStream: true }).on('error', () => undefined);
    return block;
  }

  close(): void {
    this.session.destroy();
    this.#server.destroy();
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    if (!this.#isOpen && this.#bytes.length >= PREFACE_BYTES) {
      this.#isOpen = true;
      this.#bytes = this.#bytes.subarray(PREFACE_BYTES);
    }
    while (this.#isOpen && this.#bytes.length >= FRAME_HEADER_BYTES) {
      const end = FRAME_HEADER_BYTES + this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < end) return;
      this.#frame(this.#bytes[3]!, this.#bytes[4]!, this.#bytes.subarray(FRAME_HEADER_BYTES, end));
      this.#bytes = this.#bytes.subarray(end);
    }
  }

  #frame(type: number, flags: number, payload: Buffer): void {
    if (type !== HEADERS && type !== CONTINUATION) return;
    this.#parts.push(type === HEADERS && (flags & PRIORITY_FLAG) !== 0 ? payload.subarray(5) : payload);
    if ((flags & END_HEADERS) === 0) return;
    const block = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#waiting.shift()?.(block);
  }
}

const opened: HeaderBlocks[] = [];

afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

function open(settings: string): HeaderBlocks {
  const blocks = new HeaderBlocks(settings);
  opened.push(blocks);
  return blocks;
}

/** No space at either end, and no header that HTTP/2 forbids or Node joins. */
const value = fc.oneof(
  fc.constantFrom('', '1', 'trailers', '20m', 'application/grpc'),
  fc
    .array(
      fc.integer({ min: 0x21, max: 0xff }).filter((code) => code !== 0x7f),
      { maxLength: 60 },
    )
    .map((codes) => String.fromCharCode(...codes)),
  fc.nat(6_000).map((length) => 'abc123/'.repeat(length).slice(0, length)),
);

const request = fc.record({
  path: fc.oneof(
    fc.constant('/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit'),
    fc.constantFrom('/', '/a'),
  ),
  rest: fc.array(
    fc.tuple(
      fc.nat(40).map((at) => `x-name-${at}`),
      value,
    ),
    { maxLength: 10 },
  ),
  known: fc.array(fc.tuple(fc.constantFrom('accept', 'via', 'user-agent', 'grpc-timeout', 'etag'), value), {
    maxLength: 3,
  }),
  sensitive: fc.boolean(),
});

describe('what nghttp2 writes', () => {
  test.each([
    ['with the table as it is', '', 4_096, ''],
    ['into a table of 256 bytes', '000100000100', 256, '3fe101'],
    ['without a table', '000100000000', 0, '20'],
    ['into a table that it may, but does not, enlarge', '000100010000', 65_536, '3fe11f'],
  ])('is read back over many requests, %s', async (_, settings, tableBytesMax, sizeUpdate) => {
    const decoder = new HpackDecoder({ tableBytesMax, listBytesMax: 1_000_000 });
    const blocks = open(settings);
    await new Promise((resolve) => blocks.session.once('remoteSettings', resolve));
    let start = sizeUpdate;
    for (const { path, rest, known, sensitive } of fc.sample(request, { seed: 7_541, numRuns: 200 })) {
      const pseudo: Field[] = [
        [':method', 'POST'],
        [':scheme', 'http'],
        [':path', path],
        [':authority', 'ratelimit'],
      ];
      const fields = [...new Map<string, string>([...pseudo, ...rest, ...known])];
      const block = await blocks.of(fields, sensitive ? ['via', 'x-name-1', 'x-name-2'] : []);
      expect(block.toString('hex')).toMatch(new RegExp(`^${start}8`));
      expect(decoded(decoder, block)).toEqual({ fields, isWhole: true });
      start = '';
    }
    expect(tableOf(decoder).length > 0).toBe(tableBytesMax > 0);
  });
});
