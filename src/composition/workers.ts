/** The process that others see: it starts the workers, speaks for all of them at the debug port, and ends them. */
import { randomUUID } from 'node:crypto';
import { systemClock } from '../adapters/system-clock/system-clock.ts';
import type { Config } from '../config/config.ts';
import type { Env } from '../config/env.ts';
import { instanceVariables, tracingVariables } from '../config/tracing.ts';
import { openPage } from '../observability/stats/prometheus-page.ts';
import { Supervisor } from '../workers/supervisor.ts';
import { portVariables } from './free-ports.ts';
import type { ServeParts } from './serve.ts';
import { WorkersPort } from './workers-port.ts';

/**
 * @param signal the first to end it
 * @param nextSignal asked for when that has come
 * @returns the exit code @throws WorkerFailure, ListenError, PageListenError
 */
export async function serveByWorkers(
  parts: ServeParts,
  signal: Promise<NodeJS.Signals>,
  nextSignal: () => Promise<NodeJS.Signals>,
): Promise<number> {
  const { config, env, log, version } = parts;
  const over = Promise.withResolvers<NodeJS.Signals | Error>();
  const supervisor = new Supervisor({
    count: config.workers,
    env: await environmentOf(config, env),
    drainMillis: config.drainDelayMillis + config.drainTimeoutMillis,
    clock: systemClock,
    log,
    onGiveUp: over.resolve,
  });
  // Whoever does not want to wait for calls in flight says so again.
  void signal.then((first) => {
    void nextSignal().then(() => supervisor.kill());
    over.resolve(first);
  });
  const port = new WorkersPort(supervisor, systemClock);
  const debugPort = await port.listen(config.debug.port, config.debug.host);
  const { stats, store, workers } = config;
  const page = stats?.sink === 'prometheus' ? await openPage({ ...stats, text: () => port.pageText() }) : undefined;
  const started = supervisor.start().then(({ httpPort, grpcPort }) => {
    log.info({ version, workers, httpPort, grpcPort, debugPort, store: store.type }, 'serving');
    return over.promise;
  });
  const reason = await Promise.race([over.promise, started]).catch(async (error: Error) => {
    await supervisor.stop();
    throw error;
  });
  log.info(reason instanceof Error ? { reason: reason.message } : { signal: reason }, 'stopping');
  const isClean = await supervisor.stop();
  port.close();
  await page?.close();
  if (reason instanceof Error) throw reason;
  log.info({}, 'stopped');
  return isClean ? 0 : 1;
}

async function environmentOf(config: Config, env: Env): Promise<Readonly<Record<string, string>>> {
  const tracing = tracingVariables(env, process.env);
  const instance = instanceVariables({ ...process.env, ...tracing }, randomUUID());
  return { ...tracing, ...instance, ...(await portVariables(config)) };
}
