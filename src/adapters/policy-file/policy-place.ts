/** Which files a source of policies consists of, and what they say at one moment. */
import { isUtf8 } from 'node:buffer';
import { type BigIntStats, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PolicyFileError } from './policy-file-error.ts';

export type PolicyPlace = PathPlace | RuntimePlace;

/** A file, or a directory of which every *.yaml and *.yml is read (dot files are not). */
export interface PathPlace {
  readonly type: 'path';
  readonly path: string;
}

/** The directory `root/subdirectory/appDirectory`, of which every file is read, and of its directories, whatever its name. */
export interface RuntimePlace {
  readonly type: 'runtime';
  readonly root: string;
  readonly subdirectory: string;
  readonly appDirectory: string;
  /** Changes count once `root` itself leads elsewhere; otherwise whenever anything in the directory changes. */
  readonly watchRoot: boolean;
  /** Files and directories whose names begin with a dot are left out. */
  readonly ignoreDotFiles: boolean;
}

/** The files were changing while they were read: what was read may be of two minds. Reading again helps. */
export class ChangedMeanwhile extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ChangedMeanwhile';
  }
}

export interface PolicyText {
  /** For messages. */
  readonly name: string;
  readonly text: string;
}

export interface PolicyFile {
  /** As messages call it. */
  readonly name: string;
  readonly path: string;
  readonly isLink: boolean;
}

export interface PolicyListing {
  readonly files: readonly PolicyFile[];
  /** Those that files are looked for in. */
  readonly directories: readonly string[];
}

// Far more than anybody has; a root that was given by mistake may hold a whole disk.
const FILES_MAX = 10_000;

export function directoryOf({ root, subdirectory, appDirectory }: RuntimePlace): string {
  return join(root, subdirectory, appDirectory);
}

/** Whether a file of this name in a directory of policies is one of them. */
export function isPolicyFile(name: string): boolean {
  return /^[^.].*\.ya?ml$/.test(name);
}

/**
 * @returns all texts as they were at one moment, by name
 * @throws PolicyFileError when something cannot be read, ChangedMeanwhile
 */
export function readTexts(place: PolicyPlace): readonly PolicyText[] {
  const { files } = listFiles(place);
  const before = fingerprintOf(files);
  const texts = files.map(({ name, path }) => ({ name, text: readListed(path, place) }));
  if (fingerprint(place) !== before) throw new ChangedMeanwhile('the files change while they are read');
  return texts;
}

/** Differs when a file has come, gone, or been written; empty when the files cannot be listed. */
export function fingerprint(place: PolicyPlace): string {
  try {
    return fingerprintOf(listFiles(place).files);
  } catch {
    return '';
  }
}

/** @throws PolicyFileError when the place is not there */
export function listFiles(place: PolicyPlace): PolicyListing {
  return place.type === 'path' ? filesAt(place.path) : runtimeFiles(place);
}

function filesAt(path: string): PolicyListing {
  try {
    if (!statSync(path).isDirectory()) {
      return { files: [{ name: path, path, isLink: true }], directories: [] };
    }
    const entries = readdirSync(path, { withFileTypes: true }).filter(({ name }) => isPolicyFile(name));
    if (entries.length === 0) throw new PolicyFileError('file', `${path}: no *.yaml file in this directory`);
    const files = entries.map((entry) => {
      const file = join(path, entry.name);
      return { name: file, path: file, isLink: entry.isSymbolicLink() };
    });
    return { files: files.sort(byName), directories: [path] };
  } catch (error) {
    throw unreadable(path, error);
  }
}

function runtimeFiles(place: RuntimePlace): PolicyListing {
  const found = { files: [] as PolicyFile[], directories: [] as string[] };
  // A watched root is read as a whole by envoyproxy/ratelimit, so that names there begin with the directory of the application.
  const prefix = place.watchRoot && place.appDirectory !== '' ? `${place.appDirectory.replaceAll('/', '.')}.` : '';
  const directory = directoryOf(place);
  try {
    walk(directory, prefix, place.ignoreDotFiles, found);
  } catch (error) {
    throw unreadable(directory, error);
  }
  found.files.sort(byName);
  return found;
}

/** Links to directories are not followed: `..data` of a ConfigMap would name every file twice. */
function walk(
  directory: string,
  prefix: string,
  ignoreDotFiles: boolean,
  found: { readonly files: PolicyFile[]; readonly directories: string[] },
): void {
  found.directories.push(directory);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (ignoreDotFiles && entry.name.startsWith('.')) continue;
    const path = join(directory, entry.name);
    const isLink = entry.isSymbolicLink();
    if (entry.isDirectory()) walk(path, `${prefix}${entry.name}.`, ignoreDotFiles, found);
    else if (entry.isFile() || (isLink && leadsToFile(path)))
      found.files.push({ name: `${prefix}${entry.name}`, path, isLink });
    if (found.files.length + found.directories.length > FILES_MAX)
      throw new PolicyFileError('file', `${directory}: more than ${FILES_MAX} files and directories`);
  }
}

/** A link that leads nowhere is listed, too: it is either about to go, or a mistake that has to be told. */
function leadsToFile(path: string): boolean {
  return statOf(path)?.isFile() ?? true;
}

/** Undefined for what cannot be looked at, for whatever reason: reading it tells which. */
export function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

function byName(a: PolicyFile, b: PolicyFile): number {
  return a.name < b.name ? -1 : 1;
}

function fingerprintOf(files: readonly PolicyFile[]): string {
  const lines = files.map(({ name, path }) => {
    const stat = statOf(path);
    return `${name}\0${stat?.dev}:${stat?.ino}:${stat?.size}:${stat?.mtimeNs}:${stat?.ctimeNs}`;
  });
  return `${files.length}\n${lines.join('\n')}`;
}

function readListed(path: string, place: PolicyPlace): string {
  try {
    return readText(path);
  } catch (error) {
    const { cause, message } = error as PolicyFileError;
    const isGone = (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
    // It was there when the directory was listed.
    if (isGone && !(place.type === 'path' && place.path === path))
      throw new ChangedMeanwhile(message, { cause: error });
    throw error;
  }
}

/** @throws PolicyFileError */
export function readText(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
  // With other characters in their place, rules would load and be met by nobody.
  if (!isUtf8(bytes)) throw new PolicyFileError('form', `${path}: is not UTF-8`);
  return bytes.toString('utf8');
}

export function unreadable(path: string, error: unknown): PolicyFileError {
  if (error instanceof PolicyFileError) return error;
  return new PolicyFileError('file', `${path}: cannot read: ${(error as Error).message}`, { cause: error });
}
