/** What TLS to Redis is set up with. The chain is verified always. */
import { readFileSync } from 'node:fs';
import { type ConnectionOptions, createSecureContext, getCACertificates } from 'node:tls';

export interface RedisTls {
  /** The client's certificate and its key, PEM; both or none. */
  readonly certPath?: string;
  readonly keyPath?: string;
  /** Trusted beside the authorities that Node trusts. */
  readonly caPath?: string;
  /** The certificate may be for another name. */
  readonly skipHostnameVerification: boolean;
}

/** Files are read once, here. @throws Error naming the variable whose file cannot be used */
export function tlsOptions({ certPath, keyPath, caPath, skipHostnameVerification }: RedisTls): ConnectionOptions {
  const cert = read('REDIS_TLS_CLIENT_CERT', certPath);
  const key = read('REDIS_TLS_CLIENT_KEY', keyPath);
  const ca = read('REDIS_TLS_CACERT', caPath);
  refuseUnusable('REDIS_TLS_CACERT', { ca });
  refuseUnusable('REDIS_TLS_CLIENT_CERT', { cert });
  refuseUnusable('REDIS_TLS_CLIENT_KEY', { cert, key });
  return {
    ...(cert === undefined ? {} : { cert, key }),
    ...(ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] }),
    ...(skipHostnameVerification ? { checkServerIdentity: () => undefined } : {}),
  };
}

function read(variable: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`${variable}: ${(error as Error).message}`, { cause: error });
  }
}

function refuseUnusable(variable: string, parts: ConnectionOptions): void {
  try {
    createSecureContext(parts);
  } catch (error) {
    throw new Error(`${variable}: ${(error as Error).message}`, { cause: error });
  }
}
