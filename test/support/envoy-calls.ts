/** ShouldRateLimit as Envoy calls it, without Envoy: all calls at once through one HTTP/2 connection. */
import {
  type ClientHttp2Session,
  type ClientSessionOptions,
  connect,
  type IncomingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  RateLimitRequestSchema,
  type RateLimitResponse_Code,
  RateLimitResponseSchema,
} from '../../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';

export interface CallResult {
  /** 0 is OK. */
  readonly grpcStatus: number;
  readonly grpcMessage: string;
  /** Undefined where there is no answer but a status. */
  readonly overallCode: RateLimitResponse_Code | undefined;
}

// Compression flag and length: a gRPC message's prefix.
const PREFIX_BYTES = 5;
// MiB. Node's default of 10 ends a session with thousands of open calls.
const SESSION_MEMORY_MIB_MAX = 64;

export class EnvoyCalls {
  /** Settles when the connection is gone, however it ended. */
  readonly closed: Promise<void>;
  /** Settles when the server has asked to open no more streams. */
  readonly askedToGo: Promise<void>;
  readonly #session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
    this.closed = new Promise((resolve) => session.once('close', resolve));
    this.askedToGo = new Promise((resolve) => session.once('goaway', () => resolve()));
    session.on('error', () => undefined);
  }

  /**
   * Settles when the server has said how many calls it takes at once.
   * @throws when it ends the connection instead
   */
  static async open(
    address: string,
    options: ClientSessionOptions | SecureClientSessionOptions = {},
  ): Promise<EnvoyCalls> {
    const session = connect(address, { maxSessionMemory: SESSION_MEMORY_MIB_MAX, ...options });
    await new Promise((resolve, reject) => {
      session.once('remoteSettings', resolve);
      session.once('error', reject);
      session.once('close', () => reject(new Error('the server closed the connection')));
    });
    return new EnvoyCalls(session);
  }

  /** What the server showed, by TLS. */
  get serverSerialNumber(): string {
    return (this.#session.socket as TLSSocket).getPeerX509Certificate()?.serialNumber ?? '';
  }

  /** Whether the connection took up an earlier one's TLS session. */
  get isResumed(): boolean {
    return (this.#session.socket as TLSSocket).isSessionReused();
  }

  /** Called for each TLS session that the server offers to be taken up again. */
  onTicket(take: (session: Buffer) => void): void {
    (this.#session.socket as TLSSocket).on('session', take);
  }

  /** One call for one API key in the documented domain, which waits for its answer as long as it takes. */
  decide(apiKey: string): Promise<CallResult> {
    return new Promise((resolve, reject) => {
      const call = this.#session.request({
        ':method': 'POST',
        ':path': '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit',
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      const chunks: Buffer[] = [];
      let status: IncomingHttpHeaders = {};
      const take = (headers: IncomingHttpHeaders): void => {
        status = headers;
      };
      call.on('response', take);
      call.on('trailers', take);
      call.on('data', (chunk: Buffer) => chunks.push(chunk));
      call.on('error', reject);
      call.on('end', () => resolve(resultOf(status, Buffer.concat(chunks))));
      call.end(requestBytes(apiKey));
    });
  }

  /** Settles when the server has read everything that was sent before. */
  arrived(): Promise<void> {
    return new Promise((resolve) => {
      this.#session.ping(() => resolve());
    });
  }

  close(): void {
    this.#session.destroy();
  }
}

function requestBytes(apiKey: string): Buffer {
  const message = toBinary(
    RateLimitRequestSchema,
    create(RateLimitRequestSchema, {
      domain: 'closient',
      descriptors: [{ entries: [{ key: 'api_key', value: apiKey }] }],
    }),
  );
  const bytes = Buffer.alloc(PREFIX_BYTES + message.length);
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, PREFIX_BYTES);
  return bytes;
}

function resultOf(status: IncomingHttpHeaders, body: Buffer): CallResult {
  return {
    grpcStatus: Number(status['grpc-status']),
    grpcMessage: String(status['grpc-message'] ?? ''),
    overallCode:
      body.length < PREFIX_BYTES
        ? undefined
        : fromBinary(RateLimitResponseSchema, body.subarray(PREFIX_BYTES)).overallCode,
  };
}
