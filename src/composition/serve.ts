/** Serving: which process this is, the only one, the supervisor of several, or one of them, and what it is given. */
import { type Config, toConfig } from '../config/config.ts';
import { type Env, readEnv } from '../config/env.ts';
import { warningsAbout } from '../config/warnings.ts';
import { createLogger } from '../observability/logger.ts';
import type { Log } from '../ports/log.ts';
import { WORKER_VARIABLE } from '../workers/messages.ts';

export interface ServeParts {
  readonly env: Env;
  readonly config: Config;
  readonly version: string;
  readonly log: Log;
}

/** @returns the exit code @throws what an operator, or a developer, has to mend */
export async function serve(version: string): Promise<number> {
  const env = readEnv(process.env);
  const config = toConfig(env);
  const worker = await workerNumber();
  const log = createLogger({ ...config.log, worker });
  const parts = { env, config, version, log };
  if (worker !== undefined) return (await import('./worker.ts')).serveAsWorker({ ...parts, worker });
  // From here on a signal is not lost, whenever it comes.
  const signal = nextSignal();
  for (const warning of warningsAbout(process.env)) log.warn(warning, 'a variable has no effect');
  if (config.workers === 1) return serveAlone(parts, signal);
  return (await import('./workers.ts')).serveByWorkers(parts, signal, nextSignal);
}

async function workerNumber(): Promise<number | undefined> {
  if (process.env[WORKER_VARIABLE] === undefined) return undefined;
  return (await import('../workers/supervisor-link.ts')).workerNumber(process.env);
}

async function serveAlone(parts: ServeParts, signal: Promise<NodeJS.Signals>): Promise<number> {
  const { log, version, config } = parts;
  const gaveUp = Promise.withResolvers<Error>();
  const { startService } = await import('./service.ts');
  const { server } = await startService({ ...parts, onGiveUp: gaveUp.resolve });
  const { httpPort, grpcPort, debugPort } = server;
  log.info({ version, httpPort, grpcPort, debugPort, store: config.store.type }, 'serving');
  const reason = await Promise.race([signal, gaveUp.promise]);
  log.info(reason instanceof Error ? { reason: reason.message } : { signal: reason }, 'stopping');
  await server.stop();
  if (reason instanceof Error) throw reason;
  log.info({}, 'stopped');
  return 0;
}

/** One that comes after it does what it does by default, unless it is waited for. */
function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => resolve(signal));
  });
}
