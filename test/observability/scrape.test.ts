/** The Prometheus page of a running service: where it is, what it counts, and that callers cannot make it grow. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/children.ts';
import { TestService } from '../support/service.ts';
import { Doors, descriptorOf } from './calls.ts';
import { type Labels, parsePrometheus, samplesOf, sampleValue } from './prometheus-text.ts';

const DECISIONS = 'headroom_rate_limiting_decisions_total';
const LOADS = 'headroom_policy_loads_total';
const POLICY = `
domain: shop
descriptors:
  - key: once
    limits: [ { requests: 1, per: day } ]
  - key: rehearsed
    shadow_mode: true
    limits: [ { requests: 1, per: day } ]
  - key: free
`;

let folder: string;
let service: TestService;
let doors: Doors;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-scrape-'));
  writeFileSync(join(folder, 'shop.yaml'), POLICY);
  service = await TestService.start({ POLICY_PATH: folder });
  doors = new Doors(service);
});

afterAll(async () => {
  await service.stop();
  rmSync(folder, { recursive: true });
});

describe('where it is', () => {
  test('on the debug port, in the text format that Prometheus asks for', async () => {
    const response = await fetch(`${service.debug}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect([...parsePrometheus(await response.text()).keys()]).toContain('target_info');
  });

  test('on 127.0.0.1 alone unless DEBUG_HOST says otherwise', async () => {
    expect(await connects('127.0.0.1', service.debugPort)).toBe(true);
    // On a machine that listened everywhere, this would be answered, too.
    expect(await connects('127.0.0.2', service.debugPort)).toBe(false);
  });

  test('not on the ports that callers reach', async () => {
    expect((await fetch(`${service.http}/metrics`)).status).toBe(404);
    expect((await fetch(`${service.grpc}/metrics`)).status).toBe(404);
  });
});

describe('a decision', () => {
  test.each<[string, (descriptor: string) => Promise<unknown>]>([
    ['rls', (descriptor) => doors.rls('shop', [descriptor])],
    ['check', (descriptor) => doors.check({ domain: 'shop', descriptors: [descriptorOf(descriptor)] })],
    ['json', (descriptor) => doors.json({ domain: 'shop', descriptors: [descriptorOf(descriptor)] })],
  ])('through the door %s is counted once, by result and policy', async (door, call) => {
    const rows: [string, Labels][] = [
      [`once=${door}`, { result: 'allowed', policy: 'once' }],
      [`once=${door}`, { result: 'limited', policy: 'once' }],
      [`rehearsed=${door}`, { result: 'allowed', policy: 'rehearsed' }],
      [`rehearsed=${door}`, { result: 'shadowed', policy: 'rehearsed' }],
      [`free=${door}`, { result: 'allowed', policy: 'none' }],
    ];
    for (const [descriptor, labels] of rows) {
      const before = await scraped(DECISIONS, { door, domain: 'shop', ...labels });
      await call(descriptor);
      expect(await scraped(DECISIONS, { door, domain: 'shop', ...labels })).toBe(before + 1);
    }
  });

  test('takes a time that is counted, too', async () => {
    const name = 'headroom_rate_limiting_decision_duration_seconds_count';
    const [decisions, store] = [await scraped(name), await scraped(name.replace('decision', 'store'))];
    await doors.rls('shop', ['once=timed']);
    await doors.rls('shop', ['free=timed']);
    expect(await scraped(name)).toBe(decisions + 2);
    expect(await scraped(name.replace('decision', 'store'))).toBe(store + 1);
  });

  test('for a domain that no policy knows has the domain none, and 1,000 such domains have one series', async () => {
    const before = new Set(samplesOf(await page(), DECISIONS).map(({ labels }) => JSON.stringify(labels)));
    for (let index = 0; index < 1_000; index += 50) {
      const domains = Array.from({ length: 50 }, (_, offset) => `unknown ${index + offset}`);
      await Promise.all(domains.map((domain) => doors.rls(domain, [`key ${domain}=value ${domain}`])));
    }
    const text = await page();
    const made = samplesOf(text, DECISIONS).filter(({ labels }) => !before.has(JSON.stringify(labels)));
    const labels = { door: 'rls', result: 'allowed', domain: 'none', policy: 'none' };
    expect(made).toEqual([{ name: DECISIONS, labels, value: 1_000 }]);
    expect(text).not.toContain('unknown');
  });
});

test('a change of the policy files is counted as success or error', async () => {
  const [success, error] = [await scraped(LOADS, { result: 'success' }), await scraped(LOADS, { result: 'error' })];
  writeFileSync(join(folder, 'shop.yaml'), 'domain: [');
  await until('the broken file was read', async () => (await scraped(LOADS, { result: 'error' })) > error);
  expect(await scraped(LOADS, { result: 'success' })).toBe(success);
  writeFileSync(join(folder, 'shop.yaml'), POLICY);
  await until('the mended file was read', async () => (await scraped(LOADS, { result: 'success' })) > success);
});

async function page(): Promise<string> {
  return (await fetch(`${service.debug}/metrics`)).text();
}

async function scraped(name: string, labels: Labels = {}): Promise<number> {
  return sampleValue(await page(), name, labels);
}

function connects(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
