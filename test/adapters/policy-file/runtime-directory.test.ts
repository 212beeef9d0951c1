/** RUNTIME_ROOT/SUBDIRECTORY/APPDIRECTORY: what is read, and when it is read again, as envoyproxy/ratelimit does it. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { PolicyFileError } from '../../../src/adapters/policy-file/policy-file-error.ts';
import type { RuntimePlace } from '../../../src/adapters/policy-file/policy-place.ts';
import { until } from '../../support/children.ts';
import { FollowedFiles, limited, maxOf, untilMax } from './followed-files.ts';

let folder: string;
let files: FollowedFiles;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-runtime-'));
  files = new FollowedFiles();
});
afterEach(() => {
  files.close();
  rmSync(folder, { recursive: true, force: true });
});

function place(changed: Partial<RuntimePlace> = {}): RuntimePlace {
  return {
    type: 'runtime',
    root: join(folder, 'root'),
    subdirectory: 'sub',
    appDirectory: 'config',
    watchRoot: false,
    ignoreDotFiles: false,
    ...changed,
  };
}

/** Below the root that `place` names. */
function write(name: string, text: string, root = 'root'): string {
  const path = join(folder, root, 'sub', 'config', name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

/** As one step: a reader finds the old one or the new one. */
function swap(link: string, target: string): void {
  symlinkSync(target, `${link}.next`);
  renameSync(`${link}.next`, link);
}

const domainsOf = (followed: ReturnType<FollowedFiles['open']>) => [...(followed.current()?.keys() ?? [])].sort();

describe('a runtime directory is read', () => {
  test('with every file in it, whatever its name and however deep, but not its neighbours', () => {
    write('a.yaml', 'domain: a\n');
    write('no-extension', 'domain: b\n');
    write('.hidden', 'domain: c\n');
    write('x/y/z.conf', 'domain: d\n');
    write('../other/e.yaml', '{');
    writeFileSync(join(folder, 'root', 'sub', 'f.yaml'), '{');
    expect(domainsOf(files.open(place()))).toEqual(['a', 'b', 'c', 'd']);
    expect(files.loads).toEqual([true]);
  });

  test('without dot files and dot directories where they are to be ignored', () => {
    write('a.yaml', 'domain: a\n');
    write('.hidden', '{');
    write('..2026/a.yaml', '{');
    expect(domainsOf(files.open(place({ ignoreDotFiles: true })))).toEqual(['a']);
  });

  test('as no domains when it is empty', () => {
    mkdirSync(join(folder, 'root', 'sub', 'config'), { recursive: true });
    const opened = files.open(place());
    expect(opened.current()?.size).toBe(0);
    expect(files.loads).toEqual([true]);
  });

  test('without a subdirectory, too', () => {
    mkdirSync(join(folder, 'root', 'config'), { recursive: true });
    writeFileSync(join(folder, 'root', 'config', 'a.yaml'), 'domain: a\n');
    expect(domainsOf(files.open(place({ subdirectory: '' })))).toEqual(['a']);
  });
});

describe('a runtime directory that cannot be used at the start', () => {
  test.each([
    { title: 'in the directory', watchRoot: false, name: 'config.yaml' },
    { title: 'under a watched root', watchRoot: true, name: 'config.config.yaml' },
  ])(
    'is told by the name that envoyproxy/ratelimit gives the file, and is no end: $title',
    async ({ watchRoot, name }) => {
      write('config.yaml', 'domain: d\ndescriptors:\n  - key: k\n    rate_limit: { unit: foo }\n');
      const opened = files.open(place({ watchRoot }));
      expect(opened.current()).toBeUndefined();
      expect(files.loads).toEqual([false]);
      expect(files.lines).toEqual([
        {
          level: 'error',
          fields: {
            path: join(folder, 'root', 'sub', 'config'),
            reason: `${name}:4: descriptors[0].rate_limit.unit: invalid rate limit unit 'foo'`,
          },
          message: 'policies not loaded, there are none yet',
        },
      ]);
    },
  );

  test('is read once it can be', async () => {
    write('config.yaml', 'bogus: 1\n');
    const followed = files.follow(place());
    write('config.yaml', limited(1));
    await untilMax(followed, 1);
    expect(files.loads).toEqual([false, true]);
  });

  test('names a file further in with dots', () => {
    write('x/y.yaml', 'bogus: 1\n');
    files.open(place());
    expect(files.refusals).toEqual(["x.y.yaml:1: bogus: config error, unknown key 'bogus'"]);
  });

  test('with a link that leads nowhere says so', () => {
    write('a.yaml', 'domain: a\n');
    symlinkSync('nowhere', join(folder, 'root/sub/config/b.yaml'));
    files.open(place());
    expect(files.refusals[0]).toMatch(/b\.yaml: cannot read: ENOENT/);
  });

  test('with a link that leads to itself says so, and is read once that is gone', async () => {
    write('a.yaml', limited(1));
    const link = join(folder, 'root/sub/config/b.yaml');
    symlinkSync('b.yaml', link);
    const followed = files.follow(place());
    expect(files.refusals[0]).toMatch(/b\.yaml: cannot read: ELOOP/);
    unlinkSync(link);
    await untilMax(followed, 1);
  });

  test('because it is not there is an error', () => {
    expect(() => files.open(place())).toThrow(PolicyFileError);
    expect(() => files.open(place())).toThrow(/cannot read: ENOENT/);
  });

  test('because a watched root has no subdirectory is an error', () => {
    write('a.yaml', 'domain: a\n');
    expect(() => files.open(place({ watchRoot: true, subdirectory: '' }))).toThrow('needs a subdirectory');
  });
});

describe('files of one domain', () => {
  const rule = (key: string) => `domain: d\ndescriptors:\n  - key: ${key}\n    rate_limit: { unit: day }\n`;

  test('are refused', () => {
    write('a.yaml', 'domain: d\n');
    write('b.yaml', 'domain: d\n');
    files.open(place());
    expect(files.refusals).toEqual(["b.yaml:1: domain: duplicate domain 'd' in config file"]);
  });

  test('add up where they may be merged', () => {
    write('a.yaml', rule('a'));
    write('b.yaml', rule('b'));
    const opened = files.open(place(), { mergeDomains: true });
    expect([...(opened.current()?.get('d')?.root.children.keys() ?? [])]).toEqual(['a', 'b']);
  });

  test('may not have the same rule even then', () => {
    write('a.yaml', rule('a'));
    write('b.yaml', rule('a'));
    files.open(place(), { mergeDomains: true });
    expect(files.refusals).toEqual(["b.yaml:3: descriptors[0].key: duplicate descriptor composite key 'd.a'"]);
  });
});

describe('a watched directory', () => {
  test('takes effect when a file is written, created, replaced or removed', async () => {
    const path = write('a.yaml', limited(1));
    const followed = files.follow(place());
    writeFileSync(path, limited(2));
    await untilMax(followed, 2);
    const other = write('b.yaml', limited(7, 'e'));
    await untilMax(followed, 7, 'e');
    writeFileSync(`${path}.next`, limited(3));
    renameSync(`${path}.next`, path);
    await untilMax(followed, 3);
    unlinkSync(other);
    await untilMax(followed, undefined, 'e');
    expect(files.refusals.filter((reason) => !reason.includes('duplicate domain'))).toEqual([]);
  });

  test('is read again when permissions change', async () => {
    const path = write('a.yaml', limited(1));
    files.follow(place());
    chmodSync(path, 0o600);
    await until('it is read again', () => files.loads.length === 2);
    expect(files.loads).toEqual([true, true]);
  });

  test('is warned of when it holds no policy, each time that such a set comes into force', async () => {
    const file = write('a.yaml', 'domain: a\n');
    const followed = files.follow(place());
    const warnings = () => files.lines.filter(({ level }) => level === 'warn');
    expect(warnings()).toEqual([]);
    unlinkSync(file);
    await until('it is empty', () => domainsOf(followed).length === 0);
    const warning = {
      level: 'warn',
      fields: { path: join(folder, 'root', 'sub', 'config') },
      message: 'no policies: everything passes',
    };
    expect(warnings()).toEqual([warning]);
    files.open(place());
    expect(warnings()).toEqual([warning, warning]);
  });

  test('is empty once its last file is gone', async () => {
    const path = write('a.yaml', limited(1));
    const followed = files.follow(place());
    unlinkSync(path);
    await until('there are no domains', () => followed.current()?.size === 0);
    expect(files.loads).toEqual([true, true]);
  });

  test('takes effect when a file of a directory within is written, also of one that is new', async () => {
    write('a.yaml', 'domain: a\n');
    write('x/b.yaml', limited(1));
    const followed = files.follow(place());
    write('x/b.yaml', limited(2));
    await untilMax(followed, 2);
    mkdirSync(join(folder, 'root/sub/config/y'));
    await until('the directory is seen', () => files.loads.length >= 3);
    write('y/c.yaml', limited(3, 'e'));
    await untilMax(followed, 3, 'e');
  });

  test('keeps the last good set through a bad change, and says why', async () => {
    const path = write('a.yaml', limited(1));
    const followed = files.follow(place());
    const good = followed.current();
    writeFileSync(path, 'domain: d\nbogus: 1\n');
    await until('the change is refused', () => files.refusals.length > 0);
    expect(followed.current()).toBe(good);
    expect(files.refusals).toEqual(["a.yaml:2: bogus: config error, unknown key 'bogus'"]);
    expect(files.lines.at(-1)?.message).toBe('policies not loaded, the last good ones stay in force');
  });

  test('takes effect when the root is swapped, and is followed there', async () => {
    write('a.yaml', limited(1), 'v1');
    write('a.yaml', limited(2), 'v2');
    symlinkSync('v1', join(folder, 'root'));
    const followed = files.follow(place());
    swap(join(folder, 'root'), 'v2');
    await untilMax(followed, 2);
    write('a.yaml', limited(3), 'v2');
    await untilMax(followed, 3);
  });

  test('takes every one of a hundred quick edits for what it is: whole, and the last one counts', async () => {
    const path = write('a.yaml', limited(1));
    const followed = files.follow(place());
    const seen = new Set<number | undefined>();
    for (let max = 2; max <= 101; max++) {
      writeFileSync(`${path}.next`, limited(max));
      renameSync(`${path}.next`, path);
      await new Promise((resolve) => setImmediate(resolve));
      seen.add(maxOf(followed));
    }
    await untilMax(followed, 101);
    expect(seen).not.toContain(undefined);
  });

  test('takes effect while it goes on changing', async () => {
    const path = write('a.yaml', limited(1));
    const followed = files.follow(place());
    let max = 1;
    const writing = setInterval(() => writeFileSync(path, limited(++max)), 20);
    try {
      const startedAt = performance.now();
      await until('a change has taken effect', () => maxOf(followed) !== 1);
      // Settling ends after 150 ms, or never if it waited for the changes to end; the rest is for a busy machine.
      expect(performance.now() - startedAt).toBeLessThan(5_000);
    } finally {
      clearInterval(writing);
    }
  });
});

describe('a ConfigMap of Kubernetes', () => {
  /** As the kubelet does it: a directory per version, `..data` leads to the latest, files lead through `..data`. */
  function mount(version: number, content: Readonly<Record<string, string>>): void {
    const directory = join(folder, 'root/sub/config');
    mkdirSync(join(directory, `..v${version}`), { recursive: true });
    for (const [name, text] of Object.entries(content)) writeFileSync(join(directory, `..v${version}`, name), text);
    swap(join(directory, '..data'), `..v${version}`);
    const visible = readdirSync(directory).filter((name) => !name.startsWith('..'));
    for (const name of Object.keys(content)) {
      if (!visible.includes(name)) symlinkSync(join('..data', name), join(directory, name));
    }
    for (const name of visible) if (!(name in content)) unlinkSync(join(directory, name));
    rmSync(join(directory, `..v${version - 1}`), { recursive: true, force: true });
  }

  test('takes effect as a whole with each new version', async () => {
    mount(1, { 'a.yaml': limited(1), 'b.yaml': limited(1, 'e') });
    const followed = files.follow(place({ ignoreDotFiles: true }));
    expect(maxOf(followed)).toBe(1);
    for (let version = 2; version <= 20; version++) {
      mount(version, { 'a.yaml': limited(version), 'b.yaml': limited(version, 'e') });
      await until('the version is in force', () => {
        // Never one file of one version and one of another.
        expect(maxOf(followed, 'e')).toBe(maxOf(followed));
        return maxOf(followed) === version;
      });
    }
    expect(files.loads).not.toContain(false);
  });

  test('may gain and lose files', async () => {
    mount(1, { 'a.yaml': limited(1) });
    const followed = files.follow(place({ ignoreDotFiles: true }));
    mount(2, { 'a.yaml': limited(1), 'b.yaml': limited(2, 'e') });
    await untilMax(followed, 2, 'e');
    mount(3, { 'b.yaml': limited(2, 'e') });
    await untilMax(followed, undefined);
    expect(files.loads).not.toContain(false);
  });
});

describe('a watched root', () => {
  test('takes effect when the link is swapped, time and again', async () => {
    for (const max of [1, 2, 3]) write('a.yaml', limited(max), `v${max}`);
    symlinkSync('v1', join(folder, 'root'));
    const followed = files.follow(place({ watchRoot: true }));
    for (const max of [2, 3, 1]) {
      swap(join(folder, 'root'), `v${max}`);
      await untilMax(followed, max);
    }
    expect(files.loads).toEqual([true, true, true, true]);
  });

  test('takes effect when another directory comes to stand in its place', async () => {
    write('a.yaml', limited(1));
    const followed = files.follow(place({ watchRoot: true }));
    write('a.yaml', limited(2), 'next');
    renameSync(join(folder, 'root'), join(folder, 'old'));
    renameSync(join(folder, 'next'), join(folder, 'root'));
    await untilMax(followed, 2);
  });

  test('does not take up what is edited in place', async () => {
    const path = write('a.yaml', limited(1), 'v1');
    write('a.yaml', limited(3), 'v2');
    symlinkSync('v1', join(folder, 'root'));
    const followed = files.follow(place({ watchRoot: true }));
    // Another one watches the directory itself: once it has read the edit, the first one would have, too.
    const other = files.follow(place({ root: join(folder, 'v1') }), { onLoad: () => undefined });
    writeFileSync(path, limited(2));
    await untilMax(other, 2);
    expect(maxOf(followed)).toBe(1);
    swap(join(folder, 'root'), 'v2');
    await untilMax(followed, 3);
  });
});
