/** Rounds to tables: medians and ranges, each variant beside the yardsticks of its own round and load. */
import type { Measurement } from './measure.ts';
import { isUnder, nameOf, type Setup } from './plan.ts';
import { type Spread, spreadOf, table, written } from './spread.ts';
import { type Variant, YARDSTICK } from './variants.ts';

export type Round = readonly Measurement[];

/** @returns undefined where a measurement has no such figure */
export type Figure = (one: Measurement, round: Round) => number | undefined;

/** The service's CPU, Redis left out, as a multiple of the yardstick's. */
export const serviceRatio: Figure = (one, round) =>
  ratio(one.cpuMicros.service, beside(one, round, YARDSTICK)?.cpuMicros.service);

/** Redis's CPU, as a multiple of what the reference's counting costs it, whoever asks for that. */
export function redisRatioTo(yardstick: Variant): Figure {
  return (one, round) => ratio(one.cpuMicros.redis, beside(one, round, yardstick)?.cpuMicros.redis);
}

/** How much longer than most the slowest of a hundred wait. */
export const slowness: Figure = (one) => one.latencyMillis.p99 / one.latencyMillis.p50;

/** What a decision takes beyond a bare round trip to Redis. */
export const beyondRoundTripMicros: Figure = ({ latencyMillis, roundTripMillis }) =>
  roundTripMillis && 1_000 * (latencyMillis.p50 - roundTripMillis.get.p50);

/** What a decision takes beyond both its round trips: of the caller to a process, and of that one to Redis. */
export const beyondBothMicros: Figure = ({ latencyMillis, roundTripMillis: bare }) =>
  bare && 1_000 * (latencyMillis.p50 - bare.get.p50 - bare.echo.p50);

/** Over the rounds. */
export function over(rounds: readonly Round[], setup: Setup, figure: Figure): Spread | undefined {
  const name = nameOf(setup);
  return spreadOf(
    rounds.flatMap((round) => round.filter((one) => nameOf(one.setup) === name).map((one) => figure(one, round))),
  );
}

interface Column {
  readonly head: string;
  readonly figure: Figure;
  readonly digits: number;
}

const COST: readonly Column[] = [
  { head: 'service', figure: (one) => one.cpuMicros.service, digits: 1 },
  { head: 'Redis', figure: (one) => one.cpuMicros.redis, digits: 1 },
  { head: 'service ÷ yardstick', figure: serviceRatio, digits: 2 },
  { head: 'Redis ÷ grpc-js-incrby', figure: redisRatioTo('grpc-js-incrby'), digits: 2 },
  { head: 'Redis ÷ redis-incrby', figure: redisRatioTo('redis-incrby'), digits: 2 },
];

const SEEN: readonly Column[] = [
  { head: 'decisions/s', figure: (one) => one.answers / one.seconds, digits: 0 },
  { head: 'p50 ms', figure: (one) => one.latencyMillis.p50, digits: 2 },
  { head: 'p99 ms', figure: (one) => one.latencyMillis.p99, digits: 2 },
  { head: 'p99.9 ms', figure: (one) => one.latencyMillis.p999, digits: 2 },
  { head: 'p99 ÷ p50', figure: slowness, digits: 1 },
  { head: 'client CPU µs', figure: (one) => one.cpuMicros.client, digits: 1 },
  { head: 'others CPU %', figure: (one) => 100 * one.othersShare, digits: 0 },
];

const BESIDE: readonly Column[] = [
  { head: 'p50 µs', figure: (one) => 1_000 * one.latencyMillis.p50, digits: 0 },
  { head: 'GET p50 µs', figure: ({ roundTripMillis: bare }) => bare && 1_000 * bare.get.p50, digits: 0 },
  { head: 'echo p50 µs', figure: ({ roundTripMillis: bare }) => bare && 1_000 * bare.echo.p50, digits: 0 },
  { head: 'beyond the GET', figure: beyondRoundTripMicros, digits: 0 },
  { head: 'beyond both', figure: beyondBothMicros, digits: 0 },
];

/** Tables: the cost of a decision, what the client saw, and what one call alone takes beside bare round trips. */
export function tablesOf(rounds: readonly Round[], setups: readonly Setup[]): string {
  const alone = setups.filter((setup) => over(rounds, setup, beyondRoundTripMicros) !== undefined);
  return [
    tableOf('CPU µs per decision', COST, rounds, setups),
    tableOf('as the client sees it', SEEN, rounds, setups),
    ...(alone.length === 0 ? [] : [tableOf('beside bare round trips', BESIDE, rounds, alone)]),
  ].join('\n');
}

function tableOf(head: string, columns: readonly Column[], rounds: readonly Round[], setups: readonly Setup[]): string {
  const rows = setups.map((setup) => [
    nameOf(setup),
    ...columns.map(({ figure, digits }) => written(over(rounds, setup, figure), digits)),
  ]);
  return table([[head, ...columns.map((column) => column.head)], ...rows]);
}

/** Yardsticks have one worker, whatever they are compared with. */
function beside({ setup }: Measurement, round: Round, variant: Variant): Measurement | undefined {
  return round.find((other) => other.setup.variant === variant && isUnder(other.setup, setup));
}

function ratio(own: number | undefined, other: number | undefined): number | undefined {
  return own === undefined || other === undefined ? undefined : own / other;
}
