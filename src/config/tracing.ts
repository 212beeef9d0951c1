/** What the TRACING_* variables mean in OpenTelemetry's own: an OTEL_* variable that is set goes before them. */
import { type Env, type Environment, textOf } from './env.ts';

const PROTOCOLS = { http: 'http/protobuf', grpc: 'grpc' } as const;

/** @returns the OTEL_* variables to be added to the environment; none unless TRACING_ENABLED */
export function tracingVariables(env: Env, environment: Environment): Readonly<Record<string, string>> {
  if (!env.TRACING_ENABLED) return {};
  const hasProtocol = textOf(environment, 'OTEL_EXPORTER_OTLP_PROTOCOL') !== undefined;
  const hasSampler = textOf(environment, 'OTEL_TRACES_SAMPLER') !== undefined;
  const wanted: Readonly<Record<string, string | undefined>> = {
    OTEL_TRACES_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: hasProtocol ? undefined : PROTOCOLS[env.TRACING_EXPORTER_PROTOCOL],
    // An argument belongs to its sampler.
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: hasSampler ? undefined : String(Math.min(1, Math.max(0, env.TRACING_SAMPLING_RATE))),
    OTEL_SERVICE_NAME: 'service.name' in attributesOf(environment) ? undefined : env.TRACING_SERVICE_NAME,
  };
  const missing = Object.entries(wanted).filter(([name]) => textOf(environment, name) === undefined);
  const added = missing.filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...Object.fromEntries(added), ...resourceVariables(env, environment) };
}

/**
 * Several processes are instances of one: they get its id from the outside, and tell themselves apart by their numbers.
 * @returns the variable that names it; none if the environment does
 */
export function instanceVariables(environment: Environment, id: string): Readonly<Record<string, string>> {
  if (INSTANCE in attributesOf(environment)) return {};
  return withAttributes(environment, [`${INSTANCE}=${id}`]);
}

const INSTANCE = 'service.instance.id';
const RESOURCE = 'OTEL_RESOURCE_ATTRIBUTES';

/** These two have no variable of their own in OpenTelemetry. */
function resourceVariables(env: Env, environment: Environment): Readonly<Record<string, string>> {
  const present = attributesOf(environment);
  const wanted = {
    'service.namespace': env.TRACING_SERVICE_NAMESPACE,
    [INSTANCE]: env.TRACING_SERVICE_INSTANCE_ID,
  };
  const added = Object.entries(wanted)
    .filter(([name, value]) => value !== undefined && !(name in present))
    .map(([name, value]) => `${name}=${encodeURIComponent(value as string)}`);
  return added.length === 0 ? {} : withAttributes(environment, added);
}

function withAttributes(environment: Environment, added: readonly string[]): Readonly<Record<string, string>> {
  return { [RESOURCE]: [textOf(environment, RESOURCE), ...added].filter((text) => text !== undefined).join(',') };
}

function attributesOf(environment: Environment): Readonly<Record<string, string>> {
  const pairs = (textOf(environment, RESOURCE) ?? '').split(',').map((pair) => pair.split('=', 2));
  return Object.fromEntries(pairs.map(([name = '', value = '']) => [name.trim(), value]));
}
