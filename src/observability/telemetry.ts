/** Starts and stops OpenTelemetry: metrics always, for Prometheus; exporters only where OTEL_* variables ask for them. */
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { B3Propagator } from '@opentelemetry/propagator-b3';
import { detectResources, envDetector, type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import { type IMetricReader, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions';
import type { Tracer } from '../ports/tracer.ts';
import { Metrics } from './metrics.ts';
import { type OtelEnvironment, wantedSignals } from './otel-env.ts';
import { OtelTracer } from './tracing.ts';

export interface Telemetry {
  readonly metrics: Metrics;
  readonly prometheus: PrometheusExporter;
  /** Undefined when no exporter is configured: then a call costs nothing more. */
  readonly tracer: Tracer | undefined;
  /** Sends what is still held. Never fails: telemetry must not keep a process alive. */
  shutdown(): Promise<void>;
}

export async function startTelemetry(env: OtelEnvironment, version: string): Promise<Telemetry> {
  const wanted = wantedSignals(env);
  const resource = resourceFromAttributes({ [ATTR_SERVICE_NAME]: 'headroom', [ATTR_SERVICE_VERSION]: version }).merge(
    detectResources({ detectors: [envDetector] }),
  );
  const prometheus = new PrometheusExporter({ preventServerStart: true });
  const readers: IMetricReader[] = [prometheus];
  if (wanted.metrics) readers.push(await otlpReader(env));
  const meters = new MeterProvider({ resource, readers });
  const traces = wanted.traces ? await startTraces(env, resource) : undefined;
  return {
    metrics: new Metrics(meters.getMeter('headroom', version)),
    prometheus,
    tracer: traces?.tracer,
    async shutdown() {
      await Promise.allSettled([traces?.shutdown(), meters.shutdown()]);
    },
  };
}

async function startTraces(env: OtelEnvironment, resource: Resource) {
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  const sdk = new NodeSDK({
    resource,
    autoDetectResources: false,
    // Metrics have their own provider, and logs go to standard output.
    metricReaders: [],
    logRecordProcessors: [],
    ...(env.OTEL_PROPAGATORS ? {} : { textMapPropagator: defaultPropagator() }),
  });
  sdk.start();
  return { tracer: new OtelTracer(env), shutdown: () => sdk.shutdown() };
}

/** What gateways send: W3C from OpenTelemetry tracers, B3 in both of its forms from Zipkin's. */
function defaultPropagator(): CompositePropagator {
  return new CompositePropagator({
    propagators: [new B3Propagator(), new W3CBaggagePropagator(), new W3CTraceContextPropagator()],
  });
}

async function otlpReader(env: OtelEnvironment): Promise<IMetricReader> {
  const exportIntervalMillis = positive(env.OTEL_METRIC_EXPORT_INTERVAL) ?? 60_000;
  const exportTimeoutMillis = Math.min(positive(env.OTEL_METRIC_EXPORT_TIMEOUT) ?? 30_000, exportIntervalMillis);
  return new PeriodicExportingMetricReader({
    exporter: await otlpExporter(env),
    exportIntervalMillis,
    exportTimeoutMillis,
  });
}

async function otlpExporter(env: OtelEnvironment) {
  const protocol = env.OTEL_EXPORTER_OTLP_METRICS_PROTOCOL || env.OTEL_EXPORTER_OTLP_PROTOCOL || 'http/protobuf';
  if (protocol === 'grpc') return new (await import('@opentelemetry/exporter-metrics-otlp-grpc')).OTLPMetricExporter();
  if (protocol === 'http/json')
    return new (await import('@opentelemetry/exporter-metrics-otlp-http')).OTLPMetricExporter();
  return new (await import('@opentelemetry/exporter-metrics-otlp-proto')).OTLPMetricExporter();
}

function positive(text: string | undefined): number | undefined {
  const value = Number(text);
  return text && value > 0 ? value : undefined;
}
