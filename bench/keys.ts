/** `node bench/keys.ts [count]`: what a registry of so many API keys costs: to fill, to list at any depth, and in memory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisKeys } from '../src/adapters/redis/redis-keys.ts';
import { KEY_STATUSES } from '../src/core/key-record.ts';
import type { KeyQuery } from '../src/ports/key-registry.ts';
import { BenchRedis } from './bench-redis.ts';
import { readCpu } from './cpu.ts';
import { totalOf, writeOf } from './key-workload.ts';

const USAGE = 'usage: node bench/keys.ts [count], from 10000 to 10000000 (1000000)\n';
// As many as the audit keeps, so that all its pages are full.
const COUNT_MIN = 10_000;
const COUNT_MAX = 10_000_000;
const INFLIGHT = 64;
const REPEATS = 50;
const PAGE_SIZE = 100;
const KEY_PREFIX = '';
// What the documented bounds are; the bench fails beyond them.
const CREATES_PER_SECOND_MIN = 2_000;
const PAGE_MILLIS_MAX = 10;

interface Bench {
  readonly redis: BenchRedis;
  readonly registry: RedisKeys;
  readonly count: number;
}

async function main(args: readonly string[]): Promise<void> {
  const count = Number(args[0] ?? 1_000_000);
  if (args.length > 1 || !Number.isInteger(count) || count < COUNT_MIN || count > COUNT_MAX) throw new Error(USAGE);
  const folder = mkdtempSync(join(tmpdir(), 'headroom-bench-keys-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const redis = await BenchRedis.start(folder);
  const connection = await redis.connect();
  try {
    const bench = { redis, registry: new RedisKeys({ redis: connection, keyPrefix: KEY_PREFIX }), count };
    const early = { from: await usedBytes(redis), perSecond: await fill(bench) };
    await measureMemory(bench, early.from);
    const slowest = Math.max(await measureLists(bench), await measurePrefixes(bench));
    await measureAudit(bench);
    if (early.perSecond < CREATES_PER_SECOND_MIN) throw new Error(`fewer than ${CREATES_PER_SECOND_MIN} creates/s`);
    if (slowest > PAGE_MILLIS_MAX) throw new Error(`a median page takes more than ${PAGE_MILLIS_MAX} ms`);
  } finally {
    connection.close();
    await redis.stop();
  }
}

/** @returns creates per second */
async function fill({ redis, registry, count }: Bench): Promise<number> {
  const cpuBefore = redisMicros(redis.pid);
  const from = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const { kind } = await registry.write(writeOf(next++));
      assertEqual('outcome of a creation', kind, 'written');
    }
  };
  await Promise.all(Array.from({ length: INFLIGHT }, worker));
  const seconds = (performance.now() - from) / 1_000;
  const cpu = redisMicros(redis.pid) - cpuBefore;
  const { totalCount } = await registry.list({ page: 1, pageSize: 1, sort: 'created_at' });
  assertEqual('records', totalCount, count);
  print(`${count} records in ${seconds.toFixed(0)} s, ${INFLIGHT} writes in flight:`);
  print(`${(count / seconds).toFixed(0)} creates/s, ${(cpu / count).toFixed(0)} µs of Redis's CPU each\n`);
  return count / seconds;
}

async function measureMemory({ redis, count }: Bench, bytesBefore: number): Promise<void> {
  const bytes = (await usedBytes(redis)) - bytesBefore;
  const audit = await usageOf(redis, `${KEY_PREFIX}hr:audit`);
  const sizes = await Promise.all(
    ['created', 'name'].map(async (order) => {
      const lists = await redis.client.keys(`${KEY_PREFIX}hr:keys:${order}:*`);
      const usages = await Promise.all(lists.map((list) => usageOf(redis, list)));
      return usages.reduce((sum, usage) => sum + usage, 0);
    }),
  );
  const [created = 0, name = 0] = sizes;
  const each = (part: number): string => `${(part / count).toFixed(0)} bytes`;
  print(
    `memory of a record: ${each(bytes - audit)}: itself ${each(bytes - audit - created - name)}, lists by creation`,
  );
  print(
    `${each(created)}, by name ${each(name)}; ${(bytes / 2 ** 20).toFixed(0)} MiB in all, audit ${(audit / 2 ** 20).toFixed(1)} MiB\n`,
  );
}

/** @returns the slowest median, in milliseconds */
async function measureLists(bench: Bench): Promise<number> {
  const rows: Row[] = [];
  for (const type of [undefined, 'secret', 'publishable'] as const) {
    for (const status of [undefined, ...KEY_STATUSES]) {
      const total = totalOf(bench.count, { type, status });
      for (const sort of ['created_at', '-created_at', 'name', '-name'] as const) {
        const title = `${type ?? 'any'}, ${status ?? 'any'}, ${sort}`;
        rows.push(await rowOf(bench, title, total, { type, status, sort }));
      }
    }
  }
  printRows(rows);
  return slowestOf(rows);
}

async function measurePrefixes(bench: Bench): Promise<number> {
  const rows: Row[] = [];
  for (const namePrefix of ['customer ', 'customer 7', 'customer 7 key 1', 'nobody']) {
    for (const sort of ['name', '-name'] as const) {
      const total = totalOf(bench.count, { namePrefix });
      rows.push(await rowOf(bench, `names with '${namePrefix}', ${sort}`, total, { namePrefix, sort }));
    }
  }
  printRows(rows);
  return slowestOf(rows);
}

async function measureAudit({ redis, registry }: Bench): Promise<void> {
  const cells: Latency[] = [];
  for (const page of [1, 50, 100]) {
    cells.push(await latency(redis, async () => (await registry.audit(page, PAGE_SIZE)).items.length, PAGE_SIZE));
  }
  printRows([{ title: 'audit', total: COUNT_MIN, cells }]);
}

interface Row {
  readonly title: string;
  readonly total: number;
  /** Of the first, the middle and the last page. */
  readonly cells: readonly Latency[];
}

interface Latency {
  readonly medianMillis: number;
  readonly maxMillis: number;
  /** Of Redis's CPU, the mean: for so long decisions wait. */
  readonly redisMicros: number;
}

async function rowOf({ redis, registry }: Bench, title: string, total: number, query: Partial<KeyQuery>): Promise<Row> {
  const last = Math.max(1, Math.ceil(total / PAGE_SIZE));
  const cells: Latency[] = [];
  for (const page of [1, Math.ceil(last / 2), last]) {
    const asked = { pageSize: PAGE_SIZE, sort: 'created_at', page, ...query } as const;
    const items = Math.min(PAGE_SIZE, total - (page - 1) * PAGE_SIZE);
    const ask = async (): Promise<number> => {
      const found = await registry.list(asked);
      assertEqual(`total of ${title}`, found.totalCount, total);
      return found.items.length;
    };
    cells.push(await latency(redis, ask, items));
  }
  return { title, total, cells };
}

/** @param ask gives the number of items on the page */
async function latency({ pid }: BenchRedis, ask: () => Promise<number>, items: number): Promise<Latency> {
  const millis: number[] = [];
  const cpuBefore = redisMicros(pid);
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const from = performance.now();
    const found = await ask();
    millis.push(performance.now() - from);
    assertEqual('items of a page', found, items);
  }
  const cpu = redisMicros(pid) - cpuBefore;
  millis.sort((one, other) => one - other);
  return { medianMillis: millis[REPEATS >> 1] ?? 0, maxMillis: millis.at(-1) ?? 0, redisMicros: cpu / REPEATS };
}

function slowestOf(rows: readonly Row[]): number {
  return Math.max(...rows.flatMap(({ cells }) => cells.map(({ medianMillis }) => medianMillis)));
}

function printRows(rows: readonly Row[]): void {
  print(
    `${'page of 100: median (max) ms, Redis µs'.padEnd(38)} ${'total'.padStart(7)}  first               middle              last`,
  );
  for (const { title, total, cells } of rows) {
    const texts = cells.map(({ medianMillis, maxMillis, redisMicros: micros }) =>
      `${medianMillis.toFixed(2)} (${maxMillis.toFixed(2)}) ${micros.toFixed(0)}`.padEnd(19),
    );
    print(`${title.padEnd(38)} ${String(total).padStart(7)}  ${texts.join(' ').trimEnd()}`);
  }
  print('');
}

function redisMicros(pid: number): number {
  return readCpu([pid]).micros[0] ?? 0;
}

async function usedBytes({ client }: BenchRedis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1]);
}

async function usageOf({ client }: BenchRedis, key: string): Promise<number> {
  return Number(await client.memory('USAGE', key, 'SAMPLES', 1_000));
}

function assertEqual<T>(what: string, found: T, expected: T): void {
  if (found !== expected) throw new Error(`${what}: ${String(found)} instead of ${String(expected)}`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench/keys: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
