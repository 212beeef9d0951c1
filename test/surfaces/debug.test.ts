/** The debug port: limits in force, how the process does, profiles where they are switched on, and what there is. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/children.ts';
import { http1 } from '../support/clients-http.ts';
import { TestService } from '../support/service.ts';

const SHOP = `
domain: shop
descriptors:
  - key: user
    value: jane
    shadow_mode: true
    rate_limit: { unit: hour, requests_per_unit: 3 }
  - key: address
    limits:
      - { requests: 100, per: day }
      - { requests: 10, per: 90s }
`;
const KEYS = `
domain: keys
descriptors:
  - key: api_key
    api_keys: true
    limits: [ { requests: 300, per: minute } ]
`;
const LIMITS = `keys.api_key: unit=MINUTE requests_per_unit=300, shadow_mode: false, quota_mode: false
shop.user_jane: unit=HOUR requests_per_unit=3, shadow_mode: true, quota_mode: false
shop.address: unit=90s requests_per_unit=10, shadow_mode: false, quota_mode: false
shop.address: unit=DAY requests_per_unit=100, shadow_mode: false, quota_mode: false
`;

let folder: string;
let service: TestService;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-debug-'));
  writeFileSync(join(folder, 'a.yaml'), SHOP);
  writeFileSync(join(folder, 'b.yaml'), KEYS);
  service = await TestService.start({ POLICY_PATH: folder });
});

afterAll(async () => {
  await service.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('/rlconfig', () => {
  test('has a line for each window in force, in the form of the reference, and always in the same order', async () => {
    for (const query of ['', '?again']) {
      const { status, headers, text } = await http1(`${service.debug}/rlconfig${query}`);
      expect(status).toBe(200);
      expect(headers['content-type']).toMatch(/^text\/plain/);
      expect(text).toBe(LIMITS);
    }
  });

  test('lists as many limits as there are, and those of a changed policy from its reload on', async () => {
    const keys = Array.from({ length: 1_201 }, (_, index) => `key_${index}`);
    const nodes = keys.map((key) => `  - { key: ${key}, rate_limit: { unit: day, requests_per_unit: 7 } }\n`);
    writeFileSync(join(folder, 'b.yaml'), `domain: keys\ndescriptors:\n${nodes.join('')}`);
    const lines = async () => (await http1(`${service.debug}/rlconfig`)).text.split('\n').slice(0, -1);
    await until('the change is in force', async () => (await lines()).some((line) => line.startsWith('keys.key_0:')));
    const listed = await lines();
    expect(listed.slice(0, keys.length)).toEqual(
      keys.map((key) => `keys.${key}: unit=DAY requests_per_unit=7, shadow_mode: false, quota_mode: false`),
    );
    expect(listed).toHaveLength(keys.length + 3);
  });
});

test('/stats tells what runs, since when, and with how much memory', async () => {
  const { status, headers, text } = await http1(`${service.debug}/stats`);
  expect(status).toBe(200);
  expect(headers['content-type']).toMatch(/^application\/json/);
  const { cmdline, ...rest } = JSON.parse(text);
  expect(cmdline.at(-1)).toBe('serve');
  expect(rest).toEqual({
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    node: expect.stringMatching(/^v24\./),
    uptime_seconds: expect.any(Number),
    cpu_seconds: { user: expect.any(Number), system: expect.any(Number) },
    memory_bytes: expect.objectContaining({ rss: expect.any(Number), heapUsed: expect.any(Number) }),
  });
});

describe('any other path', () => {
  test.each(['/', '/nothing', '/metrics/', '/rlconfig/x', '/debug/pprof'])(
    '%s gets the list of what there is',
    async (path) => {
      const { status, text } = await http1(`${service.debug}${path}`);
      expect(status).toBe(200);
      for (const each of ['/rlconfig', '/stats', '/metrics', '/debug/pprof/']) expect(text).toContain(`${each}: `);
    },
  );
});

describe('a page that reached this machine under a name of its own gets nothing:', () => {
  test.each(['/', '/rlconfig', '/stats', '/metrics', '/debug/pprof/'])('%s', async (path) => {
    for (const host of ['evil.example:6070', '127.0.0.1.evil.example', 'localhost.evil.example', '10.0.0.1']) {
      const { status, text } = await http1(`${service.debug}${path}`, { headers: { host } });
      expect([status, text]).toEqual([403, 'ask for it by the name localhost\n']);
    }
  });

  test('whoever asks this machine by one of its own names is answered', async () => {
    for (const host of ['localhost:6070', '127.0.0.1', '127.9.9.9:1', '[::1]:6070', 'LOCALHOST']) {
      expect((await http1(`${service.debug}/stats`, { headers: { host } })).status).toBe(200);
    }
  });

  test('where others reach the port, they may call it as they like', async () => {
    const open = await TestService.start({ DEBUG_HOST: '0.0.0.0' });
    expect((await http1(`${open.debug}/stats`, { headers: { host: 'headroom.example:6070' } })).status).toBe(200);
    await open.stop();
  });
});

test.each(['/rlconfig', '/stats', '/metrics', '/debug/pprof/heap'])('%s is read, not written', async (path) => {
  const { status, headers } = await http1(`${service.debug}${path}`, { method: 'POST', body: 'x' });
  expect([status, headers.allow]).toEqual([405, 'GET, HEAD']);
});

test.each(['/debug/pprof/', '/debug/pprof/profile?seconds=1', '/debug/pprof/heap'])(
  'nobody is profiled by %s unless it was switched on',
  async (path) => {
    const { status, text } = await http1(`${service.debug}${path}`);
    expect(status).toBe(403);
    expect(text).toContain('DEBUG_PROFILING=true');
  },
);

describe('with DEBUG_PROFILING', () => {
  let profiled: TestService;
  let pprof: string;

  beforeAll(async () => {
    profiled = await TestService.start({ DEBUG_PROFILING: 'true' });
    pprof = `${profiled.debug}/debug/pprof`;
  });

  afterAll(() => profiled.stop());

  test('there are a list, a CPU profile of the time asked for, and a heap snapshot', async () => {
    expect((await http1(`${pprof}/`)).text).toContain('/debug/pprof/profile');
    const profile = await http1(`${pprof}/profile?seconds=1`);
    const { nodes, startTime, endTime } = JSON.parse(profile.text);
    expect(nodes.length).toBeGreaterThan(0);
    expect(endTime - startTime).toBeGreaterThan(900_000);
    const heap = await http1(`${pprof}/heap`);
    expect(heap.headers['content-disposition']).toContain('.heapsnapshot');
    expect(JSON.parse(heap.text)).toHaveProperty('snapshot.meta');
  });

  test.each(['0', '61', '1.5', '-1', 'x', '', '100'])('a profile of %j seconds is refused', async (seconds) => {
    expect((await http1(`${pprof}/profile?seconds=${seconds}`)).status).toBe(400);
  });

  test('one look is taken at a time, and none for one who has hung up', async () => {
    const hungUp = new AbortController();
    const gone = fetch(`${pprof}/profile?seconds=60`, { signal: hungUp.signal }).catch(() => undefined);
    await until('the first is being taken', async () => (await http1(`${pprof}/profile?seconds=1`)).status === 429);
    expect((await http1(`${pprof}/heap`)).status).toBe(429);
    hungUp.abort();
    await gone;
    await until('the next one can be taken', async () => (await http1(`${pprof}/profile?seconds=1`)).status === 200);
  });

  test('nothing is measured for HEAD', async () => {
    const { status, headers } = await http1(`${pprof}/profile?seconds=60`, { method: 'HEAD' });
    expect([status, headers.allow]).toEqual([405, 'GET']);
  });

  test('the process ends in time while a profile is being taken', async () => {
    const service = await TestService.start({ DEBUG_PROFILING: 'true' });
    const profile = http1(`${service.debug}/debug/pprof/profile?seconds=60`);
    profile.catch(() => undefined);
    const busy = async () => (await http1(`${service.debug}/debug/pprof/heap`)).status === 429;
    await until('it is being taken', busy);
    service.child.kill('SIGTERM');
    expect(await service.exited).toEqual({ code: 0, signal: null });
    await expect(profile).rejects.toThrow();
  });
});
