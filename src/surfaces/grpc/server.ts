/** The gRPC port: HTTP/2, and HTTP/1.1 for gRPC-Web and Connect, told apart by their first bytes, with or without TLS. */
import { createServer as createHttp1Server, type Server as Http1Server } from 'node:http';
import {
  constants,
  createServer as createHttp2Server,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import type { RandomBytes } from '../../core/api-key.ts';
import { IdleSockets } from '../idle-sockets.ts';
import { listen, listenAtPath } from '../listen.ts';
import { acceptAnyBytes } from '../rls/any-bytes.ts';
import type { GrpcConfig } from './config.ts';
import { connectAdapter } from './connect-adapter.ts';
import { Http2Connection } from './http2-connection.ts';
import { Http2Wire } from './http2-wire.ts';
import { limitRequests } from './request-deadlines.ts';
import { type RouteOptions, routerOptionsOf, routesOf } from './routes.ts';
import { TlsDoor } from './tls-door.ts';

/** RFC 9113 §3.4: what every HTTP/2 client sends first. One byte tells it from every HTTP/1.1 method but PUT, POST and PATCH. */
const PREFACE = Buffer.from('PRI * HTTP/2.0');

// Envoy keeps one connection per worker and sends all of its calls through it.
const CONCURRENT_STREAMS_MAX = 4_096;
// Calls of one connection that its client gives up (RST_STREAM); beyond, the connection ends with every call on it. By
// default Node takes 33 a second: the timeouts of a gateway while the store is slow would cost it all its calls. One that
// is reset costs no more than one that is answered, and 9,000 a second keep a process busy with nothing else: a gateway
// in distress stays below this, who opens streams only to reset them (CVE-2023-44487) does not.
const RESETS_PER_SECOND_MAX = 3_000;
// All calls that are open at once, several times over: a stall of seconds ends them all.
const RESETS_BURST_MAX = 4 * CONCURRENT_STREAMS_MAX;
// MiB of frames and headers that one connection may hold, as Node counts them: of its heap it takes five times as much.
// Node's default of 10 ends connections with a few thousand calls in flight.
const SESSION_MEMORY_MIB_MAX = 64;
// Who connects and says nothing, or stops in the middle of a handshake or an HTTP/1.1 request, is not waited for.
const SILENCE_MILLIS_MAX = 10_000;
// As on the HTTP port: a client that sends a request of HTTP/1.1 slower than this is not waited for.
const REQUEST_MILLIS_MAX = 10_000;
// Gateways keep connections for the next call; this long without a single one, it may open another.
const IDLE_MILLIS_MAX = 600_000;

export interface GrpcServerOptions extends RouteOptions {
  readonly config: GrpcConfig;
  readonly random: RandomBytes;
}

export class GrpcServer {
  readonly #options: GrpcServerOptions;
  /** Takes connections: of TCP or TLS, at a port or a unix socket. */
  readonly #listener: Server;
  readonly #tls: TlsDoor | undefined;
  readonly #http1: Http1Server;
  readonly #idle: IdleSockets;
  readonly #http2: Http2Server;
  readonly #connections = new Set<Http2Connection>();
  /** As the machine gave them: those that TLS runs over, too. */
  readonly #sockets = new Set<Socket>();
  /** Those that have not shown yet what they speak. */
  readonly #silent = new Set<Socket>();
  readonly #draining = new AbortController();

  constructor(options: GrpcServerOptions) {
    acceptAnyBytes();
    this.#options = options;
    const { config, clock, log } = options;
    const signal = this.#draining.signal;
    const handler = connectAdapter(routesOf(options, signal), routerOptionsOf(options), log);
    this.#http1 = createHttp1Server(handler);
    this.#http1.timeout = SILENCE_MILLIS_MAX;
    limitRequests(this.#http1, clock, REQUEST_MILLIS_MAX);
    this.#idle = new IdleSockets(this.#http1);
    this.#http2 = createHttp2Server(
      {
        settings: { maxConcurrentStreams: CONCURRENT_STREAMS_MAX },
        maxSessionMemory: SESSION_MEMORY_MIB_MAX,
        streamResetBurst: RESETS_BURST_MAX,
        streamResetRate: RESETS_PER_SECOND_MAX,
      },
      (request, response) => {
        request.stream.once('wantTrailers', () => setImmediate(endUpload, request.stream));
        handler(request, response);
      },
    );
    const onSocket = (socket: Socket): void => this.#listenTo(socket);
    this.#tls =
      config.tls && new TlsDoor({ config: config.tls, clock, log, handshakeMillisMax: SILENCE_MILLIS_MAX, onSocket });
    this.#listener = this.#tls?.server ?? createServer(onSocket);
    this.#listener.on('connection', (socket: Socket) => this.#accept(socket));
  }

  /** @returns the port, for port 0 the one that was free; 0 for a unix socket @throws ListenError, TlsFileError */
  async listen(): Promise<number> {
    const address = this.#options.config.listen;
    this.#tls?.start();
    try {
      if ('port' in address) return await listen(this.#listener, address.port, address.host);
      await listenAtPath(this.#listener, address.path);
      return 0;
    } catch (error) {
      this.#tls?.close();
      throw error;
    }
  }

  /** Takes no new connections, asks clients to go (GOAWAY) and settles when the last call has been answered. */
  async drain(): Promise<void> {
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    this.#tls?.close();
    this.#draining.abort();
    for (const connection of this.#connections) connection.leave();
    this.#idle.end();
    for (const socket of this.#silent) socket.destroy();
    // Who has not even begun its handshake.
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
    await closed;
  }

  /** Ends whatever is still open. */
  destroy(): void {
    this.#tls?.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  }

  /** @param socket what is read from it is in clear */
  #listenTo(socket: Socket): void {
    if (this.#draining.signal.aborted) {
      socket.destroy();
      return;
    }
    this.#silent.add(socket);
    socket.on('close', () => this.#silent.delete(socket));
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
      if (mayBeHttp2) this.#openHttp2(socket);
      else this.#http1.emit('connection', socket);
      socket.resume();
    });
  }

  #openHttp2(socket: Socket): void {
    const { clock, random, config } = this.#options;
    const wire = new Http2Wire(socket, clock);
    this.#http2.once('session', (session: ServerHttp2Session) => {
      const connection = new Http2Connection({ session, wire, clock, random, config });
      this.#connections.add(connection);
      // Calls that its client has left open have been silent as long: they are not waited for.
      session.setTimeout(IDLE_MILLIS_MAX, () => connection.end());
      session.on('close', () => this.#connections.delete(connection));
    });
    // In this very turn it makes a session of it, and tells.
    this.#http2.emit('connection', wire);
  }
}

/**
 * RFC 9113 §8.1: a client that is still sending when it has its answer is told to stop, or it would wait for ever.
 * Called a turn after the trailers were handed over, when they are out; Node asks for them after every body.
 */
function endUpload(stream: ServerHttp2Stream): void {
  if (!stream.readableEnded && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
}
