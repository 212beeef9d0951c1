/** Durations counted by hand are told as the SDK's own histograms would tell them, to every reader in its own way. */
import { describe, expect, test } from '@jest/globals';
import {
  AggregationTemporality,
  type CollectionResult,
  type Histogram,
  MeterProvider,
  type MetricData,
  MetricReader,
} from '@opentelemetry/sdk-metrics';
import fc from 'fast-check';
import { DURATION_BUCKETS, Durations, producerOf } from '../../src/observability/durations.ts';

const { CUMULATIVE, DELTA } = AggregationTemporality;
const VERSION = '1.2.3';

class Reader extends MetricReader {
  protected override onShutdown = (): Promise<void> => Promise.resolve();
  protected override onForceFlush = (): Promise<void> => Promise.resolve();
}

/** A reader of both: of durations by hand, and of the SDK's histogram of the same name. */
function setUp(temporality: AggregationTemporality) {
  const durations = new Durations('work.duration', 'How long work takes');
  const byHand = producerOf([durations], VERSION, temporality);
  const reader = new Reader({ aggregationTemporalitySelector: () => temporality });
  const meter = new MeterProvider({ readers: [reader] }).getMeter('headroom', VERSION);
  const histogram = meter.createHistogram('work.duration', {
    description: 'How long work takes',
    unit: 's',
    advice: { explicitBucketBoundaries: DURATION_BUCKETS },
  });
  return {
    record(seconds: number): void {
      durations.record(seconds);
      histogram.record(seconds);
    },
    compare: async () => expect(told(await byHand.collect())).toEqual(told(await reader.collect())),
  };
}

/** All that is told but times, which differ by when each was asked, and what sums of another order round differently. */
function told({ resourceMetrics, errors }: CollectionResult) {
  const scopes = resourceMetrics.scopeMetrics.map(({ scope: { name, version }, metrics }) => ({
    scope: { name, version },
    metrics: metrics.map(withoutTimes),
  }));
  return { scopes: scopes.filter(({ metrics }) => metrics.length > 0), errors };
}

function withoutTimes({ descriptor, dataPoints, ...rest }: MetricData) {
  const { name, description, unit, valueType } = descriptor;
  const points = dataPoints.map(({ attributes, value }) => {
    const { sum = 0, ...others } = value as Histogram;
    return { attributes, value: others, sum: sum.toFixed(9) };
  });
  return { ...rest, descriptor: { name, description, unit, valueType }, points };
}

const seconds = fc.oneof(fc.constantFrom(0, ...DURATION_BUCKETS), fc.double({ min: 0, max: 3, noNaN: true }));

describe.each([
  ['cumulative', CUMULATIVE],
  ['delta', DELTA],
])('a reader that wants %s histograms', (_name, temporality) => {
  test('is told what a histogram of the SDK would tell it, whatever was recorded between its questions', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(seconds, { maxLength: 20 }), { maxLength: 4 }), async (rounds) => {
        const { record, compare } = setUp(temporality);
        for (const round of rounds) {
          round.forEach(record);
          await compare();
        }
      }),
      { seed: 1 },
    );
  });
});

test('what one reader was told of is news to another', async () => {
  const durations = new Durations('work.duration', 'How long work takes');
  const readers = [DELTA, DELTA, CUMULATIVE].map((temporality) => producerOf([durations], VERSION, temporality));
  const counts = async (): Promise<unknown[]> => {
    const results = await Promise.all(readers.map((reader) => reader.collect()));
    return results.map(({ resourceMetrics }) => resourceMetrics.scopeMetrics[0]?.metrics[0]?.dataPoints[0]?.value);
  };
  durations.record(0.5);
  expect(await counts()).toMatchObject([{ count: 1 }, { count: 1 }, { count: 1 }]);
  durations.record(0.25);
  durations.record(0.125);
  expect(await counts()).toMatchObject([{ count: 2, sum: 0.375 }, { count: 2 }, { count: 3, sum: 0.875 }]);
});

test('times of a delta follow each other without a gap', async () => {
  const durations = new Durations('work.duration', 'How long work takes');
  const reader = producerOf([durations], VERSION, DELTA);
  const times = async () => {
    durations.record(1);
    const { resourceMetrics } = await reader.collect();
    return resourceMetrics.scopeMetrics[0]?.metrics[0]?.dataPoints[0];
  };
  const [first, second] = [await times(), await times()];
  expect(second?.startTime).toEqual(first?.endTime);
});
