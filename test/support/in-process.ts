/** The whole service inside the test's own process, wired by server.ts, on free ports of 127.0.0.1. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toConfig } from '../../src/config/config.ts';
import { readEnv } from '../../src/config/env.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { startTelemetry } from '../../src/observability/telemetry.ts';
import { type RunningServer, startServer } from '../../src/server.ts';
import { TRANSPORT, transportEnv } from './transports.ts';

export interface InProcess {
  readonly httpPort: number;
  readonly grpcPort: number;
  /** `http://127.0.0.1:port` of the HTTP port. */
  readonly http: string;
  /** The same of the gRPC port. */
  readonly grpc: string;
  /** What was logged so far, one JSON object a line. */
  readonly log: readonly string[];
  /** As the process does at SIGTERM. Stopping again is waiting for the same end. */
  stop(): Promise<void>;
}

/**
 * Counters are in memory unless `env` names a Redis.
 * @param policies the text of policy files, one per domain
 * @param env variables as the process would get them
 */
export async function startInProcess(
  policies: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<InProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'headroom-policy-'));
  policies.forEach((text, index) => {
    writeFileSync(join(folder, `${index}.yaml`), text);
  });
  const log: string[] = [];
  const config = toConfig(readEnv({ ...LOCAL, POLICY_PATH: folder, ...env }));
  const logger = createLogger(config.log, { write: (line) => log.push(line) });
  const telemetry = await startTelemetry({ env: {}, version: VERSION, log: logger, countersIn: config.store.type });
  const server = await startServer({ config, log: logger, telemetry, version: VERSION });
  return { ...addressesOf(server), log, stop: onceStopped(server, folder) };
}

const VERSION = '0.0.0-test';
const LOCAL = {
  HOST: '127.0.0.1',
  PORT: '0',
  GRPC_HOST: '127.0.0.1',
  GRPC_PORT: '0',
  ...transportEnv(TRANSPORT),
  DEBUG_PORT: '0',
  LOG_LEVEL: 'info',
  LOG_FORMAT: 'json',
  // Clients of tests may keep connections; no test waits for them unless it is about that.
  DRAIN_TIMEOUT: '1s',
};

function addressesOf({ httpPort, grpcPort }: RunningServer) {
  return { httpPort, grpcPort, http: `http://127.0.0.1:${httpPort}`, grpc: `http://127.0.0.1:${grpcPort}` };
}

function onceStopped(server: RunningServer, folder: string): () => Promise<void> {
  let stopped: Promise<void> | undefined;
  return () => {
    stopped ??= server.stop().finally(() => rmSync(folder, { recursive: true, force: true }));
    return stopped;
  };
}
