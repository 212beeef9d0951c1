/** Certificate authorities and certificates for tests, made by openssl in a folder of their own. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface CertificateFiles {
  readonly certPath: string;
  readonly keyPath: string;
}

export interface Wanted {
  /** DNS names and addresses that it is valid for. */
  readonly names: readonly string[];
  /** Default: both. */
  readonly use?: 'clientAuth' | 'serverAuth';
  /** The subject's common name. */
  readonly commonName?: string;
}

export class Authority {
  readonly folder = mkdtempSync(join(tmpdir(), 'headroom-ca-'));
  readonly caPath = join(this.folder, 'ca.pem');
  readonly #keyPath = join(this.folder, 'ca.key');
  #issued = 0;

  constructor(name = 'Headroom test authority') {
    openssl('req', '-x509', '-days', '2', '-subj', `/CN=${name}`, ...newKey(this.#keyPath), '-out', this.caPath);
  }

  get ca(): Buffer {
    return readFileSync(this.caPath);
  }

  /** A new key and a certificate for it, in files of this authority's folder. */
  issue({ names, use, commonName = 'test' }: Wanted): CertificateFiles {
    this.#issued += 1;
    const at = (suffix: string): string => join(this.folder, `${this.#issued}.${suffix}`);
    const uses = use ?? 'serverAuth,clientAuth';
    const extension = names.length === 0 ? '' : `subjectAltName=${names.map(alternative).join(',')}\n`;
    writeFileSync(at('ext'), `${extension}extendedKeyUsage=${uses}\n`);
    openssl('req', '-new', '-subj', `/CN=${commonName}`, ...newKey(at('key')), '-out', at('csr'));
    const by = ['-CA', this.caPath, '-CAkey', this.#keyPath, '-CAcreateserial', '-days', '2'];
    openssl('x509', '-req', '-in', at('csr'), ...by, '-extfile', at('ext'), '-out', at('pem'));
    return { certPath: at('pem'), keyPath: at('key') };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** In the form that Node's clients want. */
export function pemOf({ certPath, keyPath }: CertificateFiles): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(certPath), key: readFileSync(keyPath) };
}

/** Puts a file in another's place as tools do that renew certificates: whole, under its name at once. */
export function replaceFile(from: string, to: string): void {
  copyFileSync(from, `${to}.new`);
  renameSync(`${to}.new`, to);
}

function alternative(name: string): string {
  return isIP(name) === 0 ? `DNS:${name}` : `IP:${name}`;
}

function newKey(path: string): readonly string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', path];
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', [...args], { stdio: ['ignore', 'ignore', 'pipe'] });
}
