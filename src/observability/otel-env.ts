/** What OTEL_* variables ask for. Without any of them nothing is exported and nothing is loaded. */

export type OtelEnvironment = Readonly<Record<string, string | undefined>>;

export interface WantedSignals {
  readonly traces: boolean;
  /** Whom metrics are pushed to; Prometheus is served anyway. */
  readonly metrics: readonly string[];
}

export function wantedSignals(env: OtelEnvironment): WantedSignals {
  if (env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true') return { traces: false, metrics: [] };
  return {
    traces: exportersOf(env, 'TRACES').length > 0,
    metrics: exportersOf(env, 'METRICS').filter((name) => name !== 'prometheus'),
  };
}

/** In which formats a caller may name its trace. */
export function wantedFormats(env: OtelEnvironment): { readonly w3c: boolean; readonly b3: boolean } {
  const names = listOf(env.OTEL_PROPAGATORS);
  if (names.length === 0) return { w3c: true, b3: true };
  if (names.includes('none')) return { w3c: false, b3: false };
  return { w3c: names.includes('tracecontext'), b3: names.includes('b3') || names.includes('b3multi') };
}

/** The SDK's default exporter is otlp; it counts as asked for once somebody says where to. */
function exportersOf(env: OtelEnvironment, signal: 'TRACES' | 'METRICS'): readonly string[] {
  const names = listOf(env[`OTEL_${signal}_EXPORTER`]);
  if (names.length > 0) return names.includes('none') ? [] : names;
  const hasEndpoint = env.OTEL_EXPORTER_OTLP_ENDPOINT?.trim() || env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]?.trim();
  return hasEndpoint ? ['otlp'] : [];
}

function listOf(text: string | undefined): readonly string[] {
  const names = (text ?? '').split(',').map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== ''))];
}
