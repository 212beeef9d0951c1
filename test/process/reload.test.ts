/** A running process follows its policy files: good changes take effect, bad ones are named and change nothing. */
import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { until } from '../support/children.ts';
import { http1, postJson } from '../support/clients-http.ts';
import { TestService } from '../support/service.ts';

let folder: string;
let file: string;
let service: TestService | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-reload-'));
  file = join(folder, 'policy.yaml');
});

afterEach(async () => {
  await service?.stop();
  service = undefined;
  rmSync(folder, { recursive: true, force: true });
});

function policy(requests: number, domain = 'doors'): string {
  return `domain: ${domain}\ndescriptors:\n  - key: user\n    limits:\n      - { requests: ${requests}, per: year }\n`;
}

async function start(path = file): Promise<TestService> {
  service = await TestService.start({ POLICY_PATH: path });
  return service;
}

/** The limit in force; undefined without one. */
async function limit(domain = 'doors'): Promise<number | undefined> {
  const question = { domain, descriptors: [{ entries: [{ key: 'user', value: 'u' }], hits_addend: 0 }] };
  const { text } = await postJson(`${service?.http}/v1/check`, question);
  return (JSON.parse(text) as { windows: { limit: number }[] }).windows[0]?.limit;
}

function limitIs(requests: number | undefined, domain = 'doors'): Promise<void> {
  return until(`the limit is ${requests}`, async () => (await limit(domain)) === requests);
}

/** Lines of the log that say that a change was not taken. */
function refusals(): { level: string; reason: string }[] {
  const lines = (service?.output ?? '').split('\n').filter((line) => line.includes('policies not loaded'));
  return lines.map((line) => JSON.parse(line));
}

test('a file that is written anew takes effect, and charges stay', async () => {
  writeFileSync(file, policy(5));
  const { http } = await start();
  await postJson(`${http}/v1/check`, {
    domain: 'doors',
    descriptors: [{ entries: [{ key: 'user', value: 'u' }], hits_addend: 2 }],
  });
  writeFileSync(file, policy(7));
  await limitIs(7);
  const { text } = await postJson(`${http}/v1/check`, {
    domain: 'doors',
    descriptors: [{ entries: [{ key: 'user', value: 'u' }], hits_addend: 0 }],
  });
  expect(JSON.parse(text)).toMatchObject({ windows: [{ limit: 7, remaining: 5 }] });
});

test('a file that is replaced by another takes effect, each time', async () => {
  writeFileSync(file, policy(5));
  await start();
  for (const requests of [6, 7, 8]) {
    writeFileSync(join(folder, 'next'), policy(requests));
    renameSync(join(folder, 'next'), file);
    await limitIs(requests);
  }
  expect(await limit()).toBe(8);
  expect(refusals()).toEqual([]);
});

test('a bad change keeps the last good policies, and the log says file, line and key', async () => {
  writeFileSync(file, policy(5));
  await start();
  writeFileSync(file, policy(6).replace('year', 'fortnight'));
  await until('the change is refused', () => refusals().length > 0);
  expect(refusals()[0]).toMatchObject({
    level: 'error',
    reason: expect.stringContaining(`${file}:5: descriptors[0].limits[0].per: unknown unit 'fortnight'`),
  });
  expect(await limit()).toBe(5);
  expect((await http1(`${service?.http}/readyz`)).status).toBe(200);
});

test('after a bad change a good one takes effect', async () => {
  writeFileSync(file, policy(5));
  await start();
  writeFileSync(file, 'domain: [');
  await until('the change is refused', () => refusals().length > 0);
  writeFileSync(file, policy(9));
  await limitIs(9);
  expect(await limit()).toBe(9);
});

test('a file that is gone for a while changes nothing', async () => {
  writeFileSync(file, policy(5));
  await start();
  unlinkSync(file);
  await until('the change is refused', () => refusals().length > 0);
  expect(await limit()).toBe(5);
  writeFileSync(file, policy(6));
  await limitIs(6);
});

test('in a folder, files come and go', async () => {
  writeFileSync(file, policy(5));
  await start(folder);
  writeFileSync(join(folder, 'more.yaml'), policy(3, 'shop'));
  await limitIs(3, 'shop');
  unlinkSync(join(folder, 'more.yaml'));
  await limitIs(undefined, 'shop');
  expect(await limit()).toBe(5);
});

test('in a folder, one bad file keeps the whole set as it was', async () => {
  writeFileSync(file, policy(5));
  await start(folder);
  writeFileSync(join(folder, 'more.yaml'), 'descriptors: 1\n');
  await until('the change is refused', () => refusals().length > 0);
  writeFileSync(file, policy(6));
  await until('the next change is refused, too', () => refusals().length > 1);
  expect(await limit()).toBe(5);
});

test('a mounted ConfigMap, whose files are links to a folder that is swapped, takes effect', async () => {
  // As the kubelet lays it out: policy.yaml -> ..data/policy.yaml, ..data -> a folder per version.
  for (const [version, requests] of [['..1', 5] as const, ['..2', 6] as const]) {
    const mounted = mkdtempSync(join(folder, version));
    writeFileSync(join(mounted, 'policy.yaml'), policy(requests));
    if (requests === 5) {
      symlinkSync(mounted, join(folder, '..data'));
      symlinkSync(join('..data', 'policy.yaml'), file);
      await start(folder);
      await limitIs(5);
    } else {
      symlinkSync(mounted, join(folder, '..next'));
      renameSync(join(folder, '..next'), join(folder, '..data'));
    }
  }
  await limitIs(6);
  expect(refusals()).toEqual([]);
});
