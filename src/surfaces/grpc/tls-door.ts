/** TLS before the gRPC port: who may come in, and with which certificate they are met. */
import { constants } from 'node:crypto';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { TlsConfig } from './config.ts';
import { TlsFollower } from './tls-follower.ts';

export interface TlsDoorOptions {
  readonly config: TlsConfig;
  readonly clock: Clock;
  readonly log: Log;
  /** A handshake that takes longer is ended. */
  readonly handshakeMillisMax: number;
  /** A client that may come in. */
  readonly onSocket: (socket: TLSSocket) => void;
}

// Port scanners and health checks by TCP come all the time: they must not fill the log.
const COMPLAINT_PERIOD_MILLIS = 10_000;

export class TlsDoor {
  /** Emits 'connection' for each socket as it comes, before its handshake. */
  readonly server: Server;
  readonly #options: TlsDoorOptions;
  readonly #follower: TlsFollower;
  #quietUntil = 0;

  constructor(options: TlsDoorOptions) {
    this.#options = options;
    const { config, clock, log, handshakeMillisMax } = options;
    const asksClients = config.clientCaPath !== undefined;
    this.server = createServer({
      // In the order of preference; one that offers neither is refused, one that offers nothing is listened to.
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: handshakeMillisMax,
      requestCert: asksClients,
      rejectUnauthorized: asksClients,
    });
    this.server.on('secureConnection', (socket) => this.#enter(socket));
    this.server.on('tlsClientError', (error, socket) => {
      socket.destroy();
      // Who fails for what he showed or lacked is worth a line; who goes away in the middle is not.
      const isGone = socket.authorizationError === null || socket.authorizationError === undefined;
      const reason = isGone ? (error as NodeJS.ErrnoException).code : String(socket.authorizationError);
      if (isGone && reason !== NO_CERTIFICATE) log.debug({ err: error }, 'a TLS handshake failed');
      else this.#complain(reason ?? error.message);
    });
    this.#follower = new TlsFollower({
      config,
      clock,
      log,
      onChange: (secure) => {
        // What a client has shown is examined at each connection: none is taken up again by a ticket of an earlier one.
        const once = asksClients ? { secureOptions: constants.SSL_OP_NO_TICKET } : {};
        // Open connections keep what they have agreed on.
        this.server.setSecureContext({ ...secure, ...once });
      },
    });
  }

  /** Reads the files and follows them until `close`. @throws TlsFileError */
  start(): void {
    this.#follower.start();
  }

  /** Follows the files no longer. */
  close(): void {
    this.#follower.close();
  }

  #enter(socket: TLSSocket): void {
    const { clientSan, clientCaPath } = this.#options.config;
    // The subject's common name is no DNS name (RFC 9110 §4.3.4).
    const isNamed =
      clientSan === undefined ||
      clientCaPath === undefined ||
      socket.getPeerX509Certificate()?.checkHost(clientSan, { subject: 'never' }) !== undefined;
    if (isNamed) {
      this.#options.onSocket(socket);
      return;
    }
    socket.destroy();
    this.#complain(`the certificate is not valid for ${clientSan}`);
  }

  #complain(reason: string): void {
    const { clock, log } = this.#options;
    const now = clock.monotonicMillis();
    if (now < this.#quietUntil) return;
    this.#quietUntil = now + COMPLAINT_PERIOD_MILLIS;
    log.warn({ reason }, 'a TLS client was refused (told once in 10 s)');
  }
}

const NO_CERTIFICATE = 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE';
