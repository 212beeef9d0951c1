/** How OTEL_* variables are read. */
import { expect, test } from '@jest/globals';
import { wantedFormats, wantedSignals } from '../../src/observability/otel-env.ts';

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

test.each<[Record<string, string>, boolean, string[]]>([
  [{}, false, []],
  [{ OTEL_SERVICE_NAME: 'limits' }, false, []],
  [{ OTEL_TRACES_SAMPLER: 'always_on' }, false, []],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: '' }, false, []],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }, false, []],
  [ENDPOINT, true, ['otlp']],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector:4318' }, true, []],
  [{ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://collector:4318' }, false, ['otlp']],
  [{ OTEL_TRACES_EXPORTER: 'otlp' }, true, []],
  [{ OTEL_TRACES_EXPORTER: 'console' }, true, []],
  [{ OTEL_TRACES_EXPORTER: 'none', ...ENDPOINT }, false, ['otlp']],
  [{ OTEL_TRACES_EXPORTER: '', ...ENDPOINT }, true, ['otlp']],
  [{ OTEL_METRICS_EXPORTER: 'otlp' }, false, ['otlp']],
  [{ OTEL_METRICS_EXPORTER: 'console' }, false, ['console']],
  [{ OTEL_METRICS_EXPORTER: 'none', ...ENDPOINT }, true, []],
  [{ OTEL_METRICS_EXPORTER: 'prometheus', ...ENDPOINT }, true, []],
  [{ OTEL_METRICS_EXPORTER: 'prometheus, otlp', ...ENDPOINT }, true, ['otlp']],
  [{ OTEL_METRICS_EXPORTER: 'otlp,console,otlp' }, false, ['otlp', 'console']],
  [{ OTEL_METRICS_EXPORTER: 'otlp,none', ...ENDPOINT }, true, []],
  [{ OTEL_SDK_DISABLED: 'true', ...ENDPOINT }, false, []],
  [{ OTEL_SDK_DISABLED: 'TRUE', OTEL_TRACES_EXPORTER: 'otlp' }, false, []],
  [{ OTEL_SDK_DISABLED: 'false', ...ENDPOINT }, true, ['otlp']],
  [{ OTEL_SDK_DISABLED: '1', ...ENDPOINT }, true, ['otlp']],
])('%j asks for traces: %j, and for metrics to be pushed to %j', (env, traces, metrics) => {
  expect(wantedSignals(env)).toEqual({ traces, metrics });
});

test.each<[string | undefined, boolean, boolean]>([
  [undefined, true, true],
  ['', true, true],
  ['tracecontext,baggage', true, false],
  ['b3', false, true],
  ['b3multi', false, true],
  ['tracecontext, b3', true, true],
  ['baggage', false, false],
  ['none', false, false],
  ['none,b3', false, false],
])('OTEL_PROPAGATORS=%s listens to W3C: %j, to B3: %j', (names, w3c, b3) => {
  expect(wantedFormats({ OTEL_PROPAGATORS: names })).toEqual({ w3c, b3 });
});
