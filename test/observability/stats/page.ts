/** A page of Prometheus in this process, and what a parser that is not ours reads there. */
import { expect } from '@jest/globals';
import parseText from 'parse-prometheus-text-format';
import { createLogger } from '../../../src/observability/logger.ts';
import type { PrometheusConfig } from '../../../src/observability/stats/config.ts';
import { type Stats, startStats } from '../../../src/observability/stats/stats.ts';
import { callOf, decisionOf } from './decisions.ts';

export const CONFIG: PrometheusConfig = {
  sink: 'prometheus',
  host: '127.0.0.1',
  port: 0,
  path: '/metrics',
  mapperYamlPath: undefined,
  responseTimeAsMilliseconds: false,
  extraTags: {},
};
export const HITS = 'ratelimit_service_rate_limit_total_hits';

export const ends: (() => Promise<void> | void)[] = [];

/** For `afterEach`. */
export async function endAll(): Promise<void> {
  for (const end of ends.splice(0).reverse()) await end();
}

const OWN_PAGE = async (): Promise<string> => '# TYPE own counter\nown 1\n';

export async function started(config: Partial<PrometheusConfig> = {}, metricsText = OWN_PAGE): Promise<Stats> {
  const stats = await startStats({
    config: { ...CONFIG, ...config },
    nearLimitRatio: 0.8,
    log: createLogger({ level: 'error', format: 'json' }),
    metricsText,
  });
  ends.push(() => stats.shutdown());
  return stats;
}

export async function page({ port }: Stats, path = '/metrics'): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  return response.text();
}

export function count({ observer }: Stats, ...statsKeys: string[]): void {
  for (const statsKey of statsKeys) observer.decided(callOf('d'), decisionOf([statsKey]));
}

/** The parser cannot group histograms that have labels: their samples are read one by one. */
export function parsedText(text: string) {
  return parseText(text.replaceAll(/^(# TYPE .*) histogram$/gm, '$1 untyped'));
}

/** Series by their labels, as the parser found them. */
export function seriesOf(text: string, metric: string): Record<string, string> {
  const family = parsedText(text).find(({ name }) => name === metric);
  const rows = (family?.metrics ?? []).map(({ labels = {}, value = '' }) => [Object.values(labels).join(' '), value]);
  return Object.fromEntries(rows);
}
