/** The command line of the benchmark. */
import { parseArgs } from 'node:util';
import { VARIANTS, type Variant } from './variants.ts';
import { SPENT_EVERY } from './workload.ts';

export interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly inflight: number;
  readonly connections: number;
  readonly keys: number;
  readonly only: readonly Variant[];
  /** Where everything that was measured goes as JSON. */
  readonly json: string | undefined;
}

export const USAGE = `usage: node bench/run.ts [options]

  --rounds N       rounds; each runs every variant once, in the order opposite to the one before (5)
  --seconds N      measured per variant and round, after the warm-up (4)
  --inflight N     calls in flight over all connections (64)
  --connections N  connections (4)
  --keys N         distinct API keys, a multiple of ${SPENT_EVERY} (10000)
  --only A,B       of ${VARIANTS.join(', ')} (all)
  --json FILE      write all figures there, too
`;

/** A command line that makes no sense. */
export class UsageError extends Error {}

/** @returns undefined when help is asked for @throws UsageError */
export function optionsOf(args: readonly string[]): Options | undefined {
  const values = parse(args);
  if (values.help === true) return undefined;
  const keys = integer('keys', values.keys, 10_000, 1_000_000);
  if (keys % SPENT_EVERY !== 0) throw new UsageError(`--keys must be a multiple of ${SPENT_EVERY}`);
  const inflight = integer('inflight', values.inflight, 64, 4_096);
  const connections = integer('connections', values.connections, 4, 256);
  if (connections > inflight) throw new UsageError('--connections cannot exceed --inflight');
  return {
    rounds: integer('rounds', values.rounds, 5, 100),
    seconds: integer('seconds', values.seconds, 4, 600),
    inflight,
    connections,
    keys,
    only: variantsOf(values.only),
    json: values.json,
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        rounds: text,
        seconds: text,
        inflight: text,
        connections: text,
        keys: text,
        only: text,
        json: text,
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function integer(name: string, text: string | undefined, fallback: number, max: number): number {
  if (text === undefined) return fallback;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > max) throw new UsageError(`--${name}: expected an integer from 1 to ${max}, got '${text}'`);
  return value;
}

function variantsOf(text: string | undefined): readonly Variant[] {
  if (text === undefined) return VARIANTS;
  return [...new Set(text.split(','))].map((name) => {
    const variant = VARIANTS.find((known) => known === name);
    if (variant === undefined) throw new UsageError(`--only: expected ${VARIANTS.join(', ')}, got '${name}'`);
    return variant;
  });
}
