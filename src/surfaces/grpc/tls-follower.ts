/** Follows the files of TLS as they change. What cannot be used leaves in force what was. */
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { SecureContextOptions } from 'node:tls';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { TlsConfig } from './config.ts';
import { readTlsFiles, secureOptions, type TlsFiles } from './tls-files.ts';

export interface TlsFollowerOptions {
  readonly config: TlsConfig;
  readonly clock: Clock;
  readonly log: Log;
  /** Called with each usable set that differs from the one before. */
  readonly onChange: (options: SecureContextOptions) => void;
}

// A file is written in several steps, and the key after the certificate.
const SETTLE_MILLIS = 50;
// Whoever writes the second file later than this has the first one logged as what it is until then: unusable.
const ATTEMPTS_MAX = 20;
// Folders that are exchanged as a whole take their watches with them, and some file systems have none.
const LOOK_AGAIN_MILLIS = 60_000;
// The link that the volume of a Kubernetes Secret exchanges when its content changes.
const KUBERNETES_SWAP = '..data';

export class TlsFollower {
  readonly #options: TlsFollowerOptions;
  #current: TlsFiles | undefined;
  #watchers: readonly FSWatcher[] = [];
  #next: Timer | undefined;
  #again: Timer | undefined;
  /** Why watches failed: told once each. */
  readonly #unwatched = new Set<string>();
  /** Why what was read last is of no use, as it was told. */
  #unusable: string | undefined;

  constructor(options: TlsFollowerOptions) {
    this.#options = options;
  }

  /** Hands over the first set, and then each later one until `close`. @throws TlsFileError when there is no first one */
  start(): void {
    // Watched before they are read: a change in between is seen.
    this.#watchers = this.#watchAll();
    try {
      this.#load();
    } catch (error) {
      this.close();
      throw error;
    }
    this.#lookAgain();
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#next?.cancel();
    this.#again?.cancel();
  }

  /** Now and then, whatever is seen meanwhile: watches anew what stands at these paths by then, and reads it. */
  #lookAgain(): void {
    this.#again = this.#options.clock.after(LOOK_AGAIN_MILLIS, () => {
      for (const watcher of this.#watchers) watcher.close();
      this.#watchers = this.#watchAll();
      this.#reloadSoon(1);
      this.#lookAgain();
    });
  }

  /** The folders: whoever renews a certificate replaces files rather than writes them. */
  #watchAll(): readonly FSWatcher[] {
    const { config, log } = this.#options;
    const paths = [config.certPath, config.keyPath, config.clientCaPath].filter((path) => path !== undefined);
    const names = new Set([...paths.map((path) => basename(path)), KUBERNETES_SWAP]);
    return [...new Set(paths.map((path) => dirname(path)))].flatMap((folder) => {
      const failed = (error: unknown): void => {
        const { message } = error as Error;
        if (this.#unwatched.has(message)) return;
        this.#unwatched.add(message);
        log.error({ err: error, path: folder }, 'changes of TLS files are seen once a minute only');
      };
      try {
        const watcher = watch(folder, { persistent: false }, (_event, name) => {
          if (name === null || names.has(name)) this.#reloadSoon(1);
        });
        watcher.on('error', failed);
        return [watcher];
      } catch (error) {
        // A folder that is not there: reading says so, in terms of the file that was to be in it.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') failed(error);
        return [];
      }
    });
  }

  #reloadSoon(attempt: number): void {
    this.#next?.cancel();
    this.#next = this.#options.clock.after(SETTLE_MILLIS, () => this.#reload(attempt));
  }

  #reload(attempt: number): void {
    const { config, log } = this.#options;
    try {
      if (this.#load()) log.info({ path: config.certPath }, 'TLS files loaded');
      this.#unusable = undefined;
    } catch (error) {
      if (attempt < ATTEMPTS_MAX) this.#reloadSoon(attempt + 1);
      else this.#complain((error as Error).message);
    }
  }

  /** Once, however often it is looked at. */
  #complain(reason: string): void {
    if (reason === this.#unusable) return;
    this.#unusable = reason;
    this.#options.log.error({ reason }, 'TLS files not loaded, the last good ones stay in force');
  }

  #load(): boolean {
    const { config, onChange } = this.#options;
    const files = readTlsFiles(config);
    if (this.#current !== undefined && isSame(files, this.#current)) return false;
    onChange(secureOptions(files, config));
    this.#current = files;
    return true;
  }
}

function isSame(a: TlsFiles, b: TlsFiles): boolean {
  const ca = a.clientCa === undefined || (b.clientCa !== undefined && a.clientCa.equals(b.clientCa));
  return ca && a.cert.equals(b.cert) && a.key.equals(b.key);
}
