/** What TLS to Redis is set up with. The chain is verified always. */
import { X509Certificate } from 'node:crypto';
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
  if (ca !== undefined) refuseUnusable('REDIS_TLS_CACERT', () => new X509Certificate(ca));
  if (cert !== undefined) refuseUnusable('REDIS_TLS_CLIENT_CERT', () => new X509Certificate(cert));
  if (key !== undefined) refuseUnusable('REDIS_TLS_CLIENT_KEY', () => createSecureContext({ cert, key }));
  return {
    ...(cert === undefined ? {} : { cert, key }),
    ...(ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] }),
    ...(skipHostnameVerification ? { checkServerIdentity: () => undefined } : {}),
  };
}

function read(variable: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  let text = '';
  refuseUnusable(variable, () => {
    text = readFileSync(path, 'utf8');
  });
  return text;
}

function refuseUnusable(variable: string, use: () => unknown): void {
  try {
    use();
  } catch (error) {
    throw new Error(`${variable}: ${(error as Error).message}`, { cause: error });
  }
}
