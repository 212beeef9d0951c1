/** Runs every test and ends with the line `N passed, N failed`. Arguments go to jest, such as a file's name. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface JestResult {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly success: boolean;
}

/** Tests that load the machine run alone: beside others they would measure those. */
const RUNS: readonly (readonly string[])[] = [
  ['--selectProjects', 'unit'],
  ['--selectProjects', 'system', '--runInBand'],
];

const folder = mkdtempSync(join(tmpdir(), 'headroom-test-'));
const results = RUNS.map((args, index) => jest(args, join(folder, `${index}.json`)));
rmSync(folder, { recursive: true });

const passed = results.reduce((sum, result) => sum + result.numPassedTests, 0);
// A file that cannot even be loaded is a failure, too.
const failed = results.reduce((sum, result) => sum + result.numFailedTests + result.numRuntimeErrorTestSuites, 0);
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exit(results.every((result) => result.success) && passed > 0 ? 0 : 1);

function jest(args: readonly string[], outputFile: string): JestResult {
  const command = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
  const options = ['--json', `--outputFile=${outputFile}`, '--passWithNoTests', ...args, ...process.argv.slice(2)];
  spawnSync(process.execPath, [...command, ...options], { stdio: ['ignore', 'ignore', 'inherit'] });
  return JSON.parse(readFileSync(outputFile, 'utf8')) as JestResult;
}
