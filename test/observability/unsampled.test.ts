/** Calls that nobody samples: nothing is exported of them, and nothing is made for them. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  context,
  ProxyTracerProvider,
  propagation,
  type Span,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import { CompositePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import { B3Propagator } from '@opentelemetry/propagator-b3';
import { OtelTracer } from '../../src/observability/tracing.ts';
import { OtlpCollector } from '../support/otlp-collector.ts';
import { TestService } from '../support/service.ts';
import { Doors, type Headers } from './calls.ts';

const TRACE = 'a'.repeat(32);
const SPAN = 'b'.repeat(16);

const UNSAMPLED: [string, Headers][] = [
  ['traceparent with the flags 00', { traceparent: `00-${TRACE}-${SPAN}-00` }],
  ['traceparent with other flags than sampled', { traceparent: `00-${TRACE}-${SPAN}-02` }],
  [
    'traceparent with the flags 00 beside a sampled b3',
    { traceparent: `00-${TRACE}-${SPAN}-00`, b3: `${TRACE}-${SPAN}-1` },
  ],
  ['b3: 0', { b3: '0' }],
  ['b3 that ends in -0', { b3: `${TRACE}-${SPAN}-0` }],
  ['b3 with -0 and a parent', { b3: `${TRACE}-${SPAN}-0-${SPAN}` }],
  ['b3 with a short trace id and -0', { b3: `${SPAN}-${SPAN}-0` }],
  ['b3 -0 beside x-b3-sampled: 1', { b3: `${TRACE}-${SPAN}-0`, 'x-b3-sampled': '1' }],
  ['x-b3-sampled: 0', { 'x-b3-traceid': TRACE, 'x-b3-spanid': SPAN, 'x-b3-sampled': '0' }],
];

const SAMPLED: [string, Headers][] = [
  ['no context', {}],
  ['traceparent with the flags 01', { traceparent: `00-${TRACE}-${SPAN}-01` }],
  ['traceparent with the flags 03', { traceparent: `00-${TRACE}-${SPAN}-03` }],
  ['traceparent that is none', { traceparent: '00-0' }],
  ['b3 that ends in -1', { b3: `${TRACE}-${SPAN}-1` }],
  ['b3 that ends in -d', { b3: `${TRACE}-${SPAN}-d` }],
  ['x-b3-sampled: 1', { 'x-b3-traceid': TRACE, 'x-b3-spanid': SPAN, 'x-b3-sampled': '1' }],
];

describe('the tracer, of which it is counted what it asks OpenTelemetry for', () => {
  let counted: CountingProvider;

  beforeEach(() => {
    counted = new CountingProvider();
    trace.setGlobalTracerProvider(counted);
    propagation.setGlobalPropagator(
      new CompositePropagator({ propagators: [new B3Propagator(), new W3CTraceContextPropagator()] }),
    );
  });

  afterEach(() => {
    trace.disable();
    propagation.disable();
    context.disable();
  });

  test.each(UNSAMPLED)('starts no span for %s', (_name, headers) => {
    expect(start(headers)).toBeUndefined();
    expect(counted.started).toBe(0);
  });

  test.each(SAMPLED)('starts one for %s', (_name, headers) => {
    start(headers);
    expect(counted.started).toBe(1);
  });

  test.each(['always_on', 'traceidratio'])('leaves it to the sampler %s, which follows no caller', (sampler) => {
    start({ b3: '0' }, { OTEL_TRACES_SAMPLER: sampler });
    expect(counted.started).toBe(1);
  });

  test.each(['parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'])(
    'follows the caller with the sampler %s',
    (sampler) => {
      start({ b3: '0' }, { OTEL_TRACES_SAMPLER: sampler });
      expect(counted.started).toBe(0);
    },
  );

  test.each<[string, Headers]>([
    ['tracecontext', { b3: '0' }],
    ['tracecontext', { 'x-b3-sampled': '0' }],
    ['b3', { traceparent: `00-${TRACE}-${SPAN}-00` }],
    ['b3multi', { traceparent: `00-${TRACE}-${SPAN}-00` }],
    ['none', { traceparent: `00-${TRACE}-${SPAN}-00` }],
    ['none', { b3: '0' }],
  ])('with OTEL_PROPAGATORS=%s does not listen to %j', (propagators, headers) => {
    start(headers, { OTEL_PROPAGATORS: propagators });
    expect(counted.started).toBe(1);
  });
});

describe('a service that exports', () => {
  let collector: OtlpCollector;
  let service: TestService;
  let doors: Doors;

  beforeAll(async () => {
    collector = await OtlpCollector.start();
    service = await TestService.start(collector.env);
    doors = new Doors(service);
  });

  afterAll(async () => {
    await service.stop();
    await collector.stop();
  });

  test('sends no span of an unsampled call, and those of a sampled one', async () => {
    for (const [, headers] of UNSAMPLED) {
      await doors.rls('closient', ['api_key=csk_1'], headers);
      await doors.check({ api_key: 'csk_1' }, headers);
    }
    const last = 'e'.repeat(32);
    await doors.rls('closient', ['api_key=csk_1'], { traceparent: `00-${last}-${SPAN}-01` });
    await collector.span('the sampled span', ({ traceId }) => traceId === last);
    expect(collector.spans.map(({ traceId }) => traceId)).toEqual([last]);
  });
});

/** Counts, and otherwise does what the API does without an SDK. */
class CountingProvider implements TracerProvider {
  started = 0;
  readonly #noop = new ProxyTracerProvider();

  getTracer(name: string): Tracer {
    const tracer = this.#noop.getTracer(name);
    return {
      startSpan: (...args): Span => {
        this.started += 1;
        return tracer.startSpan(...args);
      },
      startActiveSpan: () => {
        throw new Error('not used');
      },
    };
  }
}

function start(headers: Headers, env: Record<string, string> = {}) {
  return new OtelTracer(env, true).start({ name: 'a', protocol: 'grpc', header: (name) => headers[name] });
}
