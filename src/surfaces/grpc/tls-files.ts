/** The files of TLS, read and found fit to be used together. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, getCACertificates, type SecureContextOptions } from 'node:tls';
import { ListenError } from '../listen.ts';
import type { TlsConfig } from './config.ts';

/** A file that cannot be used; the message names its variable, its path and the reason, never a byte of a key. */
export class TlsFileError extends ListenError {
  constructor(variable: string, path: string, reason: string, cause?: unknown) {
    super(`${variable}: ${path}: ${reason}`, cause);
    this.name = 'TlsFileError';
  }
}

export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly clientCa: Buffer | undefined;
}

const CERT = 'GRPC_SERVER_TLS_CERT';
const KEY = 'GRPC_SERVER_TLS_KEY';
const CLIENT_CA = 'GRPC_CLIENT_TLS_CACERT';

const PEM_BEGIN = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/g;
const PEM_BLOCK = /-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----[^-]+-----END \1-----/g;

/** @throws TlsFileError */
export function readTlsFiles({ certPath, keyPath, clientCaPath }: TlsConfig): TlsFiles {
  return {
    cert: read(CERT, certPath),
    key: read(KEY, keyPath),
    clientCa: clientCaPath === undefined ? undefined : read(CLIENT_CA, clientCaPath),
  };
}

/** What a TLS server needs of them. @throws TlsFileError for a part that is missing, cut short or fits no other */
export function secureOptions(files: TlsFiles, config: TlsConfig): SecureContextOptions {
  const [own] = certificatesIn(files.cert, CERT, config.certPath);
  if (!own?.checkPrivateKey(privateKey(files.key, config.keyPath)))
    throw new TlsFileError(KEY, config.keyPath, `is not the key of the certificate in ${config.certPath}`);
  const options: SecureContextOptions = { cert: files.cert, key: files.key, minVersion: 'TLSv1.2' };
  const { clientCaPath } = config;
  if (files.clientCa !== undefined && clientCaPath !== undefined) {
    const authorities = certificatesIn(files.clientCa, CLIENT_CA, clientCaPath);
    options.ca = [...getCACertificates('system'), ...authorities.map(String)];
  }
  try {
    createSecureContext(options);
  } catch (error) {
    throw new TlsFileError(CERT, config.certPath, (error as Error).message, error);
  }
  return options;
}

function read(variable: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new TlsFileError(variable, path, code === 'ENOENT' ? 'no such file' : message, error);
  }
}

/** At least one. OpenSSL would take those that it can read and say nothing of the others. */
function certificatesIn(pem: Buffer, variable: string, path: string): readonly X509Certificate[] {
  const text = pem.toString('latin1');
  const blocks = text.match(PEM_BLOCK) ?? [];
  if (blocks.length === 0) throw new TlsFileError(variable, path, 'holds no certificate in PEM');
  if (blocks.length !== text.match(PEM_BEGIN)?.length)
    throw new TlsFileError(variable, path, 'ends in the middle of a certificate');
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    throw new TlsFileError(variable, path, `holds what is no certificate: ${(error as Error).message}`, error);
  }
}

function privateKey(pem: Buffer, path: string) {
  try {
    return createPrivateKey(pem);
  } catch {
    // What OpenSSL says of bytes that it cannot read helps nobody.
    throw new TlsFileError(KEY, path, 'holds no private key in PEM that can be read without a password');
  }
}
