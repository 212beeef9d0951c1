/** Runs the whole chain on localhost (Envoy asks Headroom, Headroom counts in Redis) until Ctrl-C. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type NetConnectOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { envoyBinary, localEnvoyConfig } from '../deploy/envoy/local-config.ts';

/** What the demo cannot go on without; the message says what to do. */
class DemoError extends Error {}

interface Part {
  readonly name: string;
  readonly child: ChildProcess;
  /** Fails when the part ends by itself. */
  readonly ended: Promise<never>;
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const HOST = '127.0.0.1';
// The port of deploy/envoy/envoy.yaml.
const ENVOY_PORT = 10_000;
// Everything starts within a second or two, on a busy machine within ten.
const START_MILLIS_MAX = 30_000;
// Beyond what Headroom needs to end the calls in flight.
const STOP_MILLIS_MAX = 12_000;
const OUTPUT_CHARS_MAX = 4_000;

const parts: Part[] = [];
const folder = mkdtempSync(join(tmpdir(), 'headroom-demo-'));

process.exit(await main().catch(report));

async function main(): Promise<number> {
  const stopped = stopSignal();
  const port = process.env.DEMO_PORT ? Number(process.env.DEMO_PORT) : ENVOY_PORT;
  try {
    const started = start(port);
    // Either may be the one that counts: a signal while the parts start, or a part that ends while they run.
    started.catch(() => undefined);
    const text = await Promise.race([started, stopped]);
    if (text !== undefined) {
      process.stdout.write(text);
      await Promise.race([stopped, ...parts.map(({ ended }) => ended)]);
    }
    return 0;
  } finally {
    await stop();
  }
}

/** @returns what to try @throws DemoError */
async function start(port: number): Promise<string> {
  await checkFree(port);
  const redisSocket = join(folder, 'redis.sock');
  const redis = run('redis-server', ['--port', '0', '--unixsocket', redisSocket, '--save', '', '--dir', folder]);
  const origin = run(process.execPath, [join(ROOT, 'deploy/origin.mjs')], { HOST, PORT: '0' });
  const headroom = run(join(ROOT, 'bin/headroom'), ['serve'], {
    HOST,
    PORT: '0',
    GRPC_HOST: HOST,
    GRPC_PORT: '0',
    DEBUG_PORT: '0',
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'json',
    POLICY_PATH: join(ROOT, 'examples/closient.yaml'),
    REDIS_URL: redisSocket,
  });
  const [, originSays, headroomSays] = await Promise.all([
    untilListening(redis, { path: redisSocket }),
    servingLine(origin),
    servingLine(headroom),
  ]);
  const envoy = runEnvoy({ listener: port, headroom: headroomSays.grpcPort, origin: originSays.port });
  await untilListening(envoy, { port, host: HOST });
  return invitation(port, headroomSays.httpPort, headroomSays.debugPort);
}

function runEnvoy(ports: { listener: number; headroom: unknown; origin: unknown }): Part {
  const config = join(folder, 'envoy.yaml');
  writeFileSync(
    config,
    localEnvoyConfig({
      listenerPort: ports.listener,
      adminPort: 0,
      headroomPorts: [Number(ports.headroom)],
      originPort: Number(ports.origin),
    }),
  );
  return run(envoyBinary(), ['-c', config, '--use-dynamic-base-id', '--log-level', 'warn']);
}

function invitation(port: number, httpPort: unknown, debugPort: unknown): string {
  const request = `localhost:${port}/ -H 'x-api-key: csk_demo'`;
  return `
Envoy asks Headroom about every request, and Headroom counts in Redis. Try it in another terminal:

  curl -i ${request}

Of 301 requests in one minute the last is denied; after that, the line above shows the whole answer:

  for i in $(seq 301); do curl -s -o /dev/null -w '%{http_code}\\n' ${request}; done | sort | uniq -c

Headroom describes its calls at http://localhost:${httpPort}/docs and tells its metrics at http://localhost:${debugPort}/metrics.
Ctrl-C ends everything.

`;
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Part {
  // In a process group of its own: Ctrl-C reaches this process alone, which then ends the parts in order.
  const child = spawn(command, args, { env: { ...process.env, ...env }, detached: true });
  const name = command.split('/').at(-1) as string;
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-OUTPUT_CHARS_MAX);
    });
  }
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('error', (error) => reject(new DemoError(`${command}: ${error.message}: run 'make tools'`)));
    child.once('exit', (code, signal) => reject(new DemoError(`${name} ended (${code ?? signal}):\n${output}`)));
  });
  ended.catch(() => undefined);
  const part = { name, child, ended };
  parts.push(part);
  return part;
}

/** The line with which a part says that it serves, and where. */
async function servingLine({ child, ended, name }: Part): Promise<Record<string, unknown>> {
  const said = new Promise<Record<string, unknown>>((resolve) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      if (line.includes('"@message":"serving"')) resolve(JSON.parse(line) as Record<string, unknown>);
    });
  });
  return Promise.race([said, ended, tooLate(name)]);
}

async function untilListening({ ended, name }: Part, address: NetConnectOpts): Promise<void> {
  let waiting = true;
  const listening = (async () => {
    while (waiting && !(await accepts(address))) await pause(20);
  })();
  await Promise.race([listening, ended, tooLate(name)]).finally(() => {
    waiting = false;
  });
}

function accepts(address: NetConnectOpts): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    const answer = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
  });
}

/** Envoy itself would share the port with another Envoy, and leave it half of the connections. */
function checkFree(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'is in use' : `cannot be had (${error.message})`;
      reject(new DemoError(`port ${port} ${why}: free it, or set DEMO_PORT to another one`));
    });
    server.listen(port, HOST, () => server.close(() => resolve()));
  });
}

/** Callers first, what they call last. */
async function stop(): Promise<void> {
  for (const { child } of parts.toReversed()) await end(child);
  rmSync(folder, { recursive: true, force: true });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const patience = setTimeout(() => child.kill('SIGKILL'), STOP_MILLIS_MAX);
  await gone;
  clearTimeout(patience);
}

/** Settles with nothing. A second signal ends at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
    process.once('exit', () => {
      for (const { child } of parts) child.kill('SIGKILL');
    });
  });
}

async function tooLate(name: string): Promise<never> {
  await pause(START_MILLIS_MAX);
  throw new DemoError(`${name} did not start within ${START_MILLIS_MAX / 1_000} s`);
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, millis).unref();
  });
}

function report(error: unknown): number {
  process.stderr.write(`demo: ${error instanceof DemoError ? error.message : (error as Error).stack}\n`);
  return 1;
}
