/**
 * How long things take, counted by hand in buckets, and handed to whoever reads metrics as histograms of OpenTelemetry.
 * Which durations there are is metrics.ts's matter.
 */
import { type HrTime, ValueType } from '@opentelemetry/api';
import { hrTime } from '@opentelemetry/core';
import { emptyResource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  type HistogramMetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';

/** Seconds. Fine where decisions live (10 µs … 10 ms), coarse up to the longest deadline. */
export const DURATION_BUCKETS = [
  0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
  1,
];

export class Durations {
  readonly #name: string;
  readonly #description: string;
  /** One for each reader: what one reader was told of is news to another. */
  readonly #counts: Counts[] = [];

  constructor(name: string, description: string) {
    this.#name = name;
    this.#description = description;
  }

  record(seconds: number): void {
    for (const counts of this.#counts) counts.add(seconds);
  }

  /** To be called once for each reader. @returns what it is to be told of; undefined while there is nothing */
  read(temporality: AggregationTemporality): () => HistogramMetricData | undefined {
    const isDelta = temporality === AggregationTemporality.DELTA;
    const counts = new Counts();
    this.#counts.push(counts);
    return () => {
      if (counts.count === 0) return undefined;
      const endTime = hrTime();
      const data = this.#dataOf(counts, temporality, endTime);
      if (isDelta) counts.begin(endTime);
      return data;
    };
  }

  #dataOf(counts: Counts, aggregationTemporality: AggregationTemporality, endTime: HrTime): HistogramMetricData {
    const { startTime, inBuckets, sum, count, min, max } = counts;
    const buckets = { boundaries: [...DURATION_BUCKETS], counts: [...inBuckets] };
    return {
      descriptor: { name: this.#name, description: this.#description, unit: 's', valueType: ValueType.DOUBLE },
      aggregationTemporality,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: [{ startTime, endTime, attributes: {}, value: { buckets, sum, count, min, max } }],
    };
  }
}

class Counts {
  startTime = hrTime();
  /** As many as there are boundaries, and one for what is longer. */
  inBuckets = DURATION_BUCKETS.map(() => 0).concat(0);
  sum = 0;
  count = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;

  add(seconds: number): void {
    let bucket = 0;
    // Most durations are short: the first buckets are the likeliest.
    while (seconds > (DURATION_BUCKETS[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
    this.inBuckets[bucket] = (this.inBuckets[bucket] as number) + 1;
    this.sum += seconds;
    this.count += 1;
    if (seconds < this.min) this.min = seconds;
    if (seconds > this.max) this.max = seconds;
  }

  begin(startTime: HrTime): void {
    this.startTime = startTime;
    this.inBuckets.fill(0);
    this.sum = 0;
    this.count = 0;
    this.min = Number.POSITIVE_INFINITY;
    this.max = Number.NEGATIVE_INFINITY;
  }
}

/** For one reader. The resource is not told: readers take that of the SDK. @param version of the service */
export function producerOf(
  durations: readonly Durations[],
  version: string,
  temporality = AggregationTemporality.CUMULATIVE,
): MetricProducer {
  const reads = durations.map((each) => each.read(temporality));
  const scope = { name: 'headroom', version };
  return {
    collect(): Promise<CollectionResult> {
      const metrics = reads.map((read) => read()).filter((data) => data !== undefined);
      const scopeMetrics = metrics.length === 0 ? [] : [{ scope, metrics }];
      return Promise.resolve({ resourceMetrics: { resource: emptyResource(), scopeMetrics }, errors: [] });
    },
  };
}
