/** Which statistics go where: at most one sink, and none unless one is named. */
import { type Env, EnvError, type Environment } from './env.ts';
import { parseValue } from './parse-value.ts';

export type StatsConfig =
  | {
      readonly sink: 'statsd';
      readonly host: string;
      readonly port: number;
      readonly protocol: 'tcp' | 'udp';
      readonly flushMillis: number;
      readonly extraTags: Tags;
    }
  | {
      readonly sink: 'dogstatsd';
      readonly host: string;
      readonly port: number;
      readonly flushMillis: number;
      readonly extraTags: Tags;
      /** In the order in which they are tried. */
      readonly mogrifiers: readonly Mogrifier[];
    }
  | {
      readonly sink: 'prometheus';
      readonly host: string;
      readonly port: number;
      readonly path: string;
      readonly mapperYamlPath?: string;
      readonly responseTimeAsMilliseconds: boolean;
      readonly extraTags: Tags;
    };

export type Tags = Readonly<Record<string, string>>;

/** What `pattern` finds in a name becomes tags; `$1`, `$2` in `name` and in the tags' values stand for its groups. */
export interface Mogrifier {
  /** Source text of a RegExp. */
  readonly pattern: string;
  readonly name: string;
  readonly tags: Tags;
}

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
    ...(mapperYamlPath === undefined ? {} : { mapperYamlPath }),
    responseTimeAsMilliseconds: env.PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS,
    extraTags: env.EXTRA_TAGS,
  };
}

/** `:9090` means every address of this machine, as in Go. */
function addressOf(text: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  const number = parseValue({ kind: 'port', does: '' }, port);
  if (typeof number === 'number') return { host: host.replace(/^\[|\]$/g, '') || '0.0.0.0', port: number };
  throw new EnvError('PROMETHEUS_ADDR', `expected host:port or :port, got '${text}'`);
}

function mogrifiersOf({ USE_DOG_STATSD_MOGRIFIERS: names, mogrifiers }: Env): readonly Mogrifier[] {
  return names.map((name) => mogrifierOf(`DOG_STATSD_MOGRIFIER_${name.toUpperCase()}`, mogrifiers));
}

function mogrifierOf(prefix: string, variables: Environment): Mogrifier {
  const tags = parseValue({ kind: 'map', does: '' }, variables[`${prefix}_TAGS`] ?? '');
  if (tags === undefined) throw new EnvError(`${prefix}_TAGS`, 'expected pairs such as name:value,name2:value2');
  return {
    pattern: patternOf(`${prefix}_PATTERN`, variables),
    name: required(`${prefix}_NAME`, variables),
    tags: tags as Tags,
  };
}

function patternOf(variable: string, variables: Environment): string {
  // Go names a group `(?P<name>…)`, JavaScript `(?<name>…)`.
  const pattern = required(variable, variables).replaceAll('(?P<', '(?<');
  try {
    return new RegExp(pattern).source;
  } catch (error) {
    throw new EnvError(variable, (error as Error).message);
  }
}

function required(variable: string, variables: Environment): string {
  const text = variables[variable];
  if (text !== undefined) return text;
  throw new EnvError(variable, 'is required, since USE_DOG_STATSD_MOGRIFIERS names it');
}
