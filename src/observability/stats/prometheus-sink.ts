/** Statistics as series of Prometheus: added up for as long as one of their names is in use. */
import { DURATION_BUCKETS } from '../durations.ts';
import { domainName, limitName, limitStat, type StatName } from './names.ts';
import { type Mapping, type MetricType, ownSeries, type SeriesName } from './prometheus-mapping.ts';
import { Histogram, labelsText, Scalar, type Series } from './series.ts';
import type { StatsSink } from './sink.ts';

/** Stands for limits, and domains, that were dropped before their last counts were scraped. */
const OTHER = 'other';

// Up to the longest that dashboards of the reference ask for.
const SECONDS = [...DURATION_BUCKETS, 2.5, 5, 10];

const HISTOGRAM_ENDS = ['_bucket', '_sum', '_count'];

/** What is written in one turn: a fraction of a millisecond. */
const SERIES_AT_ONCE = 500;

export interface PrometheusSinkOptions {
  readonly mapping: Mapping;
  /** Labels of every series: none that the mapping gives. */
  readonly labels: Readonly<Record<string, string>>;
  /** Durations are milliseconds, not seconds. */
  readonly inMilliseconds: boolean;
}

interface Family {
  readonly metric: string;
  readonly type: MetricType;
  readonly help: string;
  /** By their labels as text. */
  readonly series: Map<string, Series>;
}

/** A series, and where it stands. */
interface Placed {
  readonly family: Family;
  readonly series: Series;
}

/** What is kept of a name; null: it is not shown. */
type Kept = Placed | null | undefined;

export class PrometheusSink implements StatsSink {
  readonly #options: PrometheusSinkOptions;
  readonly #families = new Map<string, Family>();
  /** Names for what is counted as OTHER, by statistic; never forgotten. */
  readonly #others = new Map<string, StatName>();

  constructor(options: PrometheusSinkOptions) {
    this.#options = options;
  }

  counter(name: StatName, by: number): void {
    this.#seriesOf(name, 'counter')?.add(by);
  }

  gauge(name: StatName, read: () => number): void {
    this.#seriesOf(name, 'gauge')?.set(read());
  }

  timer(name: StatName): (millis: number) => void {
    const series = this.#seriesOf(name, 'timer');
    const perUnit = this.#options.inMilliseconds ? 1 : 1_000;
    return (millis) => series?.add(millis / perUnit);
  }

  /** A series goes with the last name that comes to it. */
  forget(name: StatName): void {
    const placed = name.kept as Kept;
    name.kept = undefined;
    if (!placed) return;
    const { family, series } = placed;
    series.names -= 1;
    if (series.names > 0) return;
    family.series.delete(series.labels);
    if (family.series.size === 0) this.#families.delete(family.metric);
    if (series.untold > 0) this.counter(this.#otherFor(name), series.untold);
  }

  /**
   * The page in Prometheus's text format, piece by piece, so that decisions need not wait for all of it. It shows the
   * series that there are at its beginning and at their turn; they count as told.
   */
  *pieces(): Generator<string> {
    const page = [...this.#families.values()].map((family) => ({ family, all: [...family.series.values()] }));
    for (const { family, all } of page) {
      const { metric, type, help } = family;
      let text = `# HELP ${metric} ${help}\n# TYPE ${metric} ${type === 'timer' ? 'histogram' : type}\n`;
      for (const [index, series] of all.entries()) {
        if (series.names > 0) text += series.lines(metric);
        if (index % SERIES_AT_ONCE === SERIES_AT_ONCE - 1) {
          yield text;
          text = '';
        }
      }
      yield text;
    }
  }

  #seriesOf(name: StatName, type: MetricType): Series | undefined {
    if (name.kept === undefined) {
      name.kept = this.#place(ownSeries(name) ?? this.#options.mapping(name, type), type) ?? null;
    }
    return (name.kept as Kept)?.series;
  }

  #place(seriesName: SeriesName | undefined, type: MetricType): Placed | undefined {
    if (seriesName === undefined) return undefined;
    const { metric, help } = seriesName;
    const family = this.#families.get(metric) ?? newFamily(metric, type, help);
    // A metric has one type: as in statsd_exporter, what comes second with another is left out.
    if (family.type !== type || !this.#isFree(metric, type)) return undefined;
    this.#families.set(metric, family);
    const labels = labelsText({ ...this.#options.labels, ...seriesName.labels });
    let series = family.series.get(labels);
    if (series === undefined) {
      series = type === 'timer' ? new Histogram(labels, this.#bucketsOf(seriesName)) : new Scalar(labels);
      family.series.set(labels, series);
    }
    series.names += 1;
    return { family, series };
  }

  /** A histogram has more names than its own: none of them may be that of another metric. */
  #isFree(metric: string, type: MetricType): boolean {
    if (type === 'timer') return !HISTOGRAM_ENDS.some((end) => this.#families.has(metric + end));
    const end = HISTOGRAM_ENDS.find((each) => metric.endsWith(each));
    return end === undefined || this.#families.get(metric.slice(0, -end.length))?.type !== 'timer';
  }

  #bucketsOf({ buckets }: SeriesName): readonly number[] {
    return buckets ?? (this.#options.inMilliseconds ? SECONDS.map((seconds) => seconds * 1_000) : SECONDS);
  }

  #otherFor({ of, parts }: StatName): StatName {
    const stat = parts.at(-1) as string;
    let other = this.#others.get(stat);
    if (other === undefined) {
      other = of === 'domain' ? domainName(OTHER, stat) : limitStat(limitName(OTHER, OTHER), stat);
      this.#others.set(stat, other);
    }
    return other;
  }
}

/** Of what has no help of its own: the names, not the bounds of buckets, are those of envoyproxy/ratelimit. */
const HELPS: Readonly<Record<MetricType, string>> = {
  counter: 'Counted since the process began, or since the series did; named as by envoyproxy/ratelimit',
  gauge: 'As it is now; named as by envoyproxy/ratelimit',
  timer: 'How long calls took; named as by envoyproxy/ratelimit',
};

function newFamily(metric: string, type: MetricType, help = HELPS[type]): Family {
  // https://prometheus.io/docs/instrumenting/exposition_formats/#comments-help-text-and-type-information
  return { metric, type, help: help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n'), series: new Map() };
}
