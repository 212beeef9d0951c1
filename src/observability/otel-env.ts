/** Which signals OTEL_* variables ask for. Without any of them nothing is exported and nothing is loaded. */

export type OtelEnvironment = Readonly<Record<string, string | undefined>>;

export interface WantedSignals {
  readonly traces: boolean;
  /** Over OTLP; Prometheus is served anyway. */
  readonly metrics: boolean;
}

export function wantedSignals(env: OtelEnvironment): WantedSignals {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return { traces: false, metrics: false };
  return { traces: isWanted(env, 'TRACES'), metrics: isWanted(env, 'METRICS') };
}

/** The SDK's default exporter is otlp; it counts as asked for once somebody says where to. */
function isWanted(env: OtelEnvironment, signal: 'TRACES' | 'METRICS'): boolean {
  const exporter = env[`OTEL_${signal}_EXPORTER`];
  if (exporter) return exporter !== 'none' && !(signal === 'METRICS' && exporter === 'prometheus');
  return Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT || env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]);
}
