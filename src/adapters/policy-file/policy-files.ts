/** The policies of a place, followed as they change. A bad change keeps the last good set. */
import { realpathSync } from 'node:fs';
import type { PolicySet } from '../../core/policy.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { PolicySource } from '../../ports/policy-source.ts';
import { namesOn, PathWatch, type Watched } from './path-watch.ts';
import { PolicyFileError } from './policy-file-error.ts';
import {
  ChangedMeanwhile,
  directoryOf,
  fingerprint,
  isPolicyFile,
  listFiles,
  type PolicyPlace,
  type RuntimePlace,
  statOf,
} from './policy-place.ts';
import { readPolicies } from './read-policy.ts';

export interface PolicyFilesOptions {
  readonly place: PolicyPlace;
  /** Files of one domain add up; otherwise a second one is an error. */
  readonly mergeDomains: boolean;
  /** Whatever is wrong with the first set, or missing, is logged and waited for. */
  readonly mayBeWithout: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** After every attempt to load a set. @param inForce the last good one */
  readonly onLoad: (loaded: boolean, inForce: PolicySet | undefined) => void;
}

// Editors write in several steps; one reload after the last of them is enough.
const SETTLE_MILLIS = 50;
// A file that is written all the time must take effect all the same.
const SETTLE_MILLIS_MAX = 150;
// Files that change faster than they can be read, or a link that leads nowhere: after these, it is told as a mistake.
const READS_MAX = 5;
// The link that a ConfigMap's volume exchanges when its content changes.
const KUBERNETES_SWAP = '..data';

export class PolicyFiles implements PolicySource {
  readonly #options: PolicyFilesOptions;
  readonly #path: string;
  readonly #watch: PathWatch;
  #current: PolicySet | undefined;
  /** What the files looked like before they were last read. */
  #seen = '';
  #settling: Timer | undefined;
  #changedAtMillis: number | undefined;
  /** Reads in a row that found the files changing. */
  #reads = 0;

  /**
   * @throws PolicyFileError, unless the service may be without, when there is nothing to read; and, of a path, when its
   * first set cannot be used. A runtime directory that cannot be used is logged, and read again when it changes.
   */
  constructor(options: PolicyFilesOptions) {
    const { place, mayBeWithout } = options;
    this.#options = options;
    this.#path = place.type === 'path' ? place.path : directoryOf(place);
    this.#watch = new PathWatch({
      ...options,
      watched: () => watchedOf(place),
      onChange: () => this.#reloadSoon(),
      onDoubt: () => this.#reloadIfChanged(),
    });
    if (place.type === 'path' && !mayBeWithout) {
      this.#putInForce(this.#readAtOnce());
      return;
    }
    if (place.type === 'runtime') refuseUnwatchable(place);
    if (!mayBeWithout) listFiles(place);
    this.#reload(() => this.#readAtOnce());
  }

  /** Undefined until a first set could be used. */
  current(): PolicySet | undefined {
    return this.#current;
  }

  /** Follows changes until `close`, those since the first set was read included. */
  follow(): void {
    this.#watch.refresh();
    this.#reloadIfChanged();
  }

  close(): void {
    this.#watch.close();
    this.#settling?.cancel();
  }

  #reloadIfChanged(): void {
    if (fingerprint(this.#options.place) !== this.#seen) this.#reloadSoon();
  }

  #reloadSoon(): void {
    const { clock } = this.#options;
    const now = clock.monotonicMillis();
    this.#changedAtMillis ??= now;
    const left = this.#changedAtMillis + SETTLE_MILLIS_MAX - now;
    this.#settling?.cancel();
    this.#settling = clock.after(Math.max(0, Math.min(SETTLE_MILLIS, left)), () => {
      this.#changedAtMillis = undefined;
      this.#watch.refresh();
      this.#reload(() => this.#read());
    });
  }

  #reload(read: () => PolicySet): void {
    const { log, onLoad } = this.#options;
    let policies: PolicySet;
    try {
      policies = read();
    } catch (error) {
      if (error instanceof ChangedMeanwhile && ++this.#reads < READS_MAX) {
        this.#reloadSoon();
        return;
      }
      this.#reads = 0;
      const kept = this.#current === undefined ? 'there are none yet' : 'the last good ones stay in force';
      log.error({ path: this.#path, reason: (error as Error).message }, `policies not loaded, ${kept}`);
      onLoad(false, this.#current);
      return;
    }
    this.#reads = 0;
    log.info({ path: this.#path, domains: [...policies.keys()] }, 'policies loaded');
    this.#putInForce(policies);
  }

  #putInForce(policies: PolicySet): void {
    const { log, onLoad } = this.#options;
    this.#current = policies;
    // envoyproxy/ratelimit takes an empty directory, too: for a volume that is not mounted it is a word to be said.
    if (policies.size === 0) log.warn({ path: this.#path }, 'no policies: everything passes');
    onLoad(true, policies);
  }

  #read(): PolicySet {
    const { place, mergeDomains } = this.#options;
    this.#seen = fingerprint(place);
    return readPolicies(place, { mergeDomains });
  }

  /** @throws PolicyFileError */
  #readAtOnce(): PolicySet {
    for (let reads = 1; ; reads++) {
      try {
        return this.#read();
      } catch (error) {
        if (!(error instanceof ChangedMeanwhile)) throw error;
        if (reads === READS_MAX) throw new PolicyFileError('file', error.message, { cause: error });
      }
    }
  }
}

function refuseUnwatchable({ watchRoot, subdirectory, root }: RuntimePlace): void {
  if (!watchRoot || subdirectory !== '') return;
  // envoyproxy/ratelimit starts without any policy then, and lets everything pass.
  throw new PolicyFileError('file', `${root}: a root that is watched needs a subdirectory`);
}

function watchedOf(place: PolicyPlace): readonly Watched[] {
  if (place.type === 'path') return watchedPath(place.path);
  if (place.watchRoot) return namesOn(place.root);
  const directory = directoryOf(place);
  const counts = (name: string) => name === KUBERNETES_SWAP || !(place.ignoreDotFiles && name.startsWith('.'));
  return [...namesOn(directory), ...watchedFiles(place, directory, counts)];
}

function watchedPath(path: string): readonly Watched[] {
  if (!statOf(path)?.isDirectory()) return namesOn(path);
  // Other files in the folder may change all the time: a log that stood there would be a reload for every line of it.
  const counts = (name: string) => name === KUBERNETES_SWAP || isPolicyFile(name);
  return [...namesOn(path), ...watchedFiles({ type: 'path', path }, path, counts)];
}

/** The directories that files stand in, and of links the way to what they lead to. */
function watchedFiles(place: PolicyPlace, directory: string, counts: Watched['counts']): readonly Watched[] {
  try {
    const { files, directories } = listFiles(place);
    return [
      ...directories.map((each) => ({ directory: realpathSync(each), counts })),
      ...files.filter(({ isLink }) => isLink).flatMap(({ path }) => namesOn(path)),
    ];
  } catch {
    // Nothing can be listed there now; `namesOn` tells when that changes, or this directory when it is only empty.
    return [{ directory, counts }];
  }
}
