/** Where statistics in the form of envoyproxy/ratelimit go: one sink at most, and what it can be told at start. */

interface Collector {
  readonly host: string;
  readonly port: number;
  /** How often counters are sent. */
  readonly flushMillis: number;
}

interface Tagged {
  /** Of every statistic (EXTRA_TAGS). */
  readonly extraTags: Readonly<Record<string, string>>;
}

export interface StatsdConfig extends Collector, Tagged {
  readonly sink: 'statsd';
  readonly protocol: 'tcp' | 'udp';
}

export interface DogStatsdConfig extends Collector, Tagged {
  readonly sink: 'dogstatsd';
  /** Tried in order. */
  readonly mogrifiers: readonly MogrifierConfig[];
}

/** DOG_STATSD_MOGRIFIER_<variable>_PATTERN, _NAME and _TAGS, as they are written. */
export interface MogrifierConfig {
  /** What USE_DOG_STATSD_MOGRIFIERS calls it. */
  readonly variable: string;
  /** A regular expression of Go (RE2). */
  readonly pattern: string;
  /** `$1` stands for the first group. */
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
}

export interface PrometheusConfig extends Tagged {
  readonly sink: 'prometheus';
  /** Empty: all interfaces. */
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** A file of mappings in the form of statsd_exporter; undefined: envoyproxy/ratelimit's own mappings. */
  readonly mapperYamlPath: string | undefined;
  /** `ratelimit_service_response_time_seconds` holds milliseconds, as it once did. */
  readonly responseTimeAsMilliseconds: boolean;
}

export type StatsConfig = StatsdConfig | DogStatsdConfig | PrometheusConfig;

/** A variable of the statistics that cannot be used; found at start. */
export class StatsConfigError extends Error {
  readonly code = 'CONFIG_INVALID';

  constructor(variable: string, message: string, options?: ErrorOptions) {
    super(`${variable}: ${message}`, options);
    this.name = 'StatsConfigError';
  }
}
