/** Says whether policy files can be used, with the words and exit codes of envoyproxy/ratelimit's checker. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PolicyFileError } from './policy-file-error.ts';
import { listFiles, readText, statOf, unreadable } from './policy-place.ts';
import { parsePolicies } from './read-policy.ts';

export interface CheckConfigOptions {
  readonly path: string;
  /** Every file of the directory `path`, whatever its name; else what POLICY_PATH would read. */
  readonly everyFile: boolean;
  readonly mergeDomains: boolean;
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
}

/**
 * @returns the exit code: 0 when all can be used; 2 for what is no YAML, has an unknown key or a value of a wrong type;
 * 1 for everything else
 */
export function checkConfig(options: CheckConfigOptions): number {
  const { path, everyFile, mergeDomains, write, writeError } = options;
  write('checking rate limit configs...\n');
  try {
    const texts = filesOf(path, everyFile, write).map((file) => {
      write(`opening config file: ${file}\n`);
      return { name: file, text: readText(file) };
    });
    parsePolicies(texts, { mergeDomains });
  } catch (error) {
    if (!(error instanceof PolicyFileError)) throw error;
    if (error.fault === 'form') {
      writeError(`headroom: ${error.message}\n`);
      return 2;
    }
    write(`error loading rate limit configs: ${error.message}\n`);
    return 1;
  }
  write('all rate limit configs ok\n');
  return 0;
}

function filesOf(path: string, everyFile: boolean, write: (text: string) => void): readonly string[] {
  if (everyFile || statOf(path)?.isDirectory()) {
    write(`loading config directory: ${path}\n`);
  }
  if (!everyFile) return listFiles({ type: 'path', path }).files.map((file) => file.path);
  try {
    const names = readdirSync(path);
    return names.sort().map((name) => join(path, name));
  } catch (error) {
    throw unreadable(path, error);
  }
}
