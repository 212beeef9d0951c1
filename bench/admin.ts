/** `node bench/admin.ts [count] [folder for a CPU profile]`: how many keys a second the admin API creates, over HTTP, in one process. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BenchRedis } from './bench-redis.ts';
import { readCpu } from './cpu.ts';
import { type Running, start, stop, waitFor } from './processes.ts';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const USAGE =
  'usage: node bench/admin.ts [count [folder]], from 1000 to 1000000 (20000); into the folder a CPU profile\n';
const COUNT = 20_000;
const COUNT_MIN = 1_000;
// As many a minute as the policy allows, warm-up included, at any speed.
const COUNT_MAX = 1_000_000;
// The service compiles its hot paths within so many.
const WARM_UP = 2_000;
const INFLIGHT = 64;
const ROUNDS = 3;
const TOKEN = 'bench-admin-token-0123456789abcdef';
/** The built-in 6,000 a minute are 100 a second. */
const POLICY = `domain: headroom_admin
descriptors:
  - { key: admin_token, limits: [{ requests: 2000000, per: minute }] }
  - { key: admin_address, limits: [{ requests: 20, per: minute }] }
`;

interface Round {
  readonly perSecond: number;
  readonly serviceMicros: number;
  readonly redisMicros: number;
  readonly p50Millis: number;
  readonly p99Millis: number;
}

async function main([countText, profiles]: readonly string[]): Promise<void> {
  const count = Number(countText ?? COUNT);
  if (!Number.isInteger(count) || count < COUNT_MIN || count > COUNT_MAX) throw new Error(USAGE);
  const folder = mkdtempSync(join(tmpdir(), 'headroom-bench-admin-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const rounds: Round[] = [];
  for (let round = 0; round < (profiles === undefined ? ROUNDS : 1); round++) {
    rounds.push(await runRound(join(folder, String(round)), count, profiles));
    print(rounds.at(-1) as Round);
  }
  const [median] = rounds.sort((a, b) => a.perSecond - b.perSecond).slice(rounds.length >> 1);
  process.stdout.write('median: ');
  print(median as Round);
}

async function runRound(folder: string, count: number, profiles: string | undefined): Promise<Round> {
  mkdirSync(folder);
  const redis = await BenchRedis.start(folder);
  const service = startService(folder, redis, profiles);
  try {
    const port = await waitFor(service, () => httpPortIn(service.output()));
    await create(port, WARM_UP);
    const pids = [service.pid, redis.pid];
    const before = readCpu(pids).micros;
    const from = performance.now();
    const millis = await create(port, count);
    const seconds = (performance.now() - from) / 1_000;
    const [serviceMicros = 0, redisMicros = 0] = readCpu(pids).micros.map((micros, at) => micros - (before[at] ?? 0));
    millis.sort((a, b) => a - b);
    const at = (share: number): number => millis[Math.floor(share * count)] ?? 0;
    return {
      perSecond: count / seconds,
      serviceMicros: serviceMicros / count,
      redisMicros: redisMicros / count,
      p50Millis: at(0.5),
      p99Millis: at(0.99),
    };
  } finally {
    await stop(service);
    await redis.stop();
  }
}

function startService(folder: string, redis: BenchRedis, profiles: string | undefined): Running {
  const policyPath = join(folder, 'policy.yaml');
  writeFileSync(policyPath, POLICY);
  const nodeArgs = profiles === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profiles];
  return start(process.execPath, [...nodeArgs, MAIN, 'serve'], {
    HOST: '127.0.0.1',
    PORT: '0',
    GRPC_HOST: '127.0.0.1',
    GRPC_PORT: '0',
    DEBUG_PORT: '0',
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'json',
    POLICY_PATH: policyPath,
    ADMIN_TOKEN: TOKEN,
    REDIS_URL: redis.socket,
    REDIS_OP_TIMEOUT: '10s',
  });
}

/** @returns how long each took, in milliseconds */
async function create(port: number, count: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: INFLIGHT });
  const millis: number[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const body = JSON.stringify({ name: `customer ${next++}`, metadata: { owner: 'team a' } });
      const from = performance.now();
      await post(agent, port, body);
      millis.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: INFLIGHT }, worker));
  agent.destroy();
  return millis;
}

/** @throws Error unless a key was created */
function post(agent: Agent, port: number, body: string): Promise<void> {
  const headers = {
    authorization: `Bearer ${TOKEN}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    const call = request({ agent, port, host: '127.0.0.1', method: 'POST', path: '/v1/keys', headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        const isMade = response.statusCode === 201 && text.includes('"key":"csk_');
        isMade ? resolve() : reject(new Error(`${response.statusCode} ${text}`));
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

function httpPortIn(output: string): number | undefined {
  const line = output.split('\n').find((text) => text.includes('"httpPort"') && text.endsWith('}'));
  return line === undefined ? undefined : (JSON.parse(line) as { httpPort: number }).httpPort;
}

function print({ perSecond, serviceMicros, redisMicros, p50Millis, p99Millis }: Round): void {
  const cpu = `${serviceMicros.toFixed(0)} µs of the service's CPU and ${redisMicros.toFixed(0)} of Redis's each`;
  process.stdout.write(
    `${perSecond.toFixed(0)} creates/s, ${cpu}, p50 ${p50Millis.toFixed(1)} ms, p99 ${p99Millis.toFixed(1)} ms\n`,
  );
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench/admin: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
