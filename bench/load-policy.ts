/** `node bench/load-policy.ts [rounds]`: how long policy files of 10, 1,000 and 100,000 rules take to be read, validated and compiled. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readPolicies } from '../src/adapters/policy-file/read-policy.ts';
import type { Level } from '../src/core/policy.ts';

const USAGE = 'usage: node bench/load-policy.ts [rounds], from 1 to 100 (5)\n';
const ROUNDS = 5;
const ROUNDS_MAX = 100;
const COUNTS = [10, 1_000, 100_000] as const;

interface Layout {
  readonly title: string;
  readonly files: number;
  readonly rule: (index: number) => string;
}

const LAYOUTS: Readonly<Record<string, Layout>> = {
  block: {
    title: 'one domain, rate_limit in block style',
    files: 1,
    rule: (index) => `  - key: tenant
    value: customer-${index}
    rate_limit:
      unit: minute
      requests_per_unit: ${index % 1_000}
`,
  },
  domains: {
    title: 'ten domains, rate_limit in flow style and quotes',
    files: 10,
    rule: (index) =>
      `  - { key: "tenant", value: "customer-${index}", rate_limit: { unit: "minute", requests_per_unit: ${index % 1_000} } }\n`,
  },
  limits: {
    title: 'one domain, limits of two windows',
    files: 1,
    rule: (index) => `  - key: tenant
    value: customer-${index}
    limits:
      - { requests: ${index % 1_000}, per: minute }
      - { requests: ${index}, per: day }
`,
  },
};

interface Load {
  readonly millis: number;
  /** User and system time of the thread that loads: what a machine takes that has nothing else to do. */
  readonly cpuMillis: number;
}

function main(args: readonly string[]): void {
  if (args[0] === '--load') {
    process.stdout.write(JSON.stringify(load(args[1] as string, Number(args[2]))));
    return;
  }
  const rounds = Number(args[0] ?? ROUNDS);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > ROUNDS_MAX) throw new Error(USAGE);
  const folder = mkdtempSync(join(tmpdir(), 'headroom-bench-load-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const [name, layout] of Object.entries(LAYOUTS)) {
    process.stdout.write(`${layout.title}\n`);
    const paths = COUNTS.map((count) => ({ count, ...write(join(folder, `${name}-${count}`), layout, count) }));
    const loads = new Map(COUNTS.map((count) => [count, [] as Load[]]));
    for (let round = 0; round < rounds; round++) {
      for (const { path, count } of round % 2 === 0 ? paths : paths.toReversed()) {
        loads.get(count as (typeof COUNTS)[number])?.push(loadAlone(path, count));
      }
    }
    for (const { count, bytes } of paths) print(count, bytes, loads.get(count) ?? []);
  }
}

function write(folder: string, { files, rule }: Layout, count: number): { path: string; bytes: number } {
  mkdirSync(folder);
  let bytes = 0;
  for (let file = 0; file < files; file++) {
    const rules = Array.from({ length: count / files }, (_, index) => rule(index));
    const text = `domain: domain-${file}\ndescriptors:\n${rules.join('')}`;
    bytes += text.length;
    writeFileSync(join(folder, `${file}.yaml`), text);
  }
  return { path: folder, bytes };
}

/** In a process of its own: the first load is what a start waits for. */
function loadAlone(path: string, count: number): Load {
  const args = [fileURLToPath(import.meta.url), '--load', path, String(count)];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Load;
}

function load(path: string, count: number): Load {
  const cpu = process.threadCpuUsage();
  const startedAt = performance.now();
  const policies = readPolicies(path);
  const millis = performance.now() - startedAt;
  const { user, system } = process.threadCpuUsage(cpu);
  const rules = [...policies.values()].reduce((sum, { root }) => sum + limitsOf(root), 0);
  if (rules !== count) throw new Error(`${rules} rules were loaded, not ${count}`);
  return { millis, cpuMillis: (user + system) / 1_000 };
}

function limitsOf({ children }: Level): number {
  return [...children.values()].filter(({ limit }) => limit !== undefined).length;
}

function print(count: number, bytes: number, loads: readonly Load[]): void {
  const sorted = loads.map(({ millis }) => millis).sort((a, b) => a - b);
  const [least, median, most] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)].map((each) => each?.toFixed(1));
  const cpu = loads.map(({ cpuMillis }) => cpuMillis).sort((a, b) => a - b)[loads.length >> 1];
  const size = `${(bytes / 1e6).toFixed(3)} MB`;
  const row = [`${count} rules`.padStart(12), size.padStart(10), `${median} ms`.padStart(10), `(${least} to ${most})`];
  process.stdout.write(`${row.join('  ')}, ${cpu?.toFixed(1)} ms of CPU\n`);
}

main(process.argv.slice(2));
