/** The service of one process: its telemetry, its statistics, its ports. */
import type { Config } from '../config/config.ts';
import type { Env } from '../config/env.ts';
import { tracingVariables } from '../config/tracing.ts';
import type { StatsOptions } from '../observability/stats/stats.ts';
import { startTelemetry, type Telemetry } from '../observability/telemetry.ts';
import type { Log } from '../ports/log.ts';
import { type RunningServer, startServer } from '../server.ts';

export interface ServiceParts {
  readonly env: Env;
  readonly config: Config;
  readonly version: string;
  readonly log: Log;
  readonly onGiveUp: (error: Error) => void;
  readonly worker?: number;
  readonly openPage?: StatsOptions['openPage'];
}

export interface Service {
  readonly server: RunningServer;
  readonly telemetry: Telemetry;
}

/** @throws what startStats and startServer do */
export async function startService({ env, openPage, ...parts }: ServiceParts): Promise<Service> {
  const { config, version, log, worker } = parts;
  // The SDK of OpenTelemetry reads the environment of the process and no other.
  Object.assign(process.env, tracingVariables(env, process.env));
  const statistics = config.stats && (await import('../observability/stats/stats.ts'));
  const telemetry = await startTelemetry({ env: process.env, version, log, countersIn: config.store.type, worker });
  const { nearLimitRatio } = config.deciding;
  const metricsText = () => telemetry.prometheus.text();
  const stats =
    config.stats &&
    (await statistics?.startStats({ config: config.stats, nearLimitRatio, log, metricsText, openPage }));
  return { telemetry, server: await startServer({ ...parts, telemetry, stats }) };
}
