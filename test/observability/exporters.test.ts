/** Which OTEL_* variables make the service send what, and where. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { OtlpCollector } from '../support/otlp-collector.ts';
import { TestService } from '../support/service.ts';
import { Doors, METHOD } from './calls.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const SAMPLED = { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01` };
const VERSION = expect.stringMatching(/^\d+\.\d+\.\d+/);
// So late that everything that comes was sent at the end.
const LATE = { OTEL_BSP_SCHEDULE_DELAY: '600000', OTEL_METRIC_EXPORT_INTERVAL: '600000' };

let collector: OtlpCollector;

beforeEach(async () => {
  collector = await OtlpCollector.start();
});

afterEach(() => collector.stop());

test('with an endpoint alone, traces and metrics go there as protobuf, and those still held go before it exits', async () => {
  const loaded = await exportersLoaded({ ...LATE, OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint });
  expect(pathsOf(collector)).toEqual(['/v1/metrics', '/v1/traces']);
  for (const { headers } of collector.received) expect(headers['content-type']).toBe('application/x-protobuf');
  const traces = bytesOf('/v1/traces');
  expect(traces.includes(METHOD)).toBe(true);
  expect(traces.includes(Buffer.from(TRACE_ID, 'hex'))).toBe(true);
  expect(bytesOf('/v1/metrics').includes('headroom.rate_limiting.decisions')).toBe(true);
  // What the tests below find absent is found where it is present.
  expect(loaded).toEqual(expect.arrayContaining(['sdk-node', 'sdk-trace', 'exporter-metrics-otlp-proto']));
});

test.each<[string, Record<string, string>]>([
  ['no variable', {}],
  ['OTEL_SDK_DISABLED=true', { OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }],
])('with %s neither the SDK of traces nor any exporter is loaded', async (_name, env) => {
  expect(await exportersLoaded(env)).toEqual([]);
});

test('in JSON come a span and the metrics of the Prometheus page, with the same labels', async () => {
  await serveOneCall({ ...collector.env, ...LATE });
  // Counters in memory are no database: there is no store span.
  expect(collector.spans.map(({ name, kind }) => [name, kind])).toEqual([[METHOD, 'SERVER']]);
  const names = collector.metrics.map(({ name, unit }) => `${name} ${unit}`.trim());
  expect(names.sort()).toEqual([
    'headroom.policy.loads',
    'headroom.rate_limiting.decision.duration s',
    'headroom.rate_limiting.decisions',
    'headroom.rate_limiting.store.breaker_open',
    'headroom.rate_limiting.store.duration s',
    'headroom.rate_limiting.store.errors',
  ]);
  expect(pointsOf('headroom.rate_limiting.decisions')).toEqual([
    { attributes: { door: 'rls', result: 'allowed', domain: 'closient', policy: 'api_key' }, value: 1, bounds: [] },
  ]);
  const [duration] = pointsOf('headroom.rate_limiting.decision.duration');
  expect(duration).toMatchObject({ attributes: {}, value: 1 });
  expect([duration?.bounds[0], duration?.bounds.at(-1)]).toEqual([0.000_01, 1]);
});

test('with the protocol grpc both go to the services of a gRPC collector', async () => {
  const paths: string[] = [];
  const server = createHttp2Server().on('stream', (stream, headers) => {
    paths.push(String(headers[':path']));
    stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    // A gRPC frame of no bytes: an answer without a field.
    stream.resume().on('end', () => stream.end(Buffer.alloc(5)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await serveOneCall({ ...LATE, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' });
  server.close();
  expect(paths.sort()).toEqual([
    '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
    '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  ]);
});

test('two processes have the same name and version, and ids that differ', async () => {
  await serveOneCall({ ...collector.env, ...LATE });
  await serveOneCall({ ...collector.env, ...LATE });
  const resources = collector.spans.map(({ resource }) => resource);
  for (const resource of resources) {
    expect(resource).toMatchObject({ 'service.name': 'headroom', 'service.version': VERSION });
    expect(resource).toMatchObject({ 'telemetry.sdk.name': 'opentelemetry', 'telemetry.sdk.language': 'nodejs' });
  }
  expect(new Set(resources.map((resource) => resource['service.instance.id'])).size).toBe(2);
  expect(collector.metrics[0]?.resource).toEqual(resources[1]);
});

test('the TRACING_* variables of envoyproxy/ratelimit name the service, and send its spans', async () => {
  await serveOneCall({
    ...collector.env,
    ...LATE,
    TRACING_ENABLED: 'true',
    TRACING_SERVICE_NAME: 'edge',
    TRACING_SERVICE_NAMESPACE: 'shop, eu',
    TRACING_SERVICE_INSTANCE_ID: 'one',
  });
  expect(collector.spans[0]?.resource).toMatchObject({
    'service.name': 'edge',
    'service.namespace': 'shop, eu',
    'service.instance.id': 'one',
  });
});

test('TRACING_ENABLED alone sends spans as protobuf', async () => {
  const env = { ...LATE, TRACING_ENABLED: 'true', OTEL_METRICS_EXPORTER: 'none' };
  await serveOneCall({ ...env, OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint });
  expect(pathsOf(collector)).toEqual(['/v1/traces']);
  expect(collector.received[0]?.headers['content-type']).toBe('application/x-protobuf');
});

test('names, headers and compression are those of the variables', async () => {
  await serveOneCall({
    ...collector.env,
    ...LATE,
    OTEL_SERVICE_NAME: 'limits',
    OTEL_RESOURCE_ATTRIBUTES: 'service.instance.id=one,deployment.environment.name=test,service.name=lost',
    OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=shop',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
  });
  const named = { 'service.name': 'limits', 'service.instance.id': 'one', 'deployment.environment.name': 'test' };
  expect(collector.spans[0]?.resource).toMatchObject(named);
  expect(collector.metrics[0]?.resource).toMatchObject(named);
  for (const { headers } of collector.received) {
    expect(headers).toMatchObject({ 'x-tenant': 'shop', 'content-encoding': 'gzip' });
  }
});

test('each signal can have an endpoint of its own, and only those that have one are sent', async () => {
  const other = await OtlpCollector.start();
  await serveOneCall({ ...LATE, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${other.endpoint}/spans` });
  await serveOneCall({ ...LATE, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${collector.endpoint}/numbers` });
  expect([pathsOf(other), pathsOf(collector)]).toEqual([['/spans'], ['/numbers']]);
  await other.stop();
});

test.each<[Record<string, string>, string[]]>([
  [{ OTEL_TRACES_EXPORTER: 'none' }, ['/v1/metrics']],
  [{ OTEL_METRICS_EXPORTER: 'none' }, ['/v1/traces']],
  [{ OTEL_TRACES_SAMPLER: 'always_off' }, ['/v1/metrics']],
])('with an endpoint and %j it sends to %j', async (env, paths) => {
  await serveOneCall({ ...collector.env, ...LATE, ...env });
  expect(pathsOf(collector)).toEqual(paths);
});

test('the exporter console writes metrics to standard output and sends none; an unknown one is left out', async () => {
  const output = await serveOneCall({ ...collector.env, ...LATE, OTEL_METRICS_EXPORTER: 'console,carrier-pigeon' });
  expect(output).toContain("name: 'headroom.rate_limiting.decisions'");
  expect(pathsOf(collector)).toEqual(['/v1/traces']);
});

/** Starts it, makes one sampled call, stops it. @returns its output */
async function serveOneCall(env: Record<string, string>): Promise<string> {
  const service = await TestService.start(env);
  expect(await new Doors(service).rls('closient', ['api_key=csk_1'], SAMPLED)).toBe('OK');
  await service.stop();
  expect(await service.exited).toEqual({ code: 0, signal: null });
  return service.output;
}

/** The packages that send spans or metrics and were loaded by a service that has answered a call. */
async function exportersLoaded(env: Record<string, string>): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'headroom-exporters-'));
  const list = join(folder, 'loaded');
  const recorder = join(folder, 'recorder.mjs');
  writeFileSync(list, '');
  writeFileSync(recorder, recorderOf(list));
  await serveOneCall({ ...env, NODE_OPTIONS: `--import ${pathToFileURL(recorder).href}` });
  const urls = readFileSync(list, 'utf8').split('\n');
  rmSync(folder, { recursive: true });
  expect(urls.some((url) => url.endsWith('/dist/server.js'))).toBe(true);
  const packages = urls.map(
    (url) => /@opentelemetry\/(sdk-node|sdk-trace|exporter-(?!prometheus)[^/]+)\//.exec(url)?.[1],
  );
  return [...new Set(packages.filter((name) => name !== undefined))].sort();
}

function recorderOf(list: string): string {
  return `
    import { appendFileSync } from 'node:fs';
    import { registerHooks } from 'node:module';
    registerHooks({
      load(url, context, next) {
        appendFileSync(${JSON.stringify(list)}, url + '\\n');
        return next(url, context);
      },
    });`;
}

function pathsOf({ received }: OtlpCollector): string[] {
  return [...new Set(received.map(({ path }) => path))].sort();
}

function bytesOf(path: string): Buffer {
  return Buffer.concat(collector.received.filter((received) => received.path === path).map(({ bytes }) => bytes));
}

function pointsOf(name: string) {
  return collector.metrics.find((metric) => metric.name === name)?.points ?? [];
}
