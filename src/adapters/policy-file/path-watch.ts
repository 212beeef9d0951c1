/** Watches every name that decides what some paths lead to. Says that something has changed, not what. */
import { type FSWatcher, readlinkSync, statSync, watch } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';

/** Of the names in a directory those that count. */
export interface Watched {
  readonly directory: string;
  readonly counts: (name: string) => boolean;
}

export interface PathWatchOptions {
  /** What is to be watched as things stand; asked again after each change. */
  readonly watched: () => readonly Watched[];
  readonly clock: Clock;
  readonly log: Log;
  readonly onChange: () => void;
  /** Changes may have gone unseen. */
  readonly onDoubt: () => void;
}

// How long a change may go unseen where nothing can be watched: inotify's watches are used up, a file system has none.
const REPAIR_MILLIS = 1_000;
// As Linux follows at most.
const LINKS_MAX = 40;
// What changes more often while it is being watched is looked at again with the next change.
const ROUNDS_MAX = 5;

interface Watcher {
  readonly watcher: FSWatcher;
  /** Which directory it is: another one may come to stand in its place. */
  readonly identity: string;
  counts: (name: string) => boolean;
}

export class PathWatch {
  readonly #options: PathWatchOptions;
  readonly #watchers = new Map<string, Watcher>();
  #repair: Timer | undefined;
  #isTroubled = false;
  #isClosed = false;

  constructor(options: PathWatchOptions) {
    this.#options = options;
  }

  /** Opens what is not watched yet, and closes what need not be. Whoever reads afterwards misses nothing. */
  refresh(): void {
    // A path may come to lead elsewhere before its new directories are watched: then there are some to open again.
    for (let round = 0; round < ROUNDS_MAX && this.#openMissing(); round++);
  }

  close(): void {
    this.#isClosed = true;
    this.#repair?.cancel();
    for (const directory of [...this.#watchers.keys()]) this.#drop(directory);
  }

  /** @returns whether anything was opened */
  #openMissing(): boolean {
    const wanted = new Map<string, ((name: string) => boolean)[]>();
    for (const { directory, counts } of this.#options.watched()) {
      const known = wanted.get(directory);
      if (known === undefined) wanted.set(directory, [counts]);
      else known.push(counts);
    }
    for (const directory of [...this.#watchers.keys()]) if (!wanted.has(directory)) this.#drop(directory);
    let opened = false;
    for (const [directory, tests] of wanted) {
      if (this.#open(directory, (name) => tests.some((counts) => counts(name)))) opened = true;
    }
    return opened;
  }

  #open(directory: string, counts: (name: string) => boolean): boolean {
    const identity = identityOf(directory);
    const known = this.#watchers.get(directory);
    if (known !== undefined && known.identity === identity) {
      known.counts = counts;
      return false;
    }
    this.#drop(directory);
    // Its own directory is watched for its return.
    if (identity === undefined) return false;
    try {
      const watcher = watch(directory, { persistent: false });
      const opened: Watcher = { watcher, identity, counts };
      watcher.on('change', (_event, name) => {
        if (name === null || opened.counts(String(name))) this.#options.onChange();
      });
      watcher.on('error', (error) => this.#lose(directory, error));
      this.#watchers.set(directory, opened);
      return true;
    } catch (error) {
      this.#lose(directory, error as NodeJS.ErrnoException);
      return false;
    }
  }

  #lose(directory: string, error: NodeJS.ErrnoException): void {
    this.#drop(directory);
    // A directory above that may be passed through but not listed; or gone, and then the one above tells of its return.
    if (error.code === 'EACCES' || error.code === 'ENOENT' || this.#isClosed) return;
    if (!this.#isTroubled) {
      this.#options.log.error(
        { err: error, path: directory },
        'policy changes are seen late: a directory cannot be watched',
      );
    }
    this.#isTroubled = true;
    this.#repair?.cancel();
    this.#repair = this.#options.clock.after(REPAIR_MILLIS, () => {
      this.#repair = undefined;
      this.refresh();
      this.#options.onDoubt();
      if (this.#repair === undefined) this.#isTroubled = false;
    });
  }

  #drop(directory: string): void {
    this.#watchers.get(directory)?.watcher.close();
    this.#watchers.delete(directory);
  }
}

/** Every directory and name on the way of a path, through all links: whichever is exchanged, the path leads elsewhere. */
export function namesOn(path: string): readonly Watched[] {
  const found: Watched[] = [];
  const rest = resolve(path).split('/').filter(Boolean);
  let directory = '/';
  let links = 0;
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '..') {
      directory = dirname(directory);
      continue;
    }
    const own = name;
    found.push({ directory, counts: (changed) => changed === own });
    const target = linkTarget(join(directory, name));
    if (target === undefined) directory = join(directory, name);
    else if (++links > LINKS_MAX) break;
    else {
      rest.unshift(...target.split('/').filter((part) => part !== '' && part !== '.'));
      if (isAbsolute(target)) directory = '/';
    }
  }
  return found;
}

/** Undefined for what is no link, or not there. */
function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Undefined for what is not there, or cannot be reached. */
function identityOf(directory: string): string | undefined {
  try {
    const { dev, ino, birthtimeNs } = statSync(directory, { bigint: true });
    // The number of a directory that was removed goes to the next one that is made.
    return `${dev}:${ino}:${birthtimeNs}`;
  } catch {
    return undefined;
  }
}
