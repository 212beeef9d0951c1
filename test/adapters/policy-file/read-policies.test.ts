import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { PolicyFileError } from '../../../src/adapters/policy-file/policy-file-error.ts';
import { parsePolicies, readPolicies } from '../../../src/adapters/policy-file/read-policy.ts';
import { settle } from '../../../src/core/decision.ts';
import { answerOf } from '../../../src/core/headers.ts';
import { planOf } from '../../../src/core/plan.ts';
import { hasherForTest, of, taken, thrownBy } from '../../core/build.ts';

const root = mkdtempSync(join(tmpdir(), 'headroom-policies-'));
let folder: string;
let folders = 0;
beforeEach(() => {
  folders += 1;
  folder = join(root, String(folders));
  mkdirSync(folder);
});
afterAll(() => rmSync(root, { recursive: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
}

describe('a path', () => {
  test('to a file is that file, whatever its name', () => {
    write({ 'policy.conf': 'domain: d\n', 'other.yaml': 'domain: e\n' });
    expect([...readPolicies(join(folder, 'policy.conf')).keys()]).toEqual(['d']);
  });

  test('to a directory is every *.yaml and *.yml in it, but no dot file, no other file and no directory further in', () => {
    write({
      'b.yml': 'domain: b\n',
      'a.yaml': 'domain: a\n',
      '.hidden.yaml': 'no: yaml',
      'README.md': '# none',
      'c.yaml.bak': '{',
    });
    mkdirSync(join(folder, 'further'));
    writeFileSync(join(folder, 'further', 'c.yaml'), 'domain: c\n');
    expect([...readPolicies(folder).keys()]).toEqual(['a', 'b']);
  });

  test.each([
    { title: 'to nothing', path: 'nothing.yaml', message: 'cannot read: ENOENT: no such file or directory, stat ' },
    { title: 'below a file', path: 'a.yaml/b', message: 'cannot read: ENOTDIR: not a directory, stat ' },
  ])('$title is refused by its name', ({ path, message }) => {
    write({ 'a.yaml': 'domain: d\n' });
    const full = join(folder, path);
    const error = thrownBy(() => readPolicies(full));
    expect(error).toBeInstanceOf(PolicyFileError);
    expect(error).toMatchObject({ code: 'POLICY_INVALID', message: `${full}: ${message}'${full}'` });
  });

  test('to a directory without policy files is refused', () => {
    write({ 'README.md': '# none' });
    expect(thrownBy(() => readPolicies(folder))).toMatchObject({
      message: `${folder}: no *.yaml file in this directory`,
    });
  });

  test('to something named *.yaml that cannot be read is refused by that name', () => {
    mkdirSync(join(folder, 'a.yaml'));
    const file = join(folder, 'a.yaml');
    expect(thrownBy(() => readPolicies(folder))).toMatchObject({
      message: `${file}: cannot read: EISDIR: illegal operation on a directory, read`,
    });
  });
});

describe('a file', () => {
  test.each([
    { title: 'in Latin-1', bytes: Buffer.from('domain: d\ndescriptors:\n  - key: caf\xe9\n', 'latin1') },
    { title: 'in UTF-16', bytes: Buffer.from('\uFEFFdomain: d\n', 'utf16le') },
    { title: 'with half a character', bytes: Buffer.from('domain: "\xe2\x82"\n', 'latin1') },
  ])('$title is refused, since nobody would meet its rules', ({ bytes }) => {
    const file = join(folder, 'a.yaml');
    writeFileSync(file, bytes);
    expect(thrownBy(() => readPolicies(folder))).toMatchObject({ fault: 'form', message: `${file}: is not UTF-8` });
  });

  test('in UTF-8 with a byte order mark is read', () => {
    write({ 'a.yaml': '\uFEFFdomain: caf\u00e9\n' });
    expect([...readPolicies(folder).keys()]).toEqual(['caf\u00e9']);
  });
});

describe('a set of files', () => {
  test('with one domain twice is refused, by the second file and the line of its domain', () => {
    write({ 'a.yaml': 'domain: d\n', 'b.yaml': '# the same again\ndomain: d\n' });
    expect(thrownBy(() => readPolicies(folder))).toMatchObject({
      code: 'POLICY_INVALID',
      message: `${join(folder, 'b.yaml')}:2: domain: duplicate domain 'd' in config file`,
    });
  });

  test('with one bad file is refused as a whole', () => {
    write({ 'a.yaml': 'domain: a\n', 'b.yaml': 'domain: b\nfoo: 1\n' });
    expect(() => readPolicies(folder)).toThrow(`${join(folder, 'b.yaml')}:2: foo: config error, unknown key 'foo'`);
  });
});

test('a name that no header can carry is no reason against `headers: ietf`, in one file as little as in two', () => {
  const rule = 'descriptors: [{ key: k, rate_limit: { unit: day, name: "gr\u00fcn\\r\\n" } }]\n';
  const one = [{ name: 'a.yaml', text: `domain: d\nheaders: ietf\n${rule}` }];
  const two = [
    { name: 'a.yaml', text: `domain: d\n${rule}` },
    { name: 'b.yaml', text: 'domain: d\nheaders: ietf\n' },
  ];
  for (const texts of [one, two]) {
    const policy = parsePolicies(texts, { mergeDomains: true }).get('d');
    expect([policy?.headerStyle, policy?.root.children.get('k')?.limit?.windows[0]?.name]).toEqual([
      'ietf',
      'gr\u00fcn\r\n',
    ]);
  }
});

test('a domain in thousands of files takes no more time for each than for the first', () => {
  const rules = (file: number) =>
    Array.from(
      { length: 10 },
      (_, n) => `  - { key: "k_${file}_${n}${n === 0 ? '*' : ''}", rate_limit: { unit: day } }\n`,
    );
  const texts = Array.from({ length: 4_000 }, (_, file) => ({
    name: `${file}.yaml`,
    text: `domain: d\ndescriptors:\n  - { key: s${file}, api_keys: true }\n${rules(file).join('')}`,
  }));
  const startedAt = performance.now();
  const policy = parsePolicies(texts, { mergeDomains: true }).get('d');
  expect(policy?.root.children.size).toBe(44_000);
  // A second or two; where each file cost what all before it hold, it was more than half a minute.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});

describe('the documented policy, examples/closient.yaml,', () => {
  const policies = readPolicies(new URL('../../../examples/closient.yaml', import.meta.url).pathname);
  const policy = policies.get('closient');

  test('is one domain with the documented headers', () => {
    expect([...policies.keys()]).toEqual(['closient']);
    expect(policy?.headerStyle).toBe('documented');
  });

  test.each([
    { title: 'any API key', entries: { api_key: 'csk_1' }, policyField: '300;w=60, 10000;w=86400' },
    { title: 'a key without a prefix', entries: { api_key: 'x' }, policyField: '300;w=60, 10000;w=86400' },
    { title: 'a publishable key', entries: { api_key: 'cpk_1' }, policyField: '100;w=60, 10000;w=86400' },
    { title: 'an address', entries: { remote_address: '10.0.0.1' }, policyField: '60;w=60' },
  ])('limits $title as documented', ({ entries, policyField }) => {
    const asked = {
      domain: 'closient',
      descriptors: [of(entries as unknown as Record<string, string>)],
      hitsAddend: 0,
    };
    const plan = planOf(asked, policy, hasherForTest);
    const unused = plan.hits.flatMap(({ windows }) => windows.map(() => 0));
    expect(answerOf(settle(plan, taken(plan, unused)), 'documented').headers[0]).toEqual([
      'RateLimit-Policy',
      policyField,
    ]);
  });

  test('never puts an API key into a subject', () => {
    const asked = { domain: 'closient', descriptors: [of({ api_key: 'csk_1' })], hitsAddend: 0 };
    expect(planOf(asked, policy, { ...hasherForTest, hash: () => 'HASH' }).hits[0]?.subject).toBe(
      '8:closient7:api_keyk4:HASH',
    );
  });
});
