/** Which Redis, and how it is spoken to, as the configuration tells it. */

/** A host and port, or the path of a unix socket. */
export interface RedisEndpoint {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
}

export interface RedisAuth {
  /** Without one, the default user of Redis. */
  readonly username?: string;
  readonly password?: string;
}

export type RedisTopology =
  | { readonly type: 'single'; readonly endpoint: RedisEndpoint }
  | { readonly type: 'cluster'; readonly nodes: readonly RedisEndpoint[] }
  | {
      readonly type: 'sentinel';
      /** The name that the Sentinels know the primary by. */
      readonly master: string;
      readonly sentinels: readonly RedisEndpoint[];
      /** To the Sentinels themselves. */
      readonly auth?: RedisAuth;
    };

export interface RedisTls {
  /** Files in PEM; both or neither. */
  readonly certPath?: string;
  readonly keyPath?: string;
  /** Without one, the certificate authorities that Node trusts. */
  readonly caPath?: string;
  readonly skipHostnameVerification: boolean;
}

export interface RedisOptions {
  readonly topology: RedisTopology;
  readonly auth?: RedisAuth;
  readonly db?: number;
  readonly tls?: RedisTls;
  /** Connections to each server at most. */
  readonly poolSize: number;
  readonly dialTimeoutMillis: number;
  /** The pauses between attempts to connect at the start; `maxElapsedMillis` 0: for ever. */
  readonly startup: { readonly initialMillis: number; readonly maxMillis: number; readonly maxElapsedMillis: number };
}
