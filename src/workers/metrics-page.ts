/** Pages in Prometheus's text format, added up series by series. Knows what the numbers of several processes come to. */

type Type = 'counter' | 'histogram' | 'gauge';

interface Family {
  /** HELP, UNIT and TYPE, as they came. */
  readonly comments: string[];
  type: Type;
  /** By name and labels, as they stand before the value. */
  readonly series: Map<string, number>;
}

/** By the names of the metrics, in the order of the page. */
export type MetricsPage = Map<string, Family>;

/** Gauges of which two are no more than one; all others are amounts, and add up. */
const GREATEST: ReadonlySet<string> = new Set([
  'target_info',
  'headroom_rate_limiting_store_breaker_open',
  'ratelimit_localcache_averageAccessTime',
]);

/** Of all series of processes that have ended. Beyond, those of the next one are forgotten: a counter begins anew. */
export const ENDED_SERIES_MAX = 200_000;

/** @param text as the processes write it: without timestamps and exemplars */
export function pageOf(text: string): MetricsPage {
  const page: MetricsPage = new Map();
  let family: Family | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('# ')) family = addComment(page, line);
    else if (line !== '') addSample(family, line);
  }
  return page;
}

function addComment(page: MetricsPage, line: string): Family {
  const [, kind, name = '', type] = line.split(' ', 4);
  const family = familyOf(page, name);
  family.comments.push(line);
  if (kind === 'TYPE') family.type = type as Type;
  return family;
}

/** Labels may hold spaces; the value has none. */
function addSample(family: Family | undefined, line: string): void {
  const end = line.lastIndexOf(' ');
  family?.series.set(line.slice(0, end), Number(line.slice(end + 1)));
}

function familyOf(page: MetricsPage, name: string): Family {
  let family = page.get(name);
  if (family === undefined) {
    family = { comments: [], type: 'gauge', series: new Map() };
    page.set(name, family);
  }
  return family;
}

/** @param gauges whether the page tells what is now; otherwise what was counted is all that it is good for */
export function addPage(sum: MetricsPage, page: MetricsPage, gauges: boolean): void {
  for (const [name, { comments, type, series }] of page) {
    if (type === 'gauge' && !gauges) continue;
    const into = familyOf(sum, name);
    if (into.comments.length === 0) into.comments.push(...comments);
    into.type = type;
    for (const [key, value] of series) {
      const before = into.series.get(key);
      into.series.set(key, before === undefined ? value : together(name, before, value));
    }
  }
}

function together(name: string, before: number, value: number): number {
  return GREATEST.has(name) ? Math.max(before, value) : before + value;
}

export function seriesIn(page: MetricsPage): number {
  let count = 0;
  for (const { series } of page.values()) count += series.size;
  return count;
}

export function textOf(page: MetricsPage): string {
  let text = '';
  for (const { comments, series } of page.values()) {
    text += `${comments.join('\n')}\n`;
    for (const [key, value] of series) text += `${key} ${value}\n`;
  }
  return text;
}
