/** What a statistic is called in Prometheus: the default mapping of envoyproxy/ratelimit, whose dashboards rely on it. */
import type { StatName } from './names.ts';

export type MetricType = 'counter' | 'gauge' | 'timer';

/** One series. Statistics that come to the same one are added up. */
export interface SeriesName {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of a histogram; undefined: DURATION_BUCKETS. */
  readonly buckets?: readonly number[] | undefined;
  readonly help?: string | undefined;
}

/** What a set of mappings makes of names, and the labels that it may give. */
export interface Mappings {
  readonly labels: ReadonlySet<string>;
  readonly seriesOf: Mapping;
}

/** @returns undefined for what is not to be shown */
export type Mapping = (name: StatName, type: MetricType) => SeriesName | undefined;

/** Those of a limit that have labels. What else there is has its whole name for a metric. */
const LABELLED: ReadonlySet<string> = new Set([
  'near_limit',
  'over_limit',
  'total_hits',
  'within_limit',
  'shadow_mode',
]);

const METHOD_METRICS: Readonly<Record<string, string>> = {
  total_requests: 'ratelimit_service_total_requests',
  response_time: 'ratelimit_service_response_time_seconds',
};

const ERRORS = 'ratelimit.service.call.should_rate_limit.';

function defaultSeries(name: StatName): SeriesName | undefined {
  const { full, parts, of } = name;
  const stat = parts.at(-1) as string;
  if (of === 'limit' && LABELLED.has(stat)) {
    const [domain = '', key1 = '', key2] = parts.slice(3, -1);
    return {
      metric: `ratelimit_service_rate_limit_${stat}`,
      labels: key2 === undefined ? { domain, key1 } : { domain, key1, key2 },
    };
  }
  const methodMetric = of === 'method' ? METHOD_METRICS[stat] : undefined;
  if (methodMetric !== undefined) return { metric: methodMetric, labels: { grpc_method: parts[1] as string } };
  if (of === 'service' && full.startsWith(ERRORS)) {
    return { metric: 'ratelimit_service_should_rate_limit_error', labels: { err_type: stat } };
  }
  return plainSeries(name);
}

export const defaultMappings: Mappings = {
  labels: new Set(['domain', 'key1', 'key2', 'grpc_method', 'err_type']),
  seriesOf: defaultSeries,
};

/** Under its whole name. */
export function plainSeries({ full }: StatName): SeriesName {
  return { metric: metricNameOf(full), labels: {} };
}

const OWN_HELP: Readonly<Record<string, string>> = {
  'headroom.stats.limits_dropped': 'Limits whose statistics were dropped, since there were too many',
  'headroom.stats.domains_dropped': 'Unknown domains whose statistics were dropped, since there were too many',
};

/** Headroom's own are called as Prometheus wants it. @returns undefined for what is not its own */
export function ownSeries({ full }: StatName): SeriesName | undefined {
  if (!full.startsWith('headroom.')) return undefined;
  return { metric: `${metricNameOf(full)}_total`, labels: {}, help: OWN_HELP[full] };
}

/** Whether a metric of this name would stand among Headroom's own on the page, or. */
export function isOwnMetric(metric: string): boolean {
  return /^headroom_|^target_info$/.test(metric);
}

/** As statsd_exporter flattens a name. */
export function metricNameOf(text: string): string {
  const name = text.replace(/[^a-zA-Z0-9_]/gu, '_');
  return /^\d/.test(name) ? `_${name}` : name;
}
