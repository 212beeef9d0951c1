/** The gRPC port: HTTP/2, and HTTP/1.1 for gRPC-Web and Connect, told apart by their first bytes, with or without TLS. */
import { createServer as createHttp1Server, type Server as Http1Server } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { RandomBytes } from '../../core/api-key.ts';
import { IdleSockets } from '../idle-sockets.ts';
import { listen, listenAtPath } from '../listen.ts';
import { acceptAnyBytes } from '../rls/any-bytes.ts';
import type { GrpcConfig } from './config.ts';
import { connectHandlers } from './connect-handlers.ts';
import { protocolOf } from './first-bytes.ts';
import { Http2Connection } from './http2-connection.ts';
import type { OpenHttp2 } from './http2-session.ts';
import { leanTransport } from './lean-transport.ts';
import { nodeHandler } from './node-handler.ts';
import { nodeTransport } from './node-transport.ts';
import { limitRequests } from './request-deadlines.ts';
import { type RouteOptions, routerOptionsOf, routesOf } from './routes.ts';
import { TlsDoor } from './tls-door.ts';

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
  readonly #sessionOn: OpenHttp2;
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
    const handlerOf = connectHandlers(routesOf(options, signal), routerOptionsOf(options));
    const handler = nodeHandler(handlerOf, log);
    this.#sessionOn =
      config.transport === 'node' ? nodeTransport(handler, clock) : leanTransport({ ...options, handlerOf });
    this.#http1 = createHttp1Server(handler);
    this.#http1.timeout = SILENCE_MILLIS_MAX;
    limitRequests(this.#http1, clock, REQUEST_MILLIS_MAX);
    this.#idle = new IdleSockets(this.#http1);
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
      const protocol = protocolOf(bytes);
      if (protocol === 'more') {
        this.#sniff(socket, bytes);
        return;
      }
      this.#silent.delete(socket);
      socket.setTimeout(0);
      socket.removeAllListeners('timeout');
      socket.pause();
      socket.unshift(bytes);
      if (protocol === 'http2') this.#openHttp2(socket);
      else if (protocol === 'http1') this.#http1.emit('connection', socket);
      else socket.destroy();
      socket.resume();
    });
  }

  #openHttp2(socket: Socket): void {
    const { clock, random, config } = this.#options;
    const session = this.#sessionOn(socket);
    const connection = new Http2Connection({ session, clock, random, config });
    this.#connections.add(connection);
    // Calls that its client has left open have been silent as long: they are not waited for.
    session.onIdle(IDLE_MILLIS_MAX, () => connection.end());
    session.onClose(() => this.#connections.delete(connection));
  }
}
