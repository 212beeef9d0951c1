/** The command line of the benchmark. */
import { parseArgs } from 'node:util';
import { planOf, type Setup, STANDARD } from './plan.ts';
import { VARIANTS, type Variant } from './variants.ts';
import { SPENT_EVERY } from './workload.ts';

export interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly keys: number;
  /** What each round measures. */
  readonly setups: readonly Setup[];
  /** Whether a check that fails is an error. */
  readonly check: boolean;
  /** Where everything that was measured goes as JSON. */
  readonly json: string | undefined;
}

export const USAGE = `usage: node bench/run.ts [options]

  Without --all, --only, --inflight, --connections or --workers: what the checks need.

  --all              every variant under every load, unless some are named
  --only A,B         variants of ${VARIANTS.join(', ')}
  --inflight N,M     calls in flight over all connections (${STANDARD.inflight})
  --connections N,M  connections (${STANDARD.connections})
  --workers N,M      processes of Headroom's that answer (1)
  --rounds N         each runs everything once, in the order opposite to the one before (5)
  --seconds N        measured each time, after the warm-up (3)
  --keys N           distinct API keys, a multiple of ${SPENT_EVERY} (10000)
  --check            fail when a figure is beyond its limit
  --json FILE        write all figures there, too
`;

/** A command line that makes no sense. */
export class UsageError extends Error {}

/** @returns undefined when help is asked for @throws UsageError */
export function optionsOf(args: readonly string[]): Options | undefined {
  const values = parse(args);
  if (values.help === true) return undefined;
  const keys = integer('keys', values.keys ?? '10000', 1_000_000);
  if (keys % SPENT_EVERY !== 0) throw new UsageError(`--keys must be a multiple of ${SPENT_EVERY}`);
  const setups = planOf({
    all: values.all === true,
    only: variantsOf(values.only),
    inflights: integers('inflight', values.inflight, 4_096),
    connections: integers('connections', values.connections, 256),
    workers: integers('workers', values.workers, 64),
  });
  if (setups.length === 0) throw new UsageError('nothing to measure: are there more --connections than --inflight?');
  return {
    rounds: integer('rounds', values.rounds ?? '5', 100),
    seconds: integer('seconds', values.seconds ?? '3', 600),
    keys,
    setups,
    check: values.check === true,
    json: values.json,
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        all: flag,
        only: text,
        inflight: text,
        connections: text,
        workers: text,
        rounds: text,
        seconds: text,
        keys: text,
        check: flag,
        json: text,
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function integer(name: string, text: string, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > max) throw new UsageError(`--${name}: expected an integer from 1 to ${max}, got '${text}'`);
  return value;
}

function integers(name: string, text: string | undefined, max: number): readonly number[] | undefined {
  return text === undefined ? undefined : [...new Set(text.split(','))].map((one) => integer(name, one, max));
}

function variantsOf(text: string | undefined): readonly Variant[] | undefined {
  if (text === undefined) return undefined;
  return text.split(',').map((name) => {
    const variant = VARIANTS.find((known) => known === name);
    if (variant === undefined) throw new UsageError(`--only: expected ${VARIANTS.join(', ')}, got '${name}'`);
    return variant;
  });
}
