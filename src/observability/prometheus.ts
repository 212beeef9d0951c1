/** The metrics as Prometheus reads them, in its text format. Which they are is metrics.ts's matter. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { type MetricData, MetricReader, type ScopeMetrics } from '@opentelemetry/sdk-metrics';

// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export class PrometheusText extends MetricReader {
  /** Without the name and version of the instrumentation on every series: all have the same, and each release another. */
  readonly #serializer = new PrometheusSerializer(undefined, false, undefined, false, true);

  /** Answers the request, whatever it asks for, with all metrics. */
  getMetricsRequestHandler(_request: IncomingMessage, response: ServerResponse): void {
    this.text().then(
      (text) => response.writeHead(200, { 'content-type': CONTENT_TYPE }).end(text),
      (error: Error) => response.writeHead(500, { 'content-type': 'text/plain' }).end(`${error.message}\n`),
    );
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
    return this.#serializer.serialize({ ...resourceMetrics, scopeMetrics: resourceMetrics.scopeMetrics.map(named) });
  }
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
