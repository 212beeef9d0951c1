/** The policies of a file or directory, followed as they change. A bad change keeps the last good set. */
import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { PolicySet } from '../../core/policy.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { PolicySource } from '../../ports/policy-source.ts';
import { isPolicyFile, readPolicies } from './read-policy.ts';

export interface PolicyFilesOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
  /** After every attempt to load a changed set. */
  readonly onLoad: (loaded: boolean) => void;
}

// Editors write in several steps; one reload after the last of them is enough.
const SETTLE_MILLIS = 50;
// The link that a ConfigMap's volume exchanges when its content changes.
const KUBERNETES_SWAP = '..data';

export class PolicyFiles implements PolicySource {
  readonly #options: PolicyFilesOptions;
  #current: PolicySet;
  #watcher: FSWatcher | undefined;
  #settling: Timer | undefined;

  /** @throws PolicyFileError when the first set cannot be used */
  constructor(options: PolicyFilesOptions) {
    this.#options = options;
    this.#current = readPolicies(options.path);
    options.onLoad(true);
  }

  current(): PolicySet {
    return this.#current;
  }

  /** Follows changes until `close`. The folder is watched, since editors replace files rather than write them. */
  follow(): void {
    const { path, log } = this.#options;
    const isFolder = statSync(path).isDirectory();
    // Other files in the folder may change all the time: a log that stood there would be a reload for every line of it.
    const isOurs = isFolder ? isPolicyFile : (name: string) => name === basename(path);
    this.#watcher = watch(isFolder ? path : dirname(path), { persistent: false }, (_event, name) => {
      if (name === null || isOurs(name) || name === KUBERNETES_SWAP) this.#reloadSoon();
    });
    this.#watcher.on('error', (error) => log.error({ err: error, path }, 'policy changes are no longer seen'));
  }

  close(): void {
    this.#watcher?.close();
    this.#settling?.cancel();
  }

  #reloadSoon(): void {
    this.#settling?.cancel();
    this.#settling = this.#options.clock.after(SETTLE_MILLIS, () => this.#reload());
  }

  #reload(): void {
    const { path, log, onLoad } = this.#options;
    try {
      this.#current = readPolicies(path);
      log.info({ path, domains: [...this.#current.keys()] }, 'policies loaded');
      onLoad(true);
    } catch (error) {
      log.error({ path, reason: (error as Error).message }, 'policies not loaded, the last good ones stay in force');
      onLoad(false);
    }
  }
}
