/** Runs every test and ends with the line `N passed, N failed`. Arguments go to jest, such as a file's name. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TRANSPORTS, type Transport, transportEnv } from '../test/support/transports.ts';

interface JestResult {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly success: boolean;
}

interface Run {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Tests that load the machine run alone: beside others they would measure those. */
const RUNS: readonly Run[] = [
  { args: ['--selectProjects', 'unit'] },
  { args: ['--selectProjects', 'system', '--runInBand'] },
];
/** What is told of the gRPC port beside test/surfaces/wire and test/system/wire, which know all transports themselves. */
const PORT_TESTS = {
  unit: 'test/(conformance/(recorded|own)|surfaces/(any-bytes|bad-input-grpc|grpc-|health|reflection|rls-|shutdown)|process/stop)',
  system: 'test/system/envoy',
};

const folder = mkdtempSync(join(tmpdir(), 'headroom-test-'));
// Whoever names a test wants that one, and once.
const again = process.argv.length > 2 ? [] : TRANSPORTS.slice(1).flatMap(runsFor);
const results = [...RUNS, ...again].map((run, index) => jest(run, join(folder, `${index}.json`)));
rmSync(folder, { recursive: true });

const passed = results.reduce((sum, result) => sum + result.numPassedTests, 0);
// A file that cannot even be loaded is a failure, too.
const failed = results.reduce((sum, result) => sum + result.numFailedTests + result.numRuntimeErrorTestSuites, 0);
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exit(results.every((result) => result.success) && passed > 0 ? 0 : 1);

/** Again for a transport that is not the default. */
function runsFor(transport: Transport): readonly Run[] {
  return RUNS.map(({ args }) => {
    const pattern = args.includes('system') ? PORT_TESTS.system : PORT_TESTS.unit;
    return { args: [...args, '--testPathPatterns', pattern], env: transportEnv(transport) };
  });
}

function jest({ args, env }: Run, outputFile: string): JestResult {
  const command = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
  const options = ['--json', `--outputFile=${outputFile}`, '--passWithNoTests', ...args, ...process.argv.slice(2)];
  spawnSync(process.execPath, [...command, ...options], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...env },
  });
  return JSON.parse(readFileSync(outputFile, 'utf8')) as JestResult;
}
