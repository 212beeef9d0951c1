import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { PolicyFileError } from '../../../src/adapters/policy-file/policy-file-error.ts';
import { systemClock } from '../../../src/adapters/system-clock/system-clock.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import { until } from '../../support/children.ts';
import { FollowedFiles, limited, maxOf, untilMax } from './followed-files.ts';

let folder: string;
let files: FollowedFiles;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-policy-files-'));
  files = new FollowedFiles();
});
afterEach(() => {
  files.close();
  rmSync(folder, { recursive: true });
});

const follow = (path: string) => files.follow({ type: 'path', path });

describe('a followed file', () => {
  test('is read at once, and told as loaded', () => {
    writeFileSync(join(folder, 'p.yaml'), limited(1));
    expect(maxOf(follow(join(folder, 'p.yaml')))).toBe(1);
    expect(files.loads).toEqual([true]);
  });

  test('that cannot be used at the start is an error, and nothing is told as loaded', () => {
    writeFileSync(join(folder, 'p.yaml'), 'domain: ""\n');
    expect(() => follow(join(folder, 'p.yaml'))).toThrow(PolicyFileError);
    expect(files.loads).toEqual([]);
  });

  test('takes effect when it is rewritten in place', async () => {
    const path = join(folder, 'p.yaml');
    writeFileSync(path, limited(1));
    const followed = follow(path);
    for (const max of [2, 3]) {
      writeFileSync(path, limited(max));
      await untilMax(followed, max);
    }
    expect(files.lines.at(-1)).toEqual({ level: 'info', fields: { path, domains: ['d'] }, message: 'policies loaded' });
  });

  test('is not read again for every write to its neighbours', async () => {
    const path = join(folder, 'p.yaml');
    writeFileSync(path, limited(1));
    let reloads = 0;
    const clock: Clock = {
      ...systemClock,
      after(millis, callback) {
        reloads += 1;
        return systemClock.after(millis, callback);
      },
    };
    const followed = files.follow({ type: 'path', path }, { clock });
    for (let index = 0; index < 20; index++) writeFileSync(join(folder, `service-${index}.log`), 'line\n');
    // The kernel tells changes in their order: when this one is seen, those were, too.
    writeFileSync(path, limited(2));
    await untilMax(followed, 2);
    expect(reloads).toBeLessThan(10);
  });

  test('takes effect when another file is renamed over it, time and again', async () => {
    const path = join(folder, 'p.yaml');
    writeFileSync(path, limited(1));
    const followed = follow(path);
    for (const max of [2, 3, 4]) {
      writeFileSync(join(folder, 'p.yaml.new'), limited(max));
      renameSync(join(folder, 'p.yaml.new'), path);
      await untilMax(followed, max);
    }
    expect(files.loads.every(Boolean)).toBe(true);
  });

  test('takes effect when the symlinks of a Kubernetes ConfigMap are swapped', async () => {
    for (const max of [1, 2]) {
      mkdirSync(join(folder, `..version${max}`));
      writeFileSync(join(folder, `..version${max}`, 'p.yaml'), limited(max));
    }
    symlinkSync('..version1', join(folder, '..data'));
    symlinkSync('..data/p.yaml', join(folder, 'p.yaml'));
    const followed = follow(folder);
    expect(maxOf(followed)).toBe(1);
    symlinkSync('..version2', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    await untilMax(followed, 2);
    expect(files.loads.at(-1)).toBe(true);
  });

  test('that turns bad keeps the last good set in force and says why, until it is good again', async () => {
    const path = join(folder, 'p.yaml');
    writeFileSync(path, limited(1));
    const followed = follow(path);
    const good = followed.current();
    writeFileSync(path, 'domain: d\ndescriptors:\n  - key: k\n    limit: 5\n');
    await until('the bad file is told', () => files.loads.includes(false));
    expect(followed.current()).toBe(good);
    expect(files.lines.at(-1)).toEqual({
      level: 'error',
      fields: { path, reason: `${path}:4: descriptors[0].limit: config error, unknown key 'limit'` },
      message: 'policies not loaded, the last good ones stay in force',
    });
    writeFileSync(path, limited(2));
    await untilMax(followed, 2);
    expect(files.loads.at(-1)).toBe(true);
  });

  test('that vanishes keeps the last good set in force, until it is back', async () => {
    const path = join(folder, 'p.yaml');
    writeFileSync(path, limited(1));
    const followed = follow(path);
    unlinkSync(path);
    await until('the loss is told', () => files.loads.includes(false));
    expect(maxOf(followed)).toBe(1);
    expect(files.lines.at(-1)?.fields.reason).toMatch(/: cannot read: ENOENT/);
    writeFileSync(path, limited(2));
    await untilMax(followed, 2);
  });
});

describe('a followed directory', () => {
  test('takes in a file that is added, and lets one go that is removed', async () => {
    writeFileSync(join(folder, 'a.yaml'), limited(1));
    const followed = follow(folder);
    writeFileSync(join(folder, 'b.yaml'), 'domain: e\n');
    await until('the new domain is there', () => followed.current()?.has('e') === true);
    unlinkSync(join(folder, 'a.yaml'));
    await until('the old domain is gone', () => !followed.current()?.has('d'));
    expect([...(followed.current()?.keys() ?? [])]).toEqual(['e']);
  });

  test('with one bad file among good ones keeps the whole last good set', async () => {
    writeFileSync(join(folder, 'a.yaml'), limited(1));
    const followed = follow(folder);
    const good = followed.current();
    writeFileSync(join(folder, 'a.yaml'), limited(2));
    writeFileSync(join(folder, 'b.yaml'), 'domain: d\n');
    await until('the bad set is told', () => files.loads.includes(false));
    expect(followed.current()).toBe(good);
  });
});

test('a reload replaces the set and never changes one that is in use', async () => {
  const path = join(folder, 'p.yaml');
  writeFileSync(path, limited(1));
  const followed = follow(path);
  const inUse = followed.current();
  writeFileSync(path, limited(2));
  await untilMax(followed, 2);
  expect(inUse?.get('d')?.root.children.get('k')?.limit?.windows[0]?.max).toBe(1);
  expect(followed.current()).not.toBe(inUse);
});

describe('a path that comes to lead elsewhere takes effect', () => {
  /** Two versions of a folder with a file, limits 1 and 2. */
  function versions(): void {
    for (const max of [1, 2]) {
      mkdirSync(join(folder, `v${max}`));
      writeFileSync(join(folder, `v${max}`, 'p.yaml'), limited(max));
    }
  }

  /** As one step: a reader finds the old one or the new one. */
  function repoint(link: string, target: string): void {
    symlinkSync(target, `${link}.next`);
    renameSync(`${link}.next`, link);
  }

  test.each<[title: string, link: string, first: string, second: string, path: string]>([
    ['a link to a file', 'link.yaml', 'v1/p.yaml', 'v2/p.yaml', 'link.yaml'],
    ['a link to a folder', 'link', 'v1', 'v2', 'link'],
    ['a link on the way to a file', 'link', 'v1', 'v2', 'link/p.yaml'],
  ])('%s', async (_title, name, first, second, path) => {
    versions();
    const link = join(folder, name);
    symlinkSync(first, link);
    const followed = follow(join(folder, path));
    repoint(link, second);
    await untilMax(followed, 2);
    repoint(link, first);
    await untilMax(followed, 1);
    // What it leads to now is followed, too.
    writeFileSync(join(folder, 'v1/p.yaml'), limited(3));
    await untilMax(followed, 3);
  });

  test('a link further on, in a folder of its own', async () => {
    versions();
    mkdirSync(join(folder, 'far'));
    symlinkSync('../v1/p.yaml', join(folder, 'far', 'link.yaml'));
    symlinkSync(join(folder, 'far', 'link.yaml'), join(folder, 'p.yaml'));
    const followed = follow(join(folder, 'p.yaml'));
    repoint(join(folder, 'far', 'link.yaml'), '../v2/p.yaml');
    await untilMax(followed, 2);
  });

  test('a folder that is exchanged for another, again and again, and written in afterwards', async () => {
    versions();
    const path = join(folder, 'live');
    renameSync(join(folder, 'v1'), path);
    const followed = follow(path);
    for (const max of [3, 4, 5]) {
      mkdirSync(join(folder, 'next'));
      writeFileSync(join(folder, 'next', 'p.yaml'), limited(max));
      renameSync(path, join(folder, `old${max}`));
      renameSync(join(folder, 'next'), path);
      await untilMax(followed, max);
    }
    writeFileSync(join(path, 'p.yaml'), limited(6));
    await untilMax(followed, 6);
  });

  test('a folder that is gone for a while, with the one above it', async () => {
    mkdirSync(join(folder, 'a', 'b'), { recursive: true });
    const path = join(folder, 'a', 'b', 'p.yaml');
    writeFileSync(path, limited(1));
    const followed = follow(path);
    rmSync(join(folder, 'a'), { recursive: true });
    await until('the loss is told', () => files.loads.includes(false));
    expect(maxOf(followed)).toBe(1);
    mkdirSync(join(folder, 'a', 'b'), { recursive: true });
    writeFileSync(path, limited(2));
    await untilMax(followed, 2);
  });

  test('a folder that is removed and made again at once, time and again, and written in afterwards', async () => {
    const path = join(folder, 'live');
    mkdirSync(path);
    writeFileSync(join(path, 'p.yaml'), limited(1));
    const followed = follow(path);
    for (const max of [2, 4, 6]) {
      rmSync(path, { recursive: true });
      mkdirSync(path);
      writeFileSync(join(path, 'p.yaml'), limited(max));
      await untilMax(followed, max);
      writeFileSync(join(path, 'p.yaml'), limited(max + 1));
      await untilMax(followed, max + 1);
    }
  });

  test('a file of a folder that is a link, when what it leads to is written', async () => {
    versions();
    mkdirSync(join(folder, 'live'));
    symlinkSync('../v1/p.yaml', join(folder, 'live', 'p.yaml'));
    const followed = follow(join(folder, 'live'));
    writeFileSync(join(folder, 'v1', 'p.yaml'), limited(7));
    await untilMax(followed, 7);
  });
});

describe('a service that may be without policies at first (FORCE_START_WITHOUT_INITIAL_CONFIG)', () => {
  test.each<[title: string, write: (path: string) => void]>([
    ['a path that is not there', () => undefined],
    ['a file that cannot be used', (path) => writeFileSync(path, 'domain: ""\n')],
  ])('waits for %s, and takes what comes', async (_, write) => {
    const path = join(folder, 'p.yaml');
    write(path);
    const followed = files.follow({ type: 'path', path }, { mayBeWithout: true });
    expect(followed.current()).toBeUndefined();
    expect(files.loads[0]).toBe(false);
    writeFileSync(path, limited(2));
    await untilMax(followed, 2);
  });

  test('waits for a runtime directory', async () => {
    const place = {
      type: 'runtime',
      root: folder,
      subdirectory: 's',
      appDirectory: 'config',
      watchRoot: false,
      ignoreDotFiles: false,
    } as const;
    const followed = files.follow(place, { mayBeWithout: true });
    expect(followed.current()).toBeUndefined();
    mkdirSync(join(folder, 's', 'config'), { recursive: true });
    writeFileSync(join(folder, 's', 'config', 'p.yaml'), limited(3));
    await untilMax(followed, 3);
  });
});

test('a change between reading and following is not missed', async () => {
  const path = join(folder, 'p.yaml');
  writeFileSync(path, limited(1));
  const opened = files.open({ type: 'path', path });
  writeFileSync(path, limited(2));
  opened.follow();
  await untilMax(opened, 2);
});

test('following without a change reads nothing again', async () => {
  const path = join(folder, 'p.yaml');
  writeFileSync(path, limited(1));
  const followed = follow(path);
  writeFileSync(path, limited(2));
  await untilMax(followed, 2);
  expect(files.loads).toEqual([true, true]);
});

test('nothing is read after the end', async () => {
  const path = join(folder, 'p.yaml');
  writeFileSync(path, limited(1));
  const followed = follow(path);
  writeFileSync(path, limited(2));
  followed.close();
  const other = follow(path);
  writeFileSync(path, limited(3));
  await untilMax(other, 3);
  expect(maxOf(followed)).toBe(1);
});
