/** What a round measures: which variants under which load. */
import { TRAITS, VARIANTS, type Variant } from './variants.ts';

/** One row of the report. */
export interface Setup {
  readonly variant: Variant;
  readonly inflight: number;
  readonly connections: number;
  readonly workers: number;
}

export type Load = Pick<Setup, 'inflight' | 'connections'>;

/** What CPU is compared under. */
export const STANDARD: Load = { inflight: 64, connections: 4 };
/** Where every call waits behind all others. */
export const ONE_CONNECTION: Load = { inflight: 64, connections: 1 };
/** Where nothing waits. */
export const ALONE: Load = { inflight: 1, connections: 1 };

const INFLIGHTS = [1, 8, 64, 256];
const CONNECTIONS = [1, 4];

/** Lists whose product is measured; what is left out is the standard. */
export interface Chosen {
  readonly all: boolean;
  readonly only: readonly Variant[] | undefined;
  readonly inflights: readonly number[] | undefined;
  readonly connections: readonly number[] | undefined;
  readonly workers: readonly number[] | undefined;
}

/** What the checks need. */
const CHECKED: readonly Setup[] = [
  { variant: 'grpc-js-constant', ...STANDARD, workers: 1 },
  { variant: 'headroom-memory', ...STANDARD, workers: 1 },
  { variant: 'headroom-redis', ...STANDARD, workers: 1 },
  { variant: 'grpc-js-incrby', ...STANDARD, workers: 1 },
  { variant: 'redis-incrby', ...STANDARD, workers: 1 },
  { variant: 'headroom-redis', ...ONE_CONNECTION, workers: 1 },
  { variant: 'headroom-redis', ...ALONE, workers: 1 },
];

/** @returns every possible setup of the chosen ones, those of one load beside each other; of nothing chosen, what the checks need */
export function planOf({ all, only, inflights, connections, workers }: Chosen): readonly Setup[] {
  if (!all && only === undefined && inflights === undefined && connections === undefined && workers === undefined) {
    return CHECKED;
  }
  const variants = only ?? (all ? VARIANTS : CHECKED.map(({ variant }) => variant));
  const setups = (inflights ?? (all ? INFLIGHTS : [STANDARD.inflight])).flatMap((inflight) =>
    (connections ?? (all ? CONNECTIONS : [STANDARD.connections])).flatMap((some) =>
      [...new Set(variants)].flatMap((variant) =>
        (workers ?? [1]).map((count): Setup => ({ variant, inflight, connections: some, workers: count })),
      ),
    ),
  );
  return setups.filter(isPossible);
}

/** A connection without a call would be none; several processes count together only in Redis. */
function isPossible({ variant, inflight, connections, workers }: Setup): boolean {
  const { service, withRedis } = TRAITS[variant];
  return connections <= inflight && (workers === 1 || (service === 'headroom' && withRedis));
}

/** `headroom-redis, 64 on 4, 2 workers` */
export function nameOf({ variant, inflight, connections, workers }: Setup): string {
  return `${variant}, ${inflight} on ${connections}${workers === 1 ? '' : `, ${workers} workers`}`;
}

export function isUnder(setup: Setup, { inflight, connections }: Load): boolean {
  return setup.inflight === inflight && setup.connections === connections;
}
