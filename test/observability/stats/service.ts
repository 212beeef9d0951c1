/** A whole service in the test's process that reports statistics. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toConfig } from '../../../src/config/config.ts';
import { readEnv } from '../../../src/config/env.ts';
import { createLogger } from '../../../src/observability/logger.ts';
import type { StatsConfig } from '../../../src/observability/stats/config.ts';
import { type Stats, startStats } from '../../../src/observability/stats/stats.ts';
import { startTelemetry } from '../../../src/observability/telemetry.ts';
import { startServer } from '../../../src/server.ts';

export interface Reporting {
  readonly http: string;
  readonly grpc: string;
  readonly stats: Stats;
  stop(): Promise<void>;
}

/** Nothing is sent by itself during a test: `stats.flush()` says when. */
export const FLUSH_NEVER = 3_600_000;

export async function startReporting(policy: string, config: StatsConfig): Promise<Reporting> {
  const folder = mkdtempSync(join(tmpdir(), 'headroom-stats-'));
  writeFileSync(join(folder, 'policy.yaml'), policy);
  const log = createLogger({ level: 'error', format: 'json' });
  const telemetry = await startTelemetry({ env: {}, version: '0.0.0', log, countersIn: 'memory' });
  const metricsText = () => telemetry.prometheus.text();
  const stats = await startStats({ config, nearLimitRatio: 0.8, log, metricsText });
  const server = await startServer({
    config: toConfig(readEnv({ ...LOCAL, POLICY_PATH: folder })),
    log,
    telemetry,
    stats,
    version: '0.0.0',
  });
  return {
    http: `http://127.0.0.1:${server.httpPort}`,
    grpc: `http://127.0.0.1:${server.grpcPort}`,
    stats,
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

const LOCAL = {
  HOST: '127.0.0.1',
  PORT: '0',
  GRPC_HOST: '127.0.0.1',
  GRPC_PORT: '0',
  DEBUG_PORT: '0',
  DRAIN_TIMEOUT: '1s',
};
