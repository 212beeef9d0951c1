/** An OpenTelemetry collector of a test's own: takes OTLP over HTTP, keeps the raw bytes, and reads those in JSON. */
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { until } from './children.ts';

export type Attributes = Readonly<Record<string, unknown>>;

export interface CollectedSpan {
  readonly name: string;
  readonly kind: 'INTERNAL' | 'SERVER' | 'CLIENT' | 'OTHER';
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly attributes: Attributes;
  readonly status: 'UNSET' | 'OK' | 'ERROR';
  readonly resource: Attributes;
}

export interface CollectedMetric {
  readonly name: string;
  readonly unit: string;
  readonly points: readonly CollectedPoint[];
  readonly resource: Attributes;
}

export interface CollectedPoint {
  readonly attributes: Attributes;
  /** Of sums and gauges; for histograms how many values were recorded. */
  readonly value: number;
  /** Upper bounds of the buckets; empty unless it is a histogram. */
  readonly bounds: readonly number[];
}

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Unpacked. */
  readonly bytes: Buffer;
}

export class OtlpCollector {
  /** Everything that came, oldest first. */
  readonly received: Received[] = [];
  readonly #server: Server;
  #answers: boolean;

  private constructor(answers: boolean) {
    this.#answers = answers;
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      this.#take(request.url ?? '', request.headers, Buffer.concat(chunks), response);
    });
  }

  static start(): Promise<OtlpCollector> {
    return new OtlpCollector(true).#listen();
  }

  /** Takes connections and requests, and never answers. */
  static startSilent(): Promise<OtlpCollector> {
    return new OtlpCollector(false).#listen();
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What makes a service send here at once, in JSON. */
  get env(): Record<string, string> {
    return {
      OTEL_EXPORTER_OTLP_ENDPOINT: this.endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '20',
      OTEL_METRIC_EXPORT_INTERVAL: '100',
    };
  }

  get spans(): readonly CollectedSpan[] {
    return this.#bodies('/v1/traces').flatMap((body) => (body.resourceSpans ?? []).flatMap(spansOf));
  }

  /** As they came last. */
  get metrics(): readonly CollectedMetric[] {
    const body = this.#bodies('/v1/metrics').at(-1);
    return (body?.resourceMetrics ?? []).flatMap(metricsOf);
  }

  /** The first span that `matches`, as soon as it has come. */
  async span(what: string, matches: (span: CollectedSpan) => boolean): Promise<CollectedSpan> {
    await until(`the collector has ${what}`, () => this.spans.some(matches));
    return this.spans.find(matches) as CollectedSpan;
  }

  /** All bytes that came, one after the other. */
  get bytes(): Buffer {
    return Buffer.concat(this.received.map(({ bytes }) => bytes));
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #listen(): Promise<this> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', () => resolve(this)));
  }

  #take(path: string, headers: IncomingHttpHeaders, sent: Buffer, response: ServerResponse): void {
    const bytes = headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
    this.received.push({ path, headers, bytes });
    if (!this.#answers) return;
    const type = headers['content-type'] ?? '';
    response.writeHead(200, { 'content-type': type }).end(type === 'application/json' ? '{}' : '');
  }

  #bodies(path: string): Body[] {
    return this.received
      .filter((received) => received.path === path && received.headers['content-type'] === 'application/json')
      .map(({ bytes }) => JSON.parse(bytes.toString()) as Body);
  }
}

/** As much of OTLP's JSON as is read here. https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding */
interface Body {
  readonly resourceSpans?: readonly ResourceSpans[];
  readonly resourceMetrics?: readonly ResourceMetrics[];
}

interface Resource {
  readonly attributes: readonly KeyValue[];
}

interface ResourceSpans {
  readonly resource: Resource;
  readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
}

interface Span {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: readonly KeyValue[];
  readonly status: { readonly code: number };
}

interface ResourceMetrics {
  readonly resource: Resource;
  readonly scopeMetrics: readonly { readonly metrics: readonly Metric[] }[];
}

interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly sum?: { readonly dataPoints: readonly Point[] };
  readonly gauge?: { readonly dataPoints: readonly Point[] };
  readonly histogram?: { readonly dataPoints: readonly Point[] };
}

interface Point {
  readonly attributes: readonly KeyValue[];
  readonly asInt?: number | string;
  readonly asDouble?: number;
  readonly count?: number | string;
  readonly explicitBounds?: readonly number[];
}

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

const KINDS = { 1: 'INTERNAL', 2: 'SERVER', 3: 'CLIENT' } as const;
const STATUSES = ['UNSET', 'OK', 'ERROR'] as const;

function spansOf({ resource, scopeSpans }: ResourceSpans): CollectedSpan[] {
  return scopeSpans.flatMap(({ spans }) =>
    spans.map(({ name, kind, traceId, spanId, parentSpanId, attributes, status }) => ({
      name,
      kind: KINDS[kind as keyof typeof KINDS] ?? 'OTHER',
      traceId,
      spanId,
      parentSpanId: parentSpanId || undefined,
      attributes: attributesOf(attributes),
      status: STATUSES[status.code] ?? 'UNSET',
      resource: attributesOf(resource.attributes),
    })),
  );
}

function metricsOf({ resource, scopeMetrics }: ResourceMetrics): CollectedMetric[] {
  return scopeMetrics.flatMap(({ metrics }) =>
    metrics.map(({ name, unit, sum, gauge, histogram }) => ({
      name,
      unit,
      points: (sum ?? gauge ?? histogram)?.dataPoints.map(pointOf) ?? [],
      resource: attributesOf(resource.attributes),
    })),
  );
}

function pointOf({ attributes, asInt, asDouble, count, explicitBounds }: Point): CollectedPoint {
  return {
    attributes: attributesOf(attributes),
    value: Number(count ?? asInt ?? asDouble),
    bounds: explicitBounds ?? [],
  };
}

function attributesOf(pairs: readonly KeyValue[]): Attributes {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, plain(value)]));
}

function plain(value: Readonly<Record<string, unknown>>): unknown {
  return value.intValue === undefined ? Object.values(value)[0] : Number(value.intValue);
}
