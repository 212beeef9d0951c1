/** The metrics as Prometheus reads them, in its text format. Which they are is metrics.ts's matter. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import type { Resource } from '@opentelemetry/resources';
import { type MetricData, MetricReader, type MetricReaderOptions, type ScopeMetrics } from '@opentelemetry/sdk-metrics';

// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export class PrometheusText extends MetricReader {
  /** Without the name and version of the instrumentation on every series: all have the same, and each release another. */
  readonly #serializer = new PrometheusSerializer(undefined, false, undefined, false, true);

  readonly #resource: Resource;

  /** @param resource what is told to be measured */
  constructor(resource: Resource, options?: MetricReaderOptions) {
    super(options);
    this.#resource = resource;
  }

  /** Answers the request, whatever it asks for, with all metrics. */
  getMetricsRequestHandler(_request: IncomingMessage, response: ServerResponse): void {
    answerMetrics(response, this.text());
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  /** @throws once stopped */
  async text(): Promise<string> {
    const { resourceMetrics } = await this.collect();
    const scopeMetrics = resourceMetrics.scopeMetrics.map(named);
    return this.#serializer.serialize({ resource: this.#resource, scopeMetrics });
  }
}

/** @param text of all metrics */
export function answerMetrics(response: ServerResponse, text: Promise<string>): void {
  text.then(
    (all) => response.writeHead(200, { 'content-type': CONTENT_TYPE }).end(all),
    (error: Error) => response.writeHead(500, { 'content-type': 'text/plain' }).end(`${error.message}\n`),
  );
}

function named(scope: ScopeMetrics): ScopeMetrics {
  return { ...scope, metrics: scope.metrics.map(withUnit) };
}

/** Prometheus wants the unit in the name, and so does the Collector's Prometheus exporter: `…_duration_seconds`. */
function withUnit(metric: MetricData): MetricData {
  const { descriptor } = metric;
  if (descriptor.unit !== 's') return metric;
  return { ...metric, descriptor: { ...descriptor, name: `${descriptor.name}.seconds`, unit: 'seconds' } };
}
