/** Who metrics are pushed to. Loaded only when OTEL_* variables ask for it. */
import { diag } from '@opentelemetry/api';
import {
  type AggregationTemporality,
  ConsoleMetricExporter,
  type IMetricReader,
  InstrumentType,
  type MetricProducer,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import type { OtelEnvironment } from './otel-env.ts';

/** What one reader is told of beside the SDK's own instruments, in the temporality that it wants for histograms. */
export type ProducerFor = (temporality: AggregationTemporality | undefined) => MetricProducer;

/** @param names as in OTEL_METRICS_EXPORTER; one that is none is complained of and left out */
export async function pushReaders(
  names: readonly string[],
  env: OtelEnvironment,
  producerFor: ProducerFor,
): Promise<IMetricReader[]> {
  const exporters = await Promise.all(names.map((name) => exporterNamed(name, env)));
  return exporters.filter((exporter) => exporter !== undefined).map((exporter) => readerOf(exporter, env, producerFor));
}

async function exporterNamed(name: string, env: OtelEnvironment): Promise<PushMetricExporter | undefined> {
  if (name === 'otlp') return otlpExporter(env);
  if (name === 'console') return new ConsoleMetricExporter();
  diag.warn(`OTEL_METRICS_EXPORTER: expected otlp, console, prometheus or none, got '${name}'`);
  return undefined;
}

/** Endpoint, headers, compression and certificates are read by the exporters themselves. */
async function otlpExporter(env: OtelEnvironment): Promise<PushMetricExporter> {
  const protocol = env.OTEL_EXPORTER_OTLP_METRICS_PROTOCOL || env.OTEL_EXPORTER_OTLP_PROTOCOL;
  if (protocol === 'grpc') return new (await import('@opentelemetry/exporter-metrics-otlp-grpc')).OTLPMetricExporter();
  if (protocol === 'http/json')
    return new (await import('@opentelemetry/exporter-metrics-otlp-http')).OTLPMetricExporter();
  return new (await import('@opentelemetry/exporter-metrics-otlp-proto')).OTLPMetricExporter();
}

function readerOf(exporter: PushMetricExporter, env: OtelEnvironment, producerFor: ProducerFor): IMetricReader {
  const exportIntervalMillis = positive(env.OTEL_METRIC_EXPORT_INTERVAL) ?? 60_000;
  const exportTimeoutMillis = Math.min(positive(env.OTEL_METRIC_EXPORT_TIMEOUT) ?? 30_000, exportIntervalMillis);
  const metricProducers = [producerFor(exporter.selectAggregationTemporality?.(InstrumentType.HISTOGRAM))];
  return new PeriodicExportingMetricReader({ exporter, exportIntervalMillis, exportTimeoutMillis, metricProducers });
}

function positive(text: string | undefined): number | undefined {
  const value = Number(text);
  return text && value > 0 ? value : undefined;
}
