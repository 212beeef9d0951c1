/** Starts and stops OpenTelemetry: metrics always, for Prometheus; exporters only where OTEL_* variables ask for them. */
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import { B3Propagator } from '@opentelemetry/propagator-b3';
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources';
import {
  type AggregationTemporality,
  type IMetricReader,
  MeterProvider,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions';
import type { Log } from '../ports/log.ts';
import type { Tracer } from '../ports/tracer.ts';
import { logDiagnostics } from './diagnostics.ts';
import { producerOf } from './durations.ts';
import { DECISION_SERIES_MAX, DECISIONS, Metrics, measuredDurations } from './metrics.ts';
import { type OtelEnvironment, wantedSignals } from './otel-env.ts';
import { PrometheusText } from './prometheus.ts';
import { OtelTracer } from './tracing.ts';

export interface Telemetry {
  readonly metrics: Metrics;
  readonly prometheus: PrometheusText;
  /** Undefined when no exporter is configured: then a call costs nothing more. */
  readonly tracer: Tracer | undefined;
  /** Sends what is still held. Never fails, and settles within SHUTDOWN_MILLIS_MAX: telemetry must not keep a process alive. */
  shutdown(): Promise<void>;
}

const INSTANCE = 'service.instance.id';
// A collector that answers takes milliseconds; one that does not would hold the process for 10 s and more.
const SHUTDOWN_MILLIS_MAX = 3_000;

export interface TelemetryOptions {
  readonly env: OtelEnvironment;
  /** The service's. */
  readonly version: string;
  /** Where the SDK's complaints go, such as exports that fail. */
  readonly log: Log;
  /** Only calls of Redis have spans: memory is not called. */
  readonly countersIn: 'memory' | 'redis';
  /** Which of several processes this is: one instance to who asks for metrics, and each another to whom they are sent. */
  readonly worker?: number | undefined;
}

export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { env, version, log } = options;
  const wanted = wantedSignals(env);
  logDiagnostics(log);
  const service = resourceOf(version);
  const resource = options.worker === undefined ? service : workerOf(service, options.worker);
  const traces = wanted.traces ? await startTraces(options, resource) : undefined;
  const durations = measuredDurations();
  const producerFor = (temporality?: AggregationTemporality): MetricProducer =>
    producerOf(Object.values(durations), version, temporality);
  const prometheus = new PrometheusText(service, { metricProducers: [producerFor()] });
  const readers: IMetricReader[] = [prometheus];
  if (wanted.metrics.length > 0) {
    const { pushReaders } = await import('./push-metrics.ts');
    readers.push(...(await pushReaders(wanted.metrics, env, producerFor)));
  }
  const views = [{ instrumentName: DECISIONS, aggregationCardinalityLimit: DECISION_SERIES_MAX + 1 }];
  const meters = new MeterProvider({ resource, readers, views });
  return {
    metrics: new Metrics(meters.getMeter('headroom', version), durations),
    prometheus,
    tracer: traces?.tracer,
    shutdown: () => within(SHUTDOWN_MILLIS_MAX, Promise.allSettled([traces?.shutdown(), meters.shutdown()])),
  };
}

/** Each process is an instance of its own: series of two replicas must not be one. */
function resourceOf(version: string): Resource {
  return defaultResource()
    .merge(detectResources({ detectors: [serviceInstanceIdDetector] }))
    .merge(resourceFromAttributes({ [ATTR_SERVICE_NAME]: 'headroom', [ATTR_SERVICE_VERSION]: version }))
    .merge(detectResources({ detectors: [envDetector] }));
}

function workerOf(service: Resource, worker: number): Resource {
  const id = service.attributes[INSTANCE];
  return service.merge(resourceFromAttributes({ [INSTANCE]: `${id}-${worker}` }));
}

async function startTraces({ env, log, countersIn }: TelemetryOptions, resource: Resource) {
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  const sdk = new NodeSDK({
    resource,
    autoDetectResources: false,
    // Metrics have their own provider, and logs go to standard output.
    metricReaders: [],
    logRecordProcessors: [],
    ...(env.OTEL_PROPAGATORS?.trim() ? {} : { textMapPropagator: defaultPropagator() }),
  });
  // Not before: with OTEL_LOG_LEVEL the SDK has just taken the console for its complaints.
  logDiagnostics(log);
  sdk.start();
  const tracer = new OtelTracer(env, countersIn === 'redis');
  return { tracer, shutdown: () => sdk.shutdown() };
}

/** What gateways send: W3C from OpenTelemetry tracers, B3 in both of its forms from Zipkin's. Of both, W3C counts. */
function defaultPropagator(): CompositePropagator {
  return new CompositePropagator({
    propagators: [new W3CBaggagePropagator(), new B3Propagator(), new W3CTraceContextPropagator()],
  });
}

async function within(millis: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, millis);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
