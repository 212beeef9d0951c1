/** `headroom keys` against the running service: what it prints, where to, and how it ends. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runKeys } from '../../src/cli/keys.ts';
import type { CreatedKey, KeyRecord, KeyUsage, RotatedKey } from '../../src/client/client.ts';
import { type InProcess, startInProcess } from '../support/in-process.ts';
import { DOCUMENTED_POLICY } from '../support/service.ts';

const TOKEN = 'cli-admin-token-0123456789';

let service: InProcess;

beforeAll(async () => {
  service = await startInProcess([readFileSync(DOCUMENTED_POLICY, 'utf8')], { ADMIN_TOKEN: TOKEN });
});

afterAll(() => service?.stop());

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Around {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

async function keys(args: readonly string[], { env, input = '' }: Around = {}): Promise<Ended> {
  const written = { stdout: '', stderr: '' };
  const code = await runKeys(args, {
    env: env ?? { HEADROOM_URL: service.http, HEADROOM_TOKEN: TOKEN },
    stdin: (async function* () {
      for (const character of input) yield Buffer.from(character);
    })(),
    write: (text) => {
      written.stdout += text;
    },
    writeError: (text) => {
      written.stderr += text;
    },
  });
  return { code, ...written };
}

/** Of a command that has to work: what it tells programs. */
async function json<T>(...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await keys([...args, '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}

describe('a key', () => {
  test('is created with everything that was typed', async () => {
    const options = ['--name', 'whole', '--type', 'publishable', '--per-minute', '60', '--per-day', '600'];
    const more = ['--status', 'disabled', '--expires', '2027-01-31', '--metadata', 'a=b', '--metadata', 'c=d=e'];
    const created = await json<CreatedKey>('create', ...options, ...more);
    expect(created).toMatchObject({
      name: 'whole',
      type: 'publishable',
      rate_limit_per_minute: 60,
      rate_limit_per_day: 600,
      status: 'disabled',
      metadata: { a: 'b', c: 'd=e' },
    });
    expect(created.key).toMatch(/^cpk_/);
    expect(Date.parse(created.expires_at!)).toBe(Date.UTC(2027, 0, 31));
  });

  test('is shown to people when it is created, on a line of its own, and never again', async () => {
    const { stdout } = await keys(['create', '--name', 'for people']);
    const [key] = stdout.match(/^csk_[A-Za-z0-9]{38}$/m)!;
    expect(stdout).toContain('This key is not shown again.');
    const id = /^id +(key_\S+)$/m.exec(stdout)?.[1] as string;
    expect((await keys(['show', id])).stdout).not.toContain(key);
  });

  test('is changed, and what is not named stays', async () => {
    const { id } = await json<CreatedKey>('create', '--name', 'changed', '--per-day', '9', '--expires', '2027-01-31');
    const change = ['--per-minute', '5', '--status', 'disabled', '--expires', 'never', '--if-version', '1'];
    expect(await json<KeyRecord>('set', id, ...change)).toMatchObject({
      name: 'changed',
      rate_limit_per_minute: 5,
      rate_limit_per_day: 9,
      status: 'disabled',
      expires_at: null,
      version: 2,
    });
    expect((await keys(['show', id])).stdout).toMatch(/^per minute {2}5$/m);
  });

  test('is revoked', async () => {
    const { id } = await json<CreatedKey>('create', '--name', 'revoked');
    expect((await keys(['revoke', id])).stdout).toMatch(/^status +revoked$/m);
  });

  test('is rotated', async () => {
    const { id, key } = await json<CreatedKey>('create', '--name', 'rotated');
    const rotated = await json<RotatedKey>('rotate', id, '--grace', '3600');
    expect(rotated.key).not.toBe(key);
    expect((await keys(['rotate', id])).stdout).toContain('The key before is not good any more.');
  });

  test('is found by itself, also from standard input', async () => {
    const { id, key } = await json<CreatedKey>('create', '--name', 'found');
    expect((await keys(['lookup', key])).stdout).toContain(id);
    expect((await keys(['lookup', '-'], { input: `${key}\n` })).stdout).toContain(id);
  });

  test('shows its use, and loses it', async () => {
    const { id, key } = await json<CreatedKey>('create', '--name', 'used');
    await fetch(`${service.http}/v1/check`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ api_key: key, hits: 7 }),
    });
    const { stdout } = await keys(['usage', id]);
    expect(stdout).toMatch(/^DOMAIN +POLICY +WINDOW +LIMIT +USED +REMAINING +RESETS IN$/m);
    expect(stdout).toMatch(/^closient +api_key +minute +300 +7 +293 +\d+ s$/m);
    const usage = await json<KeyUsage>('reset', id, '--window', 'minute');
    const used = usage.policies[0]?.windows.map(({ name, used: count }) => [name, count]);
    expect(used).toEqual([
      ['minute', 0],
      ['day', 7],
    ]);
  });
});

describe('list', () => {
  const NAMES = Array.from({ length: 342 }, (_, index) => `listed ${String(index).padStart(3, '0')}`);

  beforeAll(async () => {
    for (const name of NAMES) {
      const type = name.endsWith('7') ? 'publishable' : 'secret';
      await fetch(`${service.http}/v1/keys`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name, type, rate_limit_per_minute: name.endsWith('00') ? 1_000_000 : 0 }),
      });
    }
  });

  test('shows 342 keys in one table with one line of titles, each once, in columns', async () => {
    const { code, stdout } = await keys(['list', '--name', 'listed']);
    expect(code).toBe(0);
    const lines = stdout.split('\n');
    expect(lines.filter((line) => line.startsWith('ID '))).toHaveLength(1);
    const rows = lines.filter((line) => line.startsWith('key_'));
    const nameAt = lines[0]!.indexOf('NAME');
    expect(rows.map((row) => row.slice(nameAt, nameAt + 10))).toEqual(NAMES);
    expect(new Set(rows.map((row) => row.length))).toEqual(new Set([lines[0]!.length + 3]));
    expect(lines.slice(-3)).toEqual(['', '342 keys', '']);
  });

  test('gives programs one object a line', async () => {
    const { stdout } = await keys(['list', '--name', 'listed', '--json']);
    const records = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as KeyRecord);
    expect(records.map(({ name }) => name)).toEqual(NAMES);
  });

  test('shows one page, and where it stands', async () => {
    const { stdout } = await keys(['list', '--name', 'listed', '--page', '14', '--page-size', '25']);
    expect(stdout.match(/^key_/gm)).toHaveLength(17);
    expect(stdout).toMatch(/\n\npage 14 of 14, 342 keys\n$/);
  });

  test.each<[args: readonly string[], count: number]>([
    [['--type', 'publishable'], 34],
    [['--type=secret'], 308],
    [['--status', 'active'], 342],
    [['--status', 'revoked'], 0],
  ])('%j lists %s', async (args, count) => {
    expect((await keys(['list', '--name', 'listed', ...args])).stdout).toMatch(new RegExp(`\n\n${count} keys\n$`));
  });

  test('sorts, also in the other direction', async () => {
    const { stdout } = await keys(['list', '--name', 'listed', '--sort', '-name', '--page', '1', '--page-size', '2']);
    expect(stdout.match(/listed \d+/g)).toEqual(['listed 341', 'listed 340']);
  });
});

describe('one line on standard error says what went wrong', () => {
  const HELP = "; see 'headroom keys --help'";

  test.each<[args: readonly string[], line: string]>([
    [['frobnicate'], `there is no 'keys frobnicate'${HELP}`],
    [['constructor'], `there is no 'keys constructor'${HELP}`],
    [['show'], `ID is missing${HELP}`],
    [['show', 'a', 'b'], `cannot make sense of 'b'${HELP}`],
    [['list', 'a'], `cannot make sense of 'a'${HELP}`],
    [['list', '--nope'], `Unknown option '--nope'${HELP}`],
    [['list', '--page', 'zero'], `--page: expected a number, got 'zero'${HELP}`],
    [['list', '--type', 'x'], `--type: expected secret, publishable, got 'x'${HELP}`],
    [['list', '--sort'], `Option '--sort <value>' argument missing${HELP}`],
    [['create'], `--name is required${HELP}`],
    [['create', '--name', 'a', '--metadata', 'b'], `--metadata: expected name=value, got 'b'${HELP}`],
    [['set', 'key_a'], `there is nothing to change${HELP}`],
    [['set', 'key_a', '--status', 'revoked'], `--status: expected active, disabled, got 'revoked'${HELP}`],
  ])('%j: 2, %s', async (args, line) => {
    expect(await keys(args)).toEqual({ code: 2, stdout: '', stderr: `headroom: ${line}\n` });
  });

  test.each<[args: readonly string[], code: string]>([
    [['show', 'key_nothing'], 'NOT_FOUND'],
    [['lookup', 'csk_nonsense'], 'INVALID_REQUEST'],
    [['list', '--page', '0'], 'INVALID_REQUEST'],
  ])('%j: 1, %s', async (args, code) => {
    const ended = await keys(args);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(new RegExp(`^headroom: .+ \\(${code}.*\\)\n$`));
  });

  test.each<[title: string, env: Readonly<Record<string, string>>, code: number, line: RegExp]>([
    ['no token', {}, 2, /^headroom: HEADROOM_TOKEN is not set, nor is ADMIN_TOKEN; see .+\n$/],
    ['an address that is none', { HEADROOM_TOKEN: TOKEN, HEADROOM_URL: 'here' }, 2, /^headroom: HEADROOM_URL: .+\n$/],
    [
      'nobody there',
      { HEADROOM_TOKEN: TOKEN, HEADROOM_URL: 'http://127.0.0.1:9' },
      1,
      /^headroom: cannot reach http:\/\/127\.0\.0\.1:9: .+\n$/,
    ],
  ])('%s', async (_title, env, code, line) => {
    const ended = await keys(['list'], { env });
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(ended.stderr).toMatch(line);
  });

  test('a wrong token is refused, and not repeated', async () => {
    const ended = await keys(['list'], {
      env: { HEADROOM_URL: service.http, HEADROOM_TOKEN: 'wrong-token-9876543210' },
    });
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toContain('UNAUTHENTICATED');
    expect(ended.stderr).not.toContain('wrong-token');
  });
});

describe('no error repeats', () => {
  const SECRET = 'secret-token-0123456789';
  const HELP = "; see 'headroom keys --help'\n";
  const NO_TOKEN = `: expected a token of printable ASCII without spaces or line breaks${HELP}`;
  const NO_ADDRESS = `: expected an address such as http://127.0.0.1:8080${HELP}`;
  const TOO_MUCH = `: expected an address without user name, password, query and fragment${HELP}`;

  test.each<[what: string, env: Readonly<Record<string, string>>, line: string]>([
    ['a token with a line break', { HEADROOM_TOKEN: `${SECRET}\nx` }, `HEADROOM_TOKEN${NO_TOKEN}`],
    ['a token with a space', { HEADROOM_TOKEN: `Bearer ${SECRET}` }, `HEADROOM_TOKEN${NO_TOKEN}`],
    ["the service's token with an umlaut", { ADMIN_TOKEN: `${SECRET}ü,${SECRET}` }, `ADMIN_TOKEN${NO_TOKEN}`],
    [
      'a password',
      { HEADROOM_TOKEN: SECRET, HEADROOM_URL: `http://me:${SECRET}@127.0.0.1:9` },
      `HEADROOM_URL${TOO_MUCH}`,
    ],
    [
      'a user name',
      { HEADROOM_TOKEN: SECRET, HEADROOM_URL: `http://${SECRET}@127.0.0.1:9` },
      `HEADROOM_URL${TOO_MUCH}`,
    ],
    ['a query', { HEADROOM_TOKEN: SECRET, HEADROOM_URL: `http://127.0.0.1:9/?t=${SECRET}` }, `HEADROOM_URL${TOO_MUCH}`],
    [
      'what is no address',
      { HEADROOM_TOKEN: SECRET, HEADROOM_URL: `http://me:${SECRET}@` },
      `HEADROOM_URL${NO_ADDRESS}`,
    ],
    [
      'an address of another kind',
      { HEADROOM_TOKEN: SECRET, HEADROOM_URL: `ftp://${SECRET}` },
      `HEADROOM_URL${NO_ADDRESS}`,
    ],
    [
      'a word that only begins like one',
      { HEADROOM_TOKEN: SECRET, HEADROOM_URL: `https+${SECRET}:a` },
      `HEADROOM_URL${NO_ADDRESS}`,
    ],
  ])('%s', async (_what, env, line) => {
    expect(await keys(['list'], { env })).toEqual({ code: 2, stdout: '', stderr: `headroom: ${line}` });
  });

  test('a token that the answer repeats, nor does it command the terminal', async () => {
    const server = createServer((request, response) => {
      const error = { code: 'ECHO\x07', message: `\x1b[2J${request.headers.authorization}` };
      response.writeHead(400).end(JSON.stringify({ error }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { stderr } = await keys(['list'], {
      env: { HEADROOM_URL: `http://127.0.0.1:${port}`, HEADROOM_TOKEN: SECRET },
    });
    server.close();
    server.closeAllConnections();
    expect(stderr).toBe('headroom: \\u001b[2JBearer [token] (ECHO\\u0007)\n');
  });

  test('a token that was typed in the wrong place', async () => {
    const { stderr } = await keys(['show', 'a', SECRET], { env: { HEADROOM_TOKEN: SECRET } });
    expect(stderr).toBe(`headroom: cannot make sense of '[token]'${HELP}`);
  });
});

test('what could command a terminal is spelt out for people, and left as it is for programs', async () => {
  const { id } = await json<CreatedKey>('create', '--name', 'commanding', '--metadata', 'a=\x1b[2J\nb');
  const { stdout } = await keys(['show', id]);
  expect(stdout).toMatch(/^metadata {4}a=\\u001b\[2J\\u000ab$/m);
  expect((await json<KeyRecord>('show', id)).metadata).toEqual({ a: '\x1b[2J\nb' });
});

test("the token may be the first of ADMIN_TOKEN, as on the service's own machine", async () => {
  const env = { HEADROOM_URL: service.http, ADMIN_TOKEN: `${TOKEN},another-token-0123456789` };
  expect(await keys(['list', '--name', 'nobody'], { env })).toMatchObject({ code: 0 });
});

test.each([[['--help']], [['-h']], [[]], [['create', '--help']]])('%j prints every command', async (args) => {
  const { code, stdout } = await keys(args, { env: {} });
  expect(code).toBe(0);
  for (const name of ['create', 'list', 'show', 'set', 'revoke', 'rotate', 'usage', 'reset', 'lookup']) {
    expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
  }
});
