/** The limits that the figures are held against. */
import { ALONE, type Load, ONE_CONNECTION, STANDARD } from './plan.ts';
import {
  beyondRoundTripMicros,
  type Figure,
  over,
  type Round,
  redisRatioTo,
  serviceRatio,
  slowness,
} from './report.ts';
import { type Spread, table, written } from './spread.ts';
import type { Variant } from './variants.ts';

interface Check {
  readonly name: string;
  readonly variant: Variant;
  readonly load: Load;
  readonly figure: Figure;
  readonly limit: number;
  readonly digits: number;
}

const CHECKS: readonly Check[] = [
  {
    name: 'service CPU ÷ grpc-js-constant, with Redis',
    variant: 'headroom-redis',
    load: STANDARD,
    figure: serviceRatio,
    limit: 0.25,
    digits: 3,
  },
  {
    name: 'service CPU ÷ grpc-js-constant, with memory counters',
    variant: 'headroom-memory',
    load: STANDARD,
    figure: serviceRatio,
    limit: 0.17,
    digits: 3,
  },
  {
    name: 'Redis CPU ÷ grpc-js-incrby',
    variant: 'headroom-redis',
    load: STANDARD,
    figure: redisRatioTo('grpc-js-incrby'),
    limit: 0.4,
    digits: 3,
  },
  {
    name: 'Redis CPU ÷ redis-incrby',
    variant: 'headroom-redis',
    load: STANDARD,
    figure: redisRatioTo('redis-incrby'),
    limit: 0.4,
    digits: 3,
  },
  {
    name: 'p99 ÷ p50, 64 in flight on one connection',
    variant: 'headroom-redis',
    load: ONE_CONNECTION,
    figure: slowness,
    limit: 3,
    digits: 2,
  },
  {
    name: 'p50 − bare round trip to Redis in µs, 1 in flight',
    variant: 'headroom-redis',
    load: ALONE,
    figure: beyondRoundTripMicros,
    limit: 100,
    digits: 0,
  },
];

export interface Outcome extends Check {
  /** Undefined when nothing was measured for it. */
  readonly measured: Spread | undefined;
}

export function outcomesOf(rounds: readonly Round[]): Outcome[] {
  return CHECKS.map((check) => {
    const setup = { variant: check.variant, ...check.load, workers: 1 };
    return { ...check, measured: over(rounds, setup, check.figure) };
  });
}

/** The median counts: on a machine that others use, a single round says little. */
export function fails({ measured, limit }: Outcome): boolean {
  return measured !== undefined && measured.median > limit;
}

export function outcomeTable(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map((outcome) => {
    const { name, limit, measured, digits } = outcome;
    const verdict = measured === undefined ? 'not measured' : fails(outcome) ? 'FAIL' : 'pass';
    return [name, `≤ ${limit}`, written(measured, digits), verdict];
  });
  return table([['check', 'limit', 'measured', ''], ...rows]);
}
