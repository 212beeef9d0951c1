/** Certificates of a test's own, made by openssl: two authorities that do not know each other, and what they signed. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Credentials {
  readonly cert: string;
  readonly key: string;
}

export class TestAuthority {
  readonly #folder = mkdtempSync(join(tmpdir(), 'headroom-tls-'));
  #issued = 0;
  /** The authority's own certificate. */
  readonly cert = join(this.#folder, 'ca.pem');
  readonly #key = join(this.#folder, 'ca.key');

  constructor() {
    this.#openssl([
      'req',
      '-x509',
      ...KEY,
      '-keyout',
      this.#key,
      '-out',
      this.cert,
      '-days',
      '2',
      '-subj',
      '/CN=test authority',
    ]);
  }

  /** @param names such as `DNS:localhost,IP:127.0.0.1` */
  issue(names: string): Credentials {
    this.#issued += 1;
    const file = (suffix: string): string => join(this.#folder, `${this.#issued}.${suffix}`);
    writeFileSync(file('ext'), `subjectAltName=${names}\n`);
    this.#openssl(['req', ...KEY, '-keyout', file('key'), '-out', file('csr'), '-subj', '/CN=test']);
    const signing = ['-CA', this.cert, '-CAkey', this.#key, '-CAcreateserial', '-days', '2', '-extfile', file('ext')];
    this.#openssl(['x509', '-req', '-in', file('csr'), '-out', file('pem'), ...signing]);
    return { cert: file('pem'), key: file('key') };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #openssl(args: readonly string[]): void {
    execFileSync('openssl', [...args], { stdio: 'ignore' });
  }
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
