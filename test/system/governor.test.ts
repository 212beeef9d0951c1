/** Callers who govern themselves, through real Envoy: the examples of the client, as they stand, and what is left without. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startChild } from '../support/children.ts';
import { startGateway, type TestGateway } from '../support/envoy-gateway.ts';
import { ROOT } from '../support/service.ts';

const POLICY = `
domain: closient
descriptors:
  - key: api_key
    limits:
      - { requests: 50, per: 5s }
`;

/** The limit lets 10 a second pass; 80 % of that for 500 calls. */
const SECONDS_MAX = 500 / (0.8 * 10);

interface Summary {
  readonly calls: number;
  /** Every answer counts, also of calls that were made again. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly seconds: number;
}

let folder: string;
let gateway: TestGateway;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-governor-'));
  writeFileSync(join(folder, 'policy.yaml'), POLICY);
  gateway = await startGateway({ env: { POLICY_PATH: join(folder, 'policy.yaml') } });
}, 60_000);

afterAll(async () => {
  await gateway?.stop();
  rmSync(folder, { recursive: true, force: true });
});

// Side by side, each with a key of its own, since each of them takes most of a minute.
test('20 callers of one key never see a 429 and use 80 % of the limit; without a governor all succeed in the end', async () => {
  const [typescript, python, ungoverned] = await Promise.all([
    run(process.execPath, ['examples/governor.ts', address(), 'csk_typescript', '20', '500']),
    run('python3', ['examples/governor.py', address(), 'csk_python', '20', '500']),
    run(process.execPath, ['examples/governor.ts', address(), 'csk_ungoverned', '20', '200', '--no-governor']),
  ]);
  expect([typescript.statuses, python.statuses]).toEqual([{ 200: 500 }, { 200: 500 }]);
  expect(typescript.seconds).toBeLessThanOrEqual(SECONDS_MAX);
  expect(python.seconds).toBeLessThanOrEqual(SECONDS_MAX);
  // It has met the limit, or it would show nothing.
  expect(Object.keys(ungoverned.statuses)).toEqual(['200', '429']);
  expect(ungoverned.statuses[200]).toBe(200);
}, 90_000);

function address(): string {
  return `http://127.0.0.1:${gateway.envoy.port}/`;
}

/** @returns the last line of its output, once it has ended well */
function run(command: string, args: readonly string[]): Promise<Summary> {
  const child = startChild(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk: Buffer) => {
      output[name] += chunk.toString();
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      if (status === 0) resolve(JSON.parse(output.stdout.trim().split('\n').at(-1) ?? '') as Summary);
      else reject(new Error(`${args[0]} ended with ${status}: ${output.stderr}`));
    });
  });
}
