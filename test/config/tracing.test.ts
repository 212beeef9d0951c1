/** TRACING_* variables become those of OpenTelemetry, unless these are set. */
import { describe, expect, test } from '@jest/globals';
import { type Environment, readEnv } from '../../src/config/env.ts';
import { instanceVariables, tracingVariables } from '../../src/config/tracing.ts';

function added(environment: Environment): object {
  return tracingVariables(readEnv(environment), environment);
}

const DEFAULTS = {
  OTEL_TRACES_EXPORTER: 'otlp',
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/protobuf',
  OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
  OTEL_TRACES_SAMPLER_ARG: '1',
  OTEL_SERVICE_NAME: 'RateLimit',
};

test('nothing is added unless TRACING_ENABLED', () => {
  expect(added({ TRACING_SERVICE_NAME: 'x', TRACING_EXPORTER_PROTOCOL: 'grpc' })).toEqual({});
});

describe('TRACING_ENABLED adds', () => {
  test.each<[environment: Environment, variables: object]>([
    [{}, DEFAULTS],
    [{ TRACING_EXPORTER_PROTOCOL: 'grpc' }, { ...DEFAULTS, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc' }],
    [{ TRACING_SAMPLING_RATE: '0.25' }, { ...DEFAULTS, OTEL_TRACES_SAMPLER_ARG: '0.25' }],
    [{ TRACING_SAMPLING_RATE: '7' }, { ...DEFAULTS, OTEL_TRACES_SAMPLER_ARG: '1' }],
    [{ TRACING_SERVICE_NAME: 'limits' }, { ...DEFAULTS, OTEL_SERVICE_NAME: 'limits' }],
    [
      { TRACING_SERVICE_NAMESPACE: 'a, b', TRACING_SERVICE_INSTANCE_ID: 'i=1' },
      { ...DEFAULTS, OTEL_RESOURCE_ATTRIBUTES: 'service.namespace=a%2C%20b,service.instance.id=i%3D1' },
    ],
  ])('with %j', (environment, variables) => {
    expect(added({ TRACING_ENABLED: 'true', ...environment })).toEqual(variables);
  });
});

describe('an OTEL_* variable goes before:', () => {
  test.each<[environment: Environment, absent: string[]]>([
    [{ OTEL_TRACES_EXPORTER: 'console' }, ['OTEL_TRACES_EXPORTER']],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }, ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL']],
    [{ OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc' }, ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL']],
    [{ OTEL_TRACES_SAMPLER: 'always_on' }, ['OTEL_TRACES_SAMPLER', 'OTEL_TRACES_SAMPLER_ARG']],
    [{ OTEL_SERVICE_NAME: 'mine' }, ['OTEL_SERVICE_NAME']],
    [{ OTEL_RESOURCE_ATTRIBUTES: 'service.name=mine,x=y' }, ['OTEL_SERVICE_NAME']],
  ])('%j', (environment, absent) => {
    const left = Object.fromEntries(Object.entries(DEFAULTS).filter(([name]) => !absent.includes(name)));
    expect(added({ TRACING_ENABLED: 'true', ...environment })).toEqual(left);
  });

  test('and attributes of the resource that are set stay as they are, beside the others', () => {
    const environment = {
      TRACING_ENABLED: 'true',
      TRACING_SERVICE_NAMESPACE: 'theirs',
      TRACING_SERVICE_INSTANCE_ID: 'i',
      OTEL_RESOURCE_ATTRIBUTES: 'service.namespace=mine',
    };
    expect(added(environment)).toMatchObject({
      OTEL_RESOURCE_ATTRIBUTES: 'service.namespace=mine,service.instance.id=i',
    });
  });
});

describe('an id for several processes', () => {
  test('stands beside what else is said of them', () => {
    expect(instanceVariables({}, 'one')).toEqual({ OTEL_RESOURCE_ATTRIBUTES: 'service.instance.id=one' });
    expect(instanceVariables({ OTEL_RESOURCE_ATTRIBUTES: 'a=b' }, 'one')).toEqual({
      OTEL_RESOURCE_ATTRIBUTES: 'a=b,service.instance.id=one',
    });
  });

  test('is not needed where there is one', () => {
    expect(instanceVariables({ OTEL_RESOURCE_ATTRIBUTES: 'a=b, service.instance.id=two' }, 'one')).toEqual({});
  });
});
