import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { PolicyFileError } from '../../../src/adapters/policy-file/policy-file-error.ts';
import { PolicyFiles } from '../../../src/adapters/policy-file/policy-files.ts';
import { systemClock } from '../../../src/adapters/system-clock/system-clock.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { Log } from '../../../src/ports/log.ts';
import { until } from '../../support/children.ts';

interface Line {
  readonly level: keyof Log;
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

const root = mkdtempSync(join(tmpdir(), 'headroom-policy-files-'));
let folder: string;
let folders = 0;
let followed: PolicyFiles[] = [];
let lines: Line[] = [];
let loads: boolean[] = [];
beforeEach(() => {
  folders += 1;
  folder = join(root, String(folders));
  mkdirSync(folder);
  lines = [];
  loads = [];
});
afterEach(() => {
  for (const files of followed) files.close();
  followed = [];
});
afterAll(() => rmSync(root, { recursive: true }));

const write = (level: keyof Log) => (fields: object, message: string) => {
  lines.push({ level, fields: { ...fields }, message });
};
const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };

function follow(path: string): PolicyFiles {
  const files = new PolicyFiles({ path, clock: systemClock, log, onLoad: (loaded) => loads.push(loaded) });
  files.follow();
  followed.push(files);
  return files;
}

const limited = (max: number) => `domain: d\ndescriptors:\n  - key: k\n    limits: [{ requests: ${max}, per: day }]\n`;

function maxOf(files: PolicyFiles): number | undefined {
  return files.current().get('d')?.root.children.get('k')?.limit?.windows[0]?.max;
}

const untilMax = (files: PolicyFiles, max: number) => until(`the limit is ${max}`, () => maxOf(files) === max);

describe('a followed file', () => {
  test('is read at once, and told as loaded', () => {
    writeFileSync(join(folder, 'p.yaml'), limited(1));
    expect(maxOf(follow(join(folder, 'p.yaml')))).toBe(1);
    expect(loads).toEqual([true]);
  });

  test('that cannot be used at the start is an error, and nothing is told as loaded', () => {
    writeFileSync(join(folder, 'p.yaml'), 'domain: ""\n');
    expect(() => follow(join(folder, 'p.yaml'))).toThrow(PolicyFileError);
    expect(loads).toEqual([]);
  });

  test('takes effect when it is rewritten in place', async () => {
    const path = join(folder, 'p.yaml');
    writeFileSync(path, limited(1));
    const files = follow(path);
    for (const max of [2, 3]) {
      writeFileSync(path, limited(max));
      await untilMax(files, max);
    }
    expect(lines.at(-1)).toEqual({ level: 'info', fields: { path, domains: ['d'] }, message: 'policies loaded' });
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
    const files = new PolicyFiles({ path, clock, log, onLoad: () => undefined });
    files.follow();
    followed.push(files);
    for (let index = 0; index < 20; index++) writeFileSync(join(folder, `service-${index}.log`), 'line\n');
    // The kernel tells changes in their order: when this one is seen, those were, too.
    writeFileSync(path, limited(2));
    await untilMax(files, 2);
    expect(reloads).toBeLessThan(10);
  });

  test('takes effect when another file is renamed over it, time and again', async () => {
    const path = join(folder, 'p.yaml');
    writeFileSync(path, limited(1));
    const files = follow(path);
    for (const max of [2, 3, 4]) {
      writeFileSync(join(folder, 'p.yaml.new'), limited(max));
      renameSync(join(folder, 'p.yaml.new'), path);
      await untilMax(files, max);
    }
    expect(loads.every(Boolean)).toBe(true);
  });

  test('takes effect when the symlinks of a Kubernetes ConfigMap are swapped', async () => {
    for (const max of [1, 2]) {
      mkdirSync(join(folder, `..version${max}`));
      writeFileSync(join(folder, `..version${max}`, 'p.yaml'), limited(max));
    }
    symlinkSync('..version1', join(folder, '..data'));
    symlinkSync('..data/p.yaml', join(folder, 'p.yaml'));
    const files = follow(folder);
    expect(maxOf(files)).toBe(1);
    symlinkSync('..version2', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    await untilMax(files, 2);
    expect(loads.at(-1)).toBe(true);
  });

  test('that turns bad keeps the last good set in force and says why, until it is good again', async () => {
    const path = join(folder, 'p.yaml');
    writeFileSync(path, limited(1));
    const files = follow(path);
    const good = files.current();
    writeFileSync(path, 'domain: d\ndescriptors:\n  - key: k\n    limit: 5\n');
    await until('the bad file is told', () => loads.includes(false));
    expect(files.current()).toBe(good);
    expect(lines.at(-1)).toEqual({
      level: 'error',
      fields: { path, reason: `${path}:4: descriptors[0].limit: config error, unknown key 'limit'` },
      message: 'policies not loaded, the last good ones stay in force',
    });
    writeFileSync(path, limited(2));
    await untilMax(files, 2);
    expect(loads.at(-1)).toBe(true);
  });

  test('that vanishes keeps the last good set in force, until it is back', async () => {
    const path = join(folder, 'p.yaml');
    writeFileSync(path, limited(1));
    const files = follow(path);
    unlinkSync(path);
    await until('the loss is told', () => loads.includes(false));
    expect(maxOf(files)).toBe(1);
    expect(lines.at(-1)?.fields.reason).toMatch(/: cannot read: ENOENT/);
    writeFileSync(path, limited(2));
    await untilMax(files, 2);
  });
});

describe('a followed directory', () => {
  test('takes in a file that is added, and lets one go that is removed', async () => {
    writeFileSync(join(folder, 'a.yaml'), limited(1));
    const files = follow(folder);
    writeFileSync(join(folder, 'b.yaml'), 'domain: e\n');
    await until('the new domain is there', () => files.current().has('e'));
    unlinkSync(join(folder, 'a.yaml'));
    await until('the old domain is gone', () => !files.current().has('d'));
    expect([...files.current().keys()]).toEqual(['e']);
  });

  test('with one bad file among good ones keeps the whole last good set', async () => {
    writeFileSync(join(folder, 'a.yaml'), limited(1));
    const files = follow(folder);
    const good = files.current();
    writeFileSync(join(folder, 'a.yaml'), limited(2));
    writeFileSync(join(folder, 'b.yaml'), 'domain: d\n');
    await until('the bad set is told', () => loads.includes(false));
    expect(files.current()).toBe(good);
  });
});

test('a reload replaces the set and never changes one that is in use', async () => {
  const path = join(folder, 'p.yaml');
  writeFileSync(path, limited(1));
  const files = follow(path);
  const inUse = files.current();
  writeFileSync(path, limited(2));
  await untilMax(files, 2);
  expect(inUse.get('d')?.root.children.get('k')?.limit?.windows[0]?.max).toBe(1);
  expect(files.current()).not.toBe(inUse);
});
