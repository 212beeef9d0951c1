/** The benchmark's own HTTP/2 client, held against servers that it has no part in: Node's, which is nghttp2. */
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { Connection } from '../../bench/h2/connection.ts';
import { type Exchange, requestOf } from '../../bench/h2/exchange.ts';
import { Load } from '../../bench/load.ts';

const CALL = { request: requestOf(Buffer.from('0000000003616263', 'hex')), code: 1 };
const LONG_MESSAGE = Buffer.concat([Buffer.from('00000003e8', 'hex'), Buffer.alloc(1_000, 'a')]);
const LONG_CALL = { request: requestOf(LONG_MESSAGE), code: 1 };
/** One status, one header: RateLimitResponse{overall_code: OK, statuses: [{code: OK}], response_headers_to_add: [{key: "a"}]}. */
const OK = Buffer.from('000000000b0801120208011a030a0161', 'hex');

let server: Http2Server;
let load: Load;

afterEach(() => {
  load?.close();
  server.close();
});

type Answer = (stream: ServerHttp2Stream, body: Buffer) => void;

/** @returns the port of a server that answers when a request has ended */
async function serve(answer: Answer, settings = {}): Promise<number> {
  server = createServer({ settings });
  server.on('stream', (stream) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => answer(stream, Buffer.concat(chunks)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function grpc(messages: readonly Buffer[], status = '0', http = 200): Answer {
  return (stream) => {
    stream.respond({ ':status': http, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
    for (const message of messages) stream.write(message);
    stream.end();
  };
}

async function ask(port: number, count: number, inflight = 1, call = CALL): Promise<number> {
  load = await Load.open({ port, connections: 2 });
  let [asked, answered] = [0, 0];
  await load.run(
    inflight,
    () => (asked++ < count ? call : undefined),
    () => {
      answered += 1;
    },
  );
  return answered;
}

test('every call is answered, however much more there is to send than the windows take at once', async () => {
  const bodies = new Set<string>();
  const port = await serve((stream, body) => {
    bodies.add(body.toString('hex'));
    grpc([OK])(stream, body);
  });
  // At once twice as much as the server's windows take, and ten times as much in all.
  expect(await ask(port, 1_300, 260, LONG_CALL)).toBe(1_300);
  expect([...bodies]).toEqual([LONG_MESSAGE.toString('hex')]);
});

test('what Envoy sends arrives with the first call and with all later ones', async () => {
  const seen: Record<string, unknown>[] = [];
  const port = await serve((stream, body) => grpc([OK])(stream, body));
  server.on('stream', (_, headers) => seen.push(Object.fromEntries(Object.entries(headers))));
  await ask(port, 6, 2);
  expect(seen[0]).toEqual({
    ':method': 'POST',
    ':scheme': 'http',
    ':path': '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit',
    ':authority': 'ratelimit',
    te: 'trailers',
    'grpc-timeout': '30S',
    'content-type': 'application/grpc',
    'x-envoy-internal': 'true',
    'x-forwarded-for': '10.0.0.1',
    'x-envoy-expected-rq-timeout-ms': '30000',
  });
  expect(seen).toEqual(Array.from({ length: 6 }, () => seen[0]));
});

test.each([
  ['has no header table', { headerTableSize: 0 }],
  ['has a small header table', { headerTableSize: 1_000 }],
  ['takes few calls at once', { maxConcurrentStreams: 3 }],
])('a server that %s is asked as it wishes', async (_, settings) => {
  let [open, openMax] = [0, 0];
  const port = await serve((stream, body) => {
    open += 1;
    openMax = Math.max(openMax, open);
    stream.on('close', () => {
      open -= 1;
    });
    setImmediate(() => grpc([OK])(stream, body));
  }, settings);
  expect(await ask(port, 200, 20)).toBe(200);
  // On each of two connections.
  expect(openMax).toBe('maxConcurrentStreams' in settings ? 6 : 20);
});

test('headers in every form that an encoder has for them are read as they were sent', async () => {
  // Every character that Huffman's code of text has; a value that changes; one that is not to be indexed; one that is long.
  const text = String.fromCharCode(...Array.from({ length: 0x7f - 0x21 }, (_, at) => 0x21 + at));
  let number = 0;
  const port = await serve((stream) => {
    number += 1;
    const headers = { 'x-text': text, 'x-number': `n${number}`, 'x-secret': 'hush', 'x-long': 'é~'.repeat(3_000) };
    stream.respond({ ...headers, [Symbol.for('nodejs.http2.sensitiveHeaders')]: ['x-secret'] });
    stream.end();
  });
  const connection = await Connection.open(port);
  const ended: Exchange[] = [];
  await new Promise<void>((resolve, reject) => {
    connection.listen({
      onEnd: (exchange) => (ended.push(exchange) === 5 ? resolve() : connection.ask(CALL)),
      onFailure: reject,
    });
    connection.ask(CALL);
  });
  connection.close();
  const long = 'é~'.repeat(3_000);
  expect(ended.map(({ headers }) => headers)).toEqual(
    [1, 2, 3, 4, 5].map((n) => {
      const known = { ':status': '200', 'x-text': text, 'x-secret': 'hush', 'x-long': long, 'x-number': `n${n}` };
      return { ...known, date: expect.any(String) };
    }),
  );
});

test('a message that comes in pieces is one message', async () => {
  const port = await serve((stream, body) => {
    stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    for (const byte of OK) stream.write(Buffer.of(byte));
    stream.end(body.subarray(body.length));
  });
  expect(await ask(port, 20)).toBe(20);
});

test.each<[string, Answer, string]>([
  ['another verdict', grpc([Buffer.from(OK).fill(2, 6, 7)]), 'an answer says 2 where the policy says 1'],
  ['no message', grpc([]), 'an answer has 0 messages'],
  ['two messages', grpc([OK, OK]), 'an answer has'],
  ['half a message', grpc([OK.subarray(0, 9)]), 'an answer has 0 messages'],
  ['a compressed message', grpc([Buffer.from(OK).fill(1, 0, 1)]), 'an answer has 0 messages'],
  ['no status of its descriptor', grpc([Buffer.from('00000000070801' + '1a030a0161', 'hex')]), '0 statuses'],
  ['an error', grpc([OK], '14'), 'grpc-status is 14'],
  ['another HTTP status', grpc([OK], '0', 503), 'the HTTP status is 503'],
  ['a reset', (stream) => stream.close(2), 'the stream was reset with code 2'],
  ['goodbye', (stream) => stream.session?.goaway(0), 'the server goes away with code 0'],
])('%s for an answer ends the run', async (_, answer, problem) => {
  const port = await serve(answer);
  await expect(ask(port, 1)).rejects.toThrow(problem);
});

test('a call that was given up is not heard of again, and the others are answered', async () => {
  const port = await serve((stream, body) => setImmediate(() => !stream.destroyed && grpc([OK])(stream, body)));
  const connection = await Connection.open(port);
  let ended = 0;
  await new Promise<void>((resolve, reject) => {
    connection.listen({
      onEnd: () => {
        ended += 1;
        if (ended === 50) resolve();
      },
      onFailure: reject,
    });
    for (let number = 0; number < 100; number++) {
      connection.ask(CALL);
      if (number % 2 === 0) connection.cancelOldest();
    }
  });
  expect(connection.cancelOldest()).toBe(false);
  connection.close();
});
