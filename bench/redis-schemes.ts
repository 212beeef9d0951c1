/**
 * `node bench/redis-schemes.ts [inflight [rounds]]`: what a decision with two windows costs Redis, and the process that
 * asks it, in each way of asking. Every way runs in a fresh process with a fresh Redis, in the order opposite to the round before.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RedisConnection } from '../src/adapters/redis/connect.ts';
import { subjectHash } from '../src/adapters/redis/counter-key.ts';
import { RedisStore } from '../src/adapters/redis/redis-store.ts';
import { manyScript } from '../src/adapters/redis/unroll.ts';
import type { Hit } from '../src/core/hit.ts';
import { unitWindow } from '../src/core/limit.ts';
import { BenchRedis, connectTo } from './bench-redis.ts';
import { readCpu } from './cpu.ts';
import { lastLineOf, start } from './processes.ts';

const USAGE = 'usage: node bench/redis-schemes.ts [inflight [rounds]], up to 1024 (64) and 20 (5)\n';
const KEYS = 10_000;
const DECISIONS = 100_000;
const MAX = 1_000_000;
// Of a run: it takes two to five seconds where nothing else runs.
const RUN_MILLIS_MAX = 120_000;

const WINDOWS = [unitWindow(MAX, 'minute'), unitWindow(MAX, 'day')];
const LENGTHS = WINDOWS.map(({ seconds }) => seconds);
/** take-many.lua's: jitter, fitting, cost, need, maxes. */
const ARGS = ['0', '1', '1', '1', ...WINDOWS.map(({ max }) => String(max))];
/** As INCRBY and EXPIRE are used by envoyproxy/ratelimit, in the numbers of pairs. */
const YARDSTICK = 'INCRBY+EXPIRE';
const FUNCTION = 'take_many';

/** Makes one decision. */
type Decide = (subject: string) => Promise<unknown>;

const SCHEMES: Readonly<Record<string, (redis: RedisConnection) => Decide | Promise<Decide>>> = {
  [YARDSTICK]: incrementing,
  'EVALSHA each': async (redis) => eachOf(redis, 'EVALSHA', await loaded(redis)),
  'EVALSHA several': async (redis) => severalOf(redis, 'EVALSHA', await loaded(redis)),
  'FCALL each': async (redis) => eachOf(redis, 'FCALL', await registered(redis)),
  'FCALL several': async (redis) => severalOf(redis, 'FCALL', await registered(redis)),
  'as the service': asTheService,
};

/** One pipeline for each decision, as envoyproxy/ratelimit asks. */
function incrementing({ client }: RedisConnection): Decide {
  return async (subject) => {
    const now = Math.floor(Date.now() / 1_000);
    const pipeline = client.pipeline();
    for (const seconds of LENGTHS) {
      const key = `${subject}_${now - (now % seconds)}`;
      pipeline.incrby(key, 1).expire(key, seconds);
    }
    return pipeline.exec();
  };
}

function asTheService(redis: RedisConnection): Decide {
  const store = new RedisStore({ redis, keyPrefix: '', expirationJitterMaxSeconds: 0 });
  const charge = { cost: 1, need: 1, charging: 'together', denies: 'alone' } as const;
  const hitOf = (subject: string): Hit => ({ subject, windows: WINDOWS, ...charge });
  return (subject) => store.take([hitOf(subject)]);
}

function eachOf(redis: RedisConnection, command: string, script: string): Decide {
  return (subject) => {
    redis.joinTurn();
    return redis.client.callBuffer(command, [script, 1, keyOf(subject), ...ARGS]);
  };
}

/** One call for all decisions of a turn of the event loop. */
function severalOf(redis: RedisConnection, command: string, script: string): Decide {
  let keys: string[] = [];
  let asked: Promise<unknown>;
  return (subject) => {
    if (keys.length === 0) {
      asked = new Promise((resolve, reject) => {
        redis.joinTurn(() => {
          redis.client.callBuffer(command, [script, keys.length, ...keys, ...ARGS]).then(resolve, reject);
          keys = [];
        });
      });
    }
    keys.push(keyOf(subject));
    return asked;
  };
}

async function loaded({ client }: RedisConnection): Promise<string> {
  return String(await client.call('SCRIPT', ['LOAD', manyScript(LENGTHS)]));
}

async function registered({ client }: RedisConnection): Promise<string> {
  const body = `function(KEYS, ARGV)\n${manyScript(LENGTHS)}\nend`;
  await client.call('FUNCTION', ['LOAD', `#!lua name=headroom\nredis.register_function('${FUNCTION}', ${body})`]);
  return FUNCTION;
}

function keyOf(subject: string): string {
  return `hr:${subjectHash(subject)}`;
}

interface Measured {
  readonly redisMicros: number;
  readonly clientMicros: number;
}

/** A Redis of its own, and the process that asks it. The former is this process's, so that it never outlives the benchmark. */
async function measure(name: string, inflight: number): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'headroom-bench-schemes-'));
  const redis = await BenchRedis.start(folder);
  try {
    const args = [fileURLToPath(import.meta.url), String(inflight), name, redis.socket, String(redis.pid)];
    const measured = JSON.parse(await lastLineOf(start(process.execPath, args), RUN_MILLIS_MAX)) as Measured;
    await assertCounted(redis, name);
    return measured;
  } finally {
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function ask(name: string, inflight: number, socket: string, pid: number): Promise<Measured> {
  const connection = await connectTo(socket);
  try {
    const decide = await schemeOf(name)(connection);
    // Every key is there, and the compiler is done, before anything is measured.
    await decideAll(decide, inflight, 2 * KEYS);
    const redisFrom = redisMicros(pid);
    const from = process.cpuUsage();
    await decideAll(decide, inflight, DECISIONS);
    const { user, system } = process.cpuUsage(from);
    return { redisMicros: (redisMicros(pid) - redisFrom) / DECISIONS, clientMicros: (user + system) / DECISIONS };
  } finally {
    connection.close();
  }
}

function schemeOf(name: string): (redis: RedisConnection) => Decide | Promise<Decide> {
  const scheme = SCHEMES[name];
  if (scheme === undefined) throw new Error(USAGE);
  return scheme;
}

/** In a closed loop, every key in its turn. */
async function decideAll(decide: Decide, inflight: number, decisions: number): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < decisions) await decide(`closient_api_key_${next++ % KEYS}`);
  };
  await Promise.all(Array.from({ length: inflight }, worker));
}

/** Every decision was charged to both windows, unless a minute has ended meanwhile. */
async function assertCounted({ client }: BenchRedis, name: string): Promise<void> {
  const names = await client.keys('*');
  const expected = (2 * KEYS + DECISIONS) * (name === YARDSTICK ? LENGTHS.length : 1);
  let counted = 0;
  for (const each of names) {
    const value = (await client.getBuffer(each)) as Buffer;
    // Of the packed value, what was used of the day: its second window.
    counted += name === YARDSTICK ? Number(value) : value.readUIntLE(16 + 9, 6);
  }
  if (counted !== expected) throw new Error(`${name}: ${counted} charges instead of ${expected}`);
}

function redisMicros(pid: number): number {
  return readCpu([pid]).micros[0] ?? 0;
}

async function main(inflight: number, rounds: number): Promise<void> {
  const names = Object.keys(SCHEMES);
  const found = new Map(names.map((name) => [name, [] as Measured[]]));
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      found.get(name)?.push(await measure(name, inflight));
    }
  }
  const yardstick = (found.get(YARDSTICK) ?? []).map(({ redisMicros: micros }) => micros);
  print(`µs of CPU for each decision, median (least to most) of ${rounds} rounds, ${inflight} in flight`);
  print(`${''.padEnd(16)} ${'Redis'.padEnd(20)} ${`of ${YARDSTICK}`.padEnd(20)} this process`);
  for (const [name, runs] of found) {
    const ratios = runs.map(({ redisMicros: micros }, round) => micros / (yardstick[round] as number));
    const columns = [runs.map((run) => run.redisMicros), ratios, runs.map((run) => run.clientMicros)];
    print([name.padEnd(16), ...columns.map((column) => spread(column).padEnd(20))].join(' ').trimEnd());
  }
}

function spread(values: readonly number[]): string {
  const sorted = values.toSorted((one, other) => one - other);
  const [median, least, most] = [sorted.length >> 1, 0, sorted.length - 1].map((at) => (sorted[at] ?? 0).toFixed(2));
  return `${median} (${least} to ${most})`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  const [inflight = '64', second = '5', socket = '', pid = ''] = process.argv.slice(2);
  if (!/^\d+$/.test(inflight) || Number(inflight) < 1 || Number(inflight) > 1_024) throw new Error(USAGE);
  if (second in SCHEMES) print(JSON.stringify(await ask(second, Number(inflight), socket, Number(pid))));
  else if (/^([1-9]|1\d|20)$/.test(second)) await main(Number(inflight), Number(second));
  else throw new Error(USAGE);
} catch (error) {
  process.stderr.write(`bench/redis-schemes: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
