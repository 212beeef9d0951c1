/** The command line: reads the arguments and the environment, and leaves the rest to server.ts. */
import { readFileSync } from 'node:fs';

const USAGE = `Headroom decides for gateways: may this request pass, and what should its caller be told?

usage: headroom [serve]             answer on the gRPC, HTTP and debug ports until SIGTERM
       headroom check-config PATH   say whether a policy file, or a directory of them, can be used;
                                    -merge_domain_configs: several files may hold one domain;
                                    -config_dir DIRECTORY in place of PATH: every file in it, as
                                    envoyproxy/ratelimit's checker takes them
       headroom keys COMMAND        create, list and change API keys: see headroom keys --help
       headroom --version
       headroom --help

Everything else is set by environment variables: see docs/configuration.md.
`;

async function main(args: readonly string[]): Promise<number> {
  const [command = 'serve', ...rest] = args;
  if (command === '--help' || command === '-h') return print(USAGE);
  if (command === '--version') return print(`headroom ${version()}\n`);
  if (command === 'serve' && rest.length === 0) return serve();
  if (command === 'keys') return keys(rest);
  if (command === 'check-config') {
    const checked = await checkConfig(rest);
    if (checked !== undefined) return checked;
  }
  write(process.stderr, `headroom: cannot make sense of '${args.join(' ')}'\n\n${USAGE}`);
  return 2;
}

// Each command loads what it needs: who lists keys does not wait until a server is loaded.

async function serve(): Promise<number> {
  const [{ toConfig }, { readEnv }, { tracingVariables }, { warningsAbout }] = await Promise.all([
    import('./config/config.ts'),
    import('./config/env.ts'),
    import('./config/tracing.ts'),
    import('./config/warnings.ts'),
  ]);
  const env = readEnv(process.env);
  const config = toConfig(env);
  const [{ createLogger }, { startTelemetry }, { startServer }, statistics] = await Promise.all([
    import('./observability/logger.ts'),
    import('./observability/telemetry.ts'),
    import('./server.ts'),
    config.stats && import('./observability/stats/stats.ts'),
  ]);
  // From here on a signal is not lost, whenever it comes.
  const stopped = stopSignal();
  const log = createLogger(config.log);
  for (const warning of warningsAbout(process.env)) log.warn(warning, 'a variable has no effect');
  // The SDK of OpenTelemetry reads the environment of the process and no other.
  Object.assign(process.env, tracingVariables(env, process.env));
  const telemetry = await startTelemetry({
    env: process.env,
    version: version(),
    log,
    countersIn: config.store.type,
  });
  const { nearLimitRatio } = config.deciding;
  const metricsText = () => telemetry.prometheus.text();
  const stats =
    config.stats && (await statistics?.startStats({ config: config.stats, nearLimitRatio, log, metricsText }));
  const gaveUp = Promise.withResolvers<Error>();
  const parts = { config, log, telemetry, stats, version: version(), onGiveUp: gaveUp.resolve };
  const server = await startServer(parts);
  const { httpPort, grpcPort, debugPort } = server;
  log.info({ version: version(), httpPort, grpcPort, debugPort, store: config.store.type }, 'serving');
  const reason = await Promise.race([stopped, gaveUp.promise]);
  log.info(reason instanceof Error ? { reason: reason.message } : { signal: reason }, 'stopping');
  await server.stop();
  if (reason instanceof Error) throw reason;
  log.info({}, 'stopped');
  return 0;
}

/** @returns undefined for arguments that make no sense */
async function checkConfig(args: readonly string[]): Promise<number | undefined> {
  const [{ checkConfigArguments }, { checkConfig }] = await Promise.all([
    import('./cli/check-config-arguments.ts'),
    import('./adapters/policy-file/check-config.ts'),
  ]);
  const options = checkConfigArguments(args);
  return (
    options &&
    checkConfig({
      ...options,
      write: (text) => write(process.stdout, text),
      writeError: (text) => write(process.stderr, text),
    })
  );
}

async function keys(args: readonly string[]): Promise<number> {
  const { runKeys } = await import('./cli/keys.ts');
  const { env, stdin, stdout, stderr } = process;
  return runKeys(args, {
    env,
    stdin,
    write: (text) => write(stdout, text),
    writeError: (text) => write(stderr, text),
  });
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => resolve(signal));
  });
}

function version(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function print(text: string): number {
  write(process.stdout, text);
  return 0;
}

/** What was written to. Serving writes to neither: its log goes past them, and its end waits for no reader. */
const written = new Set<NodeJS.WriteStream>();

function write(stream: NodeJS.WriteStream, text: string): void {
  if (!written.has(stream)) {
    written.add(stream);
    stream.on('error', ({ code }: NodeJS.ErrnoException) => {
      // A reader such as `head` may have had enough. Nobody can be told what goes wrong with standard error.
      if (stream === process.stdout) process.exit(code === 'EPIPE' ? 0 : 1);
    });
  }
  stream.write(text);
}

/** A pipe takes 64 KiB; what is beyond waits in this process until it is read. */
async function flush(): Promise<void> {
  await Promise.all([...written].map((stream) => new Promise((resolve) => stream.write('', resolve))));
}

/** The codes of EnvError, PolicyFileError and ListenError. */
const OPERATORS_CODES: readonly unknown[] = ['CONFIG_INVALID', 'POLICY_INVALID', 'LISTEN_FAILED'];

/** One line for what an operator can mend, everything for what a developer must. */
function report(error: unknown): number {
  const isOurs = error instanceof Error && OPERATORS_CODES.includes((error as { code?: unknown }).code);
  write(process.stderr, `headroom: ${isOurs ? error.message : ((error as Error).stack ?? String(error))}\n`);
  return 1;
}

const exitCode = await main(process.argv.slice(2)).catch(report);
await flush();
// Whatever a service has left open must not keep its process.
process.exit(exitCode);
