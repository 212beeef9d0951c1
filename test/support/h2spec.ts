/** h2spec, the outside suite for servers of HTTP/2: runs it and says which of its cases failed. */
import { execFile } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './service.ts';

export interface H2specReport {
  /** How many cases were run. */
  readonly cases: number;
  /** By section and title, such as `http2/6.7 Sends a PING frame with ACK`. */
  readonly failed: readonly string[];
}

// Cases take milliseconds; a server that does not answer one within this fails it.
const CASE_TIMEOUT_SECONDS = 1;

/** Where it is: as `make tools` installs it, or else anywhere on the path. Undefined if it is not to be had. */
export function findH2spec(): string | undefined {
  const folders = [join(ROOT, '.tools'), ...(process.env.PATH ?? '').split(':')];
  return folders.map((folder) => join(folder, 'h2spec')).find(isExecutable);
}

export async function runH2spec(binary: string, port: number): Promise<H2specReport> {
  const folder = mkdtempSync(join(tmpdir(), 'headroom-h2spec-'));
  const report = join(folder, 'report.xml');
  const address = ['-h', '127.0.0.1', '-p', String(port)];
  const args = ['generic', 'http2', 'hpack', ...address, '-o', String(CASE_TIMEOUT_SECONDS), '-j', report];
  // Its status says whether all passed, and so does its report.
  await new Promise<void>((resolve) => {
    execFile(binary, args, () => resolve());
  });
  const text = readFileSync(report, 'latin1');
  rmSync(folder, { recursive: true });
  return parseReport(text);
}

function parseReport(xml: string): H2specReport {
  const cases = [...xml.matchAll(/<testcase package="([^"]*)" classname="([^"]*)"[^>]*>([\s\S]*?)<\/testcase>/g)];
  const failed = cases.filter(([, , , inside]) => /<(error|failure|skipped)/.test(inside ?? ''));
  return { cases: cases.length, failed: failed.map(([, section, title]) => `${section} ${title}`) };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
