/** bin/headroom at the prompt: what it prints, where to, and how it ends. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startChild } from '../support/children.ts';
import { BIN, DOCUMENTED_POLICY, ROOT } from '../support/service.ts';

const VERSION = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-cli-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs to its end, with nothing in the environment but a path. */
function run(args: readonly string[], command = BIN, cwd = tmpdir()): Ended {
  const env = { PATH: process.env.PATH };
  const { status, stdout, stderr } = spawnSync(command, [...args], { cwd, env, encoding: 'utf8', timeout: 20_000 });
  return { status, stdout, stderr };
}

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

describe('headroom', () => {
  test('--version prints the version of the package', () => {
    expect(run(['--version'])).toEqual({ status: 0, stdout: `headroom ${VERSION}\n`, stderr: '' });
  });

  test.each(['--help', '-h'])('%s prints every way to use it', (option) => {
    const { status, stdout, stderr } = run([option]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const ways = ['[serve]', 'check-config PATH', 'keys COMMAND', '--version', '--help'];
    for (const way of ways) expect(stdout).toContain(`headroom ${way}`);
  });

  test.each([[['sevre']], [['serve', 'now']], [['check-config']], [['check-config', '--strict', 'p']]])(
    '%j is refused with status 2, the words that were meant, and the usage',
    (args) => {
      const { status, stdout, stderr } = run(args);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr.split('\n')[0]).toBe(`headroom: cannot make sense of '${args.join(' ')}'`);
      expect(stderr).toContain('usage: headroom [serve]');
    },
  );
});

describe('headroom check-config', () => {
  const ok = (...lines: readonly string[]) =>
    `${['checking rate limit configs...', ...lines, 'all rate limit configs ok'].join('\n')}\n`;

  test('says that a good file is in order', () => {
    const stdout = ok(`opening config file: ${DOCUMENTED_POLICY}`);
    expect(run(['check-config', DOCUMENTED_POLICY])).toEqual({ status: 0, stdout, stderr: '' });
  });

  test('says that a good folder is in order, file by file, also with the flags of envoyproxy/ratelimit', () => {
    const good = join(folder, 'good');
    mkdirSync(good);
    writeFileSync(join(good, '1.yaml'), 'domain: b\n');
    writeFileSync(join(good, '2.yml'), 'domain: a\n');
    const opened = ['1.yaml', '2.yml'].map((name) => `opening config file: ${join(good, name)}`);
    const stdout = ok(`loading config directory: ${good}`, ...opened);
    expect(run(['check-config', good])).toEqual({ status: 0, stdout, stderr: '' });
    const args = ['check-config', '-config_dir', good, '-merge_domain_configs'];
    expect(run(args)).toEqual({ status: 0, stdout, stderr: '' });
  });

  test.each<[what: string, text: string, status: number, where: string]>([
    ['an unknown key', 'domain: d\ndescriptors:\n  - key: a\n    limit: 3\n', 2, ':4: descriptors[0].limit: '],
    [
      'an unknown unit',
      'domain: d\ndescriptors:\n  - key: a\n    limits:\n      - { requests: 1, per: fortnight }\n',
      1,
      ':5: descriptors[0].limits[0].per: ',
    ],
    ['no domain', 'descriptors: []\n', 1, ':1: '],
    ['no YAML', 'domain: [\n', 2, ':'],
  ])('says where a file is wrong, in one line: %s', (_what, text, status, where) => {
    const file = write('bad.yaml', text);
    const ended = run(['check-config', file]);
    expect(ended.status).toBe(status);
    const begin = status === 2 ? 'headroom: ' : 'error loading rate limit configs: ';
    const told = status === 2 ? ended.stderr : (ended.stdout.split(/^(?=error)/m)[1] ?? '');
    expect(told.startsWith(`${begin}${file}${where}`)).toBe(true);
    expect(told).toMatch(/^.+:\d+: .+\n$/);
  });

  test.each(['nowhere.yaml', 'nowhere/'])('says that there is nothing to read at %s', (name) => {
    const { status, stdout, stderr } = run(['check-config', join(folder, name)]);
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    expect(stdout).toMatch(/\nerror loading rate limit configs: .+nowhere.*: cannot read: .+\n$/);
  });

  test('reads a relative path from where it is called', () => {
    write('here.yaml', 'domain: here\n');
    expect(run(['check-config', 'here.yaml'], BIN, folder)).toMatchObject({ status: 0 });
  });
});

describe('headroom keys', () => {
  test('is handed over to, with its exit code', () => {
    expect(run(['keys', '--help'])).toMatchObject({ status: 0, stderr: '' });
    const stderr = "headroom: HEADROOM_TOKEN is not set, nor is ADMIN_TOKEN; see 'headroom keys --help'\n";
    expect(run(['keys', 'list'])).toEqual({ status: 2, stdout: '', stderr });
  });

  test('ends well when its reader has had enough', () => {
    const { stdout, stderr } = run(['-c', `(${BIN} keys --help; echo $? >&2) | true`], '/bin/sh');
    expect({ stdout, stderr }).toEqual({ stdout: '', stderr: '0\n' });
  });

  describe('with more to print than a pipe takes', () => {
    // A hundred records of more than 10,000 characters: 1 MB.
    const shown = { id: 'key_a', name: 'a', type: 'secret', status: 'active', created_at: '2026-11-23T00:00:00Z' };
    const record = JSON.stringify({ ...shown, metadata: { filler: 'x'.repeat(10_000) } });
    const pagination = { page: 1, page_size: 100, total_count: 100, total_pages: 1, has_next: false };
    const answer = `{"data":[${Array(100).fill(record).join()}],"pagination":${JSON.stringify(pagination)}}`;
    let server: Server;

    beforeAll(async () => {
      server = createServer((_request, response) => response.end(answer));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    });

    afterAll(() => {
      server.close();
      server.closeAllConnections();
    });

    test.each<[title: string, reader: string, printed: string]>([
      ['loses nothing to a reader that waits', 'sleep 1; wc -c', `${100 * (record.length + 1)}`],
      ['ends well when its reader stops within', 'head -c 5', record.slice(0, 5)],
    ])('%s', async (_title, reader, printed) => {
      const { port } = server.address() as AddressInfo;
      const env = { PATH: process.env.PATH, HEADROOM_URL: `http://127.0.0.1:${port}`, HEADROOM_TOKEN: 'a-token' };
      const child = startChild('/bin/sh', ['-c', `(${BIN} keys list --json; echo $? >&2) | (${reader})`], { env });
      const [stdout, stderr] = await Promise.all([text(child.stdout!), text(child.stderr!)]);
      expect({ stdout: stdout.trim(), stderr }).toEqual({ stdout: printed, stderr: '0\n' });
    });
  });
});

describe('bin/headroom works', () => {
  const version = `headroom ${VERSION}\n`;

  test('through an absolute symbolic link', () => {
    const link = join(folder, 'absolute');
    symlinkSync(BIN, link);
    expect(run(['--version'], link)).toMatchObject({ status: 0, stdout: version });
  });

  test('through a relative symbolic link, from anywhere', () => {
    const link = join(folder, 'relative');
    symlinkSync(relative(folder, BIN), link);
    expect(run(['--version'], link, '/')).toMatchObject({ status: 0, stdout: version });
  });

  test('through a chain of links, found by PATH', () => {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    symlinkSync(BIN, join(folder, 'first'));
    symlinkSync('../first', join(bin, 'headroom'));
    const command = `PATH=${bin}:$PATH; headroom --version`;
    expect(run(['-c', command], '/bin/sh')).toMatchObject({ status: 0, stdout: version });
  });

  test('in a folder whose name holds spaces', () => {
    const spaced = join(folder, 'a b');
    mkdirSync(spaced);
    symlinkSync(BIN, join(spaced, 'head room'));
    expect(run(['--version'], join(spaced, 'head room'))).toMatchObject({ status: 0, stdout: version });
  });
});
