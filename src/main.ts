/** The command line: reads the arguments and the environment, and leaves the rest to others. */
import { readFileSync } from 'node:fs';
import { errorText } from './composition/error-text.ts';

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
  const { serve: serveUntilStopped } = await import('./composition/serve.ts');
  return serveUntilStopped(version());
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

function report(error: unknown): number {
  write(process.stderr, `headroom: ${errorText(error)}\n`);
  return 1;
}

const exitCode = await main(process.argv.slice(2)).catch(report);
await flush();
// Whatever a service has left open must not keep its process.
process.exit(exitCode);
