/** The built `headroom/client` as its users get it. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { readSource } from '../architecture/source-file.ts';
import { ROOT } from '../support/service.ts';

const folder = join(ROOT, 'dist/client');
const files = readdirSync(folder);

test('it imports nothing outside itself', () => {
  expect(files).toEqual(expect.arrayContaining(['client.js', 'client.d.ts']));
  const outside = files.flatMap((file) =>
    readSource(readFileSync(join(folder, file), 'utf8')).imports.filter(
      ({ from }) => !/^\.\/[a-z-]+\.[jt]s$/.test(from),
    ),
  );
  expect(outside).toEqual([]);
});

test("it needs no globals but a browser's", () => {
  const browser = ['--lib', 'es2023,dom,dom.iterable', '--types', '', '--target', 'es2023'];
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess'];
  const how = ['--ignoreConfig', '--noEmit', '--module', 'nodenext', '--allowImportingTsExtensions'];
  const { status, stdout } = spawnSync('tsc', [...how, ...browser, ...strict, 'src/client/client.ts'], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { PATH: `${ROOT}node_modules/.bin:${process.env.PATH}` },
  });
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
});

test('it is found by its name, and holds what the document promises', () => {
  const script = "import('headroom/client').then((found) => console.log(Object.keys(found).sort().join()))";
  const { stdout } = spawnSync(process.execPath, ['-e', script], { cwd: ROOT, encoding: 'utf8' });
  const values = ['HeadroomClient', 'HeadroomError', 'PaginationError', 'RateLimitWaitError', 'createGovernedFetch'];
  expect(stdout.trim().split(',')).toEqual([...values, 'governedFetch', 'iterateItems', 'iteratePages']);
});

test.each(['governor.ts', 'governor.py'])('examples/%s says how it is used', (file) => {
  const command = file.endsWith('.py') ? 'python3' : process.execPath;
  const { status, stderr } = spawnSync(command, [`examples/${file}`], { cwd: ROOT, encoding: 'utf8' });
  expect(status).not.toBe(0);
  expect(stderr).toMatch(/^usage: .+ URL KEY CALLERS CALLS/);
});
