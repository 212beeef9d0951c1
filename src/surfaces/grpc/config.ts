/** What an operator may choose about the gRPC port. */

export interface GrpcConfig {
  /** Who speaks HTTP/2: this service's own server, or Node's. */
  readonly transport: 'lean' | 'node';
  /** Port 0: any free one. A path is that of a unix socket, which replaces TCP. */
  readonly listen: { readonly host: string; readonly port: number } | { readonly path: string };
  /** Without it the port speaks HTTP/2 and HTTP/1.1 in clear. */
  readonly tls?: TlsConfig | undefined;
  /** After so long, give or take a tenth, the client of an HTTP/2 connection is asked to go (GOAWAY). 0: never. */
  readonly maxConnectionAgeMillis: number;
  /** So long after that, a connection is ended with whatever is open on it. 0: never. */
  readonly maxConnectionAgeGraceMillis: number;
}

/** Files in PEM. They are followed as they change. */
export interface TlsConfig {
  /** The server's certificate, and behind it those between it and its root. */
  readonly certPath: string;
  readonly keyPath: string;
  /** Set: clients must show a certificate of one of these authorities, or of one that this machine trusts. */
  readonly clientCaPath?: string | undefined;
  /** A DNS name that a client's certificate must be valid for. Means nothing without `clientCaPath`. */
  readonly clientSan?: string | undefined;
}
