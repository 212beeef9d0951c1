/** The gRPC port: HTTP/2 without TLS, and HTTP/1.1 for gRPC-Web and Connect, told apart by their first bytes. */
import { createServer as createHttp1Server, type Server as Http1Server } from 'node:http';
import {
  constants,
  createServer as createHttp2Server,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import { IdleSockets } from '../idle-sockets.ts';
import { listen } from '../listen.ts';
import { acceptAnyBytes } from '../rls/any-bytes.ts';
import { connectAdapter } from './connect-adapter.ts';
import { type RouteOptions, routerOptionsOf, routesOf } from './routes.ts';

/** RFC 9113 §3.4: what every HTTP/2 client sends first. One byte tells it from every HTTP/1.1 method but PUT, POST and PATCH. */
const PREFACE = Buffer.from('PRI * HTTP/2.0');

// Envoy keeps one connection per worker and sends all of its calls through it.
const CONCURRENT_STREAMS_MAX = 4_096;
// MiB that one connection may hold; Node's default of 10 ends connections with a few thousand calls in flight.
const SESSION_MEMORY_MIB_MAX = 64;
// Who connects and says nothing, or stops in the middle of an HTTP/1.1 request, is not waited for.
const SILENCE_MILLIS_MAX = 10_000;
// Gateways keep connections for the next call; this long without a single one, it may open another.
const IDLE_MILLIS_MAX = 600_000;

export class GrpcServer {
  readonly #tcp: Server;
  readonly #http1: Http1Server;
  readonly #idle: IdleSockets;
  readonly #http2: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #sockets = new Set<Socket>();
  /** Those that have not shown yet what they speak. */
  readonly #silent = new Set<Socket>();

  constructor(options: RouteOptions) {
    acceptAnyBytes();
    const handler = connectAdapter(routesOf(options), routerOptionsOf(options), options.log);
    this.#http1 = createHttp1Server(handler);
    this.#http1.timeout = SILENCE_MILLIS_MAX;
    this.#idle = new IdleSockets(this.#http1);
    this.#http2 = createHttp2Server(
      { settings: { maxConcurrentStreams: CONCURRENT_STREAMS_MAX }, maxSessionMemory: SESSION_MEMORY_MIB_MAX },
      (request, response) => {
        request.stream.once('wantTrailers', () => setImmediate(endUpload, request.stream));
        handler(request, response);
      },
    );
    this.#http2.on('session', (session) => {
      this.#sessions.add(session);
      session.setTimeout(IDLE_MILLIS_MAX, () => endIdle(session));
      session.on('close', () => this.#sessions.delete(session));
    });
    this.#tcp = createServer((socket) => this.#accept(socket));
  }

  /** @returns the port, for `port` 0 the one that was free @throws when it cannot be had */
  listen(port: number, host: string): Promise<number> {
    return listen(this.#tcp, port, host);
  }

  /** Takes no new connections, asks clients to go (GOAWAY) and settles when the last call has been answered. */
  async drain(): Promise<void> {
    const closed = new Promise((resolve) => this.#tcp.close(resolve));
    for (const session of this.#sessions) session.close();
    this.#idle.end();
    for (const socket of this.#silent) socket.destroy();
    await closed;
  }

  /** Ends whatever is still open. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    this.#silent.add(socket);
    socket.setNoDelay(true);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#silent.delete(socket);
    });
    socket.on('error', () => socket.destroy());
    socket.setTimeout(SILENCE_MILLIS_MAX, () => socket.destroy());
    this.#sniff(socket, Buffer.alloc(0));
  }

  #sniff(socket: Socket, seen: Buffer): void {
    socket.once('data', (chunk: Buffer) => {
      const bytes = Buffer.concat([seen, chunk]);
      const length = Math.min(bytes.length, PREFACE.length);
      const mayBeHttp2 = PREFACE.subarray(0, length).equals(bytes.subarray(0, length));
      if (mayBeHttp2 && length < PREFACE.length) {
        this.#sniff(socket, bytes);
        return;
      }
      this.#silent.delete(socket);
      socket.setTimeout(0);
      socket.removeAllListeners('timeout');
      socket.pause();
      socket.unshift(bytes);
      (mayBeHttp2 ? this.#http2 : this.#http1).emit('connection', socket);
      if (!mayBeHttp2) socket.resume();
    });
  }
}

/** Asks the client to go, and does not wait for calls that it left open: they have been silent as long. */
function endIdle(session: ServerHttp2Session): void {
  session.close();
  setImmediate(() => session.destroy());
}

/**
 * RFC 9113 §8.1: a client that is still sending when it has its answer is told to stop, or it would wait for ever.
 * Called a turn after the trailers were handed over, when they are out.
 */
function endUpload(stream: ServerHttp2Stream): void {
  if (!stream.readableEnded && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
}
