/** Which statistics go where: at most one sink, and none unless one is named. */
import type { MogrifierConfig, StatsConfig } from '../observability/stats/config.ts';
import { type Env, EnvError, type Environment } from './env.ts';
import { parseValue } from './parse-value.ts';

/** @returns undefined: no sink @throws EnvError */
export function statsOf(env: Env): StatsConfig | undefined {
  if (env.DISABLE_STATS) return undefined;
  const sinks = (['USE_STATSD', 'USE_DOG_STATSD', 'USE_PROMETHEUS'] as const).filter((name) => env[name]);
  if (sinks.length > 1)
    throw new EnvError(sinks.join(', '), 'Error: unable to use more than one stats sink at the same time');
  if (env.USE_PROMETHEUS) return prometheusOf(env);
  const { STATSD_HOST: host, STATSD_PORT: port, STATS_FLUSH_INTERVAL: flushMillis, EXTRA_TAGS: extraTags } = env;
  if (env.USE_DOG_STATSD)
    return { sink: 'dogstatsd', host, port, flushMillis, extraTags, mogrifiers: mogrifiersOf(env) };
  if (!env.USE_STATSD) return undefined;
  return { sink: 'statsd', host, port, protocol: env.STATSD_PROTOCOL, flushMillis, extraTags };
}

function prometheusOf(env: Env): StatsConfig {
  const { PROMETHEUS_PATH: path, PROMETHEUS_MAPPER_YAML: mapperYamlPath } = env;
  if (!path.startsWith('/')) throw new EnvError('PROMETHEUS_PATH', `expected a path such as /metrics, got '${path}'`);
  return {
    sink: 'prometheus',
    ...addressOf(env.PROMETHEUS_ADDR),
    path,
    mapperYamlPath,
    responseTimeAsMilliseconds: env.PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS,
    extraTags: env.EXTRA_TAGS,
  };
}

/** Without a host, `:9090`: every address of this machine, IPv6 included, as in Go. */
function addressOf(text: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  const number = parseValue({ kind: 'port', does: '' }, port);
  if (typeof number === 'number') return { host: host.replace(/^\[|\]$/g, ''), port: number };
  throw new EnvError('PROMETHEUS_ADDR', `expected host:port or :port, got '${text}'`);
}

function mogrifiersOf({ USE_DOG_STATSD_MOGRIFIERS: names, mogrifiers }: Env): readonly MogrifierConfig[] {
  return names.map((name) => mogrifierOf(name.toUpperCase(), mogrifiers));
}

/** Its pattern is tried when the statistics start: it is one of Go's regular expressions. */
function mogrifierOf(variable: string, variables: Environment): MogrifierConfig {
  const prefix = `DOG_STATSD_MOGRIFIER_${variable}`;
  const tags = parseValue({ kind: 'map', does: '' }, variables[`${prefix}_TAGS`] ?? '');
  if (tags === undefined) throw new EnvError(`${prefix}_TAGS`, 'expected pairs such as name:value,name2:value2');
  return {
    variable,
    pattern: required(`${prefix}_PATTERN`, variables),
    name: required(`${prefix}_NAME`, variables),
    tags: tags as MogrifierConfig['tags'],
  };
}

function required(variable: string, variables: Environment): string {
  const text = variables[variable];
  if (text !== undefined) return text;
  throw new EnvError(variable, 'is required, since USE_DOG_STATSD_MOGRIFIERS names it');
}
