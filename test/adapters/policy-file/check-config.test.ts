/** The checker's words and exit codes: those of envoyproxy/ratelimit's. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { checkConfig } from '../../../src/adapters/policy-file/check-config.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-check-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
}

/** What is printed has `D` in place of the folder. */
function check(options: { path?: string; everyFile?: boolean; mergeDomains?: boolean } = {}) {
  let out = '';
  let errors = '';
  const code = checkConfig({
    path: folder,
    everyFile: true,
    mergeDomains: false,
    write: (text) => {
      out += text;
    },
    writeError: (text) => {
      errors += text;
    },
    ...options,
  });
  return { code, out: out.replaceAll(folder, 'D'), errors: errors.replaceAll(folder, 'D') };
}

const BEGIN = 'checking rate limit configs...\nloading config directory: D\n';

test('a directory is checked with every file in it', () => {
  write({ 'b.txt': 'domain: b\n', 'a.yaml': 'domain: a\n', '.c': 'domain: c\n' });
  const opened = ['.c', 'a.yaml', 'b.txt'].map((name) => `opening config file: D/${name}\n`).join('');
  expect(check()).toEqual({ code: 0, out: `${BEGIN}${opened}all rate limit configs ok\n`, errors: '' });
});

test('an empty directory is in order', () => {
  expect(check()).toEqual({ code: 0, out: `${BEGIN}all rate limit configs ok\n`, errors: '' });
});

test('what POLICY_PATH reads of a directory may be checked instead', () => {
  write({ 'b.txt': '{', 'a.yaml': 'domain: a\n' });
  const out = `${BEGIN}opening config file: D/a.yaml\nall rate limit configs ok\n`;
  expect(check({ everyFile: false })).toEqual({ code: 0, out, errors: '' });
});

test('a file is checked by itself', () => {
  write({ 'a.yaml': 'domain: a\n', 'b.yaml': '{' });
  expect(check({ path: join(folder, 'a.yaml'), everyFile: false })).toEqual({
    code: 0,
    out: 'checking rate limit configs...\nopening config file: D/a.yaml\nall rate limit configs ok\n',
    errors: '',
  });
});

test.each([
  [
    'an unknown unit',
    'domain: d\ndescriptors:\n  - key: k\n    rate_limit: { unit: foo }\n',
    "4: descriptors[0].rate_limit.unit: invalid rate limit unit 'foo'",
  ],
  ['an empty file', '', '1: domain: config file cannot have empty domain'],
  ['no key', 'domain: d\ndescriptors:\n  - value: v\n', '3: descriptors[0].key: descriptor has empty key'],
])('a rule that cannot be is told on standard output, with code 1: %s', (_title, text, message) => {
  write({ 'a.yaml': text });
  const error = `error loading rate limit configs: D/a.yaml:${message}\n`;
  expect(check()).toEqual({ code: 1, out: `${BEGIN}opening config file: D/a.yaml\n${error}`, errors: '' });
});

test.each([
  [
    'no YAML',
    'domain: [\n',
    '2: error loading config file: yaml: unexpected end of the stream within a flow collection',
  ],
  ['an unknown key', 'domain: d\nbogus: 1\n', "2: bogus: config error, unknown key 'bogus'"],
  [
    'a list of texts',
    'domain: d\ndescriptors: [a]\n',
    '2: descriptors[0]: config error, yaml file contains list of type other than map: a',
  ],
  ['a fraction', 'domain: 1.5\n', '1: domain: error checking config'],
])('what cannot be read is told on standard error in one line, with code 2: %s', (_title, text, message) => {
  write({ 'a.yaml': text });
  const out = `${BEGIN}opening config file: D/a.yaml\n`;
  expect(check()).toEqual({ code: 2, out, errors: `headroom: D/a.yaml:${message}\n` });
});

test('one domain in two files is code 1, unless they may be merged', () => {
  write({ 'a.yaml': 'domain: d\n', 'b.yaml': 'domain: d\n' });
  expect(check()).toMatchObject({
    code: 1,
    out: expect.stringContaining("D/b.yaml:1: domain: duplicate domain 'd' in config file\n"),
  });
  expect(check({ mergeDomains: true })).toMatchObject({ code: 0 });
});

test('a directory within is code 1', () => {
  write({ 'a.yaml': 'domain: d\n' });
  mkdirSync(join(folder, 'b'));
  expect(check()).toMatchObject({ code: 1, out: expect.stringMatching(/D\/b: cannot read: EISDIR.*\n$/) });
});

test.each([true, false])('what is not there is code 1 (every file: %s)', (everyFile) => {
  const { code, out } = check({ path: join(folder, 'nowhere'), everyFile });
  expect(code).toBe(1);
  expect(out).toMatch(/error loading rate limit configs: D\/nowhere: cannot read: ENOENT.*\n$/);
});
