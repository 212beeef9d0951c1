/** Rounds to figures: medians and ranges, and each variant beside the yardstick of its own round. */
import type { Measurement } from './measure.ts';
import { type Variant, YARDSTICK } from './variants.ts';

/** Over the rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Summary {
  readonly variant: Variant;
  readonly serviceCpuMicros: Spread;
  readonly redisCpuMicros: Spread | undefined;
  /** The service's CPU, Redis left out, as a multiple of the yardstick's in the same round; undefined without yardstick. */
  readonly ratio: Spread | undefined;
  readonly decisionsPerSecond: Spread;
  readonly p50Millis: Spread;
  readonly p99Millis: Spread;
  readonly p999Millis: Spread;
  readonly clientCpuMicros: Spread;
  readonly othersShare: Spread;
}

type Round = readonly Measurement[];

export function summarize(rounds: readonly Round[], variants: readonly Variant[]): Summary[] {
  return variants.map((variant) => {
    const found = rounds.flatMap((round) => round.filter((one) => one.variant === variant));
    const of = (figure: (one: Measurement) => number | undefined) => spreadOf(found.map(figure));
    const always = (figure: (one: Measurement) => number) => spreadOf(found.map(figure)) as Spread;
    return {
      variant,
      serviceCpuMicros: always((one) => one.serviceCpuMicros),
      redisCpuMicros: of((one) => one.redisCpuMicros),
      ratio: spreadOf(rounds.map((round) => ratioIn(round, variant))),
      decisionsPerSecond: always((one) => one.decisionsPerSecond),
      p50Millis: always((one) => one.p50Millis),
      p99Millis: always((one) => one.p99Millis),
      p999Millis: always((one) => one.p999Millis),
      clientCpuMicros: always((one) => one.clientCpuMicros),
      othersShare: always((one) => one.othersShare),
    };
  });
}

/** Two tables, in Markdown so that they can be pasted: the cost of a decision, and what the client saw. */
export function tablesOf(summaries: readonly Summary[]): string {
  const cost = summaries.map((one) => [
    one.variant,
    written(one.serviceCpuMicros, 1),
    written(one.redisCpuMicros, 1),
    written(one.ratio, 2),
  ]);
  const seen = summaries.map((one) => [
    one.variant,
    written(one.decisionsPerSecond, 0),
    written(one.p50Millis, 1),
    written(one.p99Millis, 1),
    written(one.p999Millis, 1),
    written(one.clientCpuMicros, 1),
    written(
      mapped(one.othersShare, (share) => share * 100),
      0,
    ),
  ]);
  const costHead = ['CPU µs per decision', 'service', 'Redis', 'service ÷ yardstick'];
  const seenHead = [
    'as the client sees it',
    'decisions/s',
    'p50 ms',
    'p99 ms',
    'p99.9 ms',
    'client CPU µs',
    'others CPU %',
  ];
  return `${table([costHead, ...cost])}\n\n${table([seenHead, ...seen])}\n`;
}

function ratioIn(round: Round, variant: Variant): number | undefined {
  const own = round.find((one) => one.variant === variant);
  const yardstick = round.find((one) => one.variant === YARDSTICK);
  return own && yardstick && own.serviceCpuMicros / yardstick.serviceCpuMicros;
}

function spreadOf(values: readonly (number | undefined)[]): Spread | undefined {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (low === undefined || high === undefined || min === undefined || max === undefined) return undefined;
  return { median: (low + high) / 2, min, max };
}

function mapped({ median, min, max }: Spread, change: (value: number) => number): Spread {
  return { median: change(median), min: change(min), max: change(max) };
}

/** `12.3 (11.9 … 14.0)` */
function written(spread: Spread | undefined, digits: number): string {
  if (spread === undefined) return '–';
  const [median, min, max] = [spread.median, spread.min, spread.max].map((value) => value.toFixed(digits));
  return `${median} (${min} … ${max})`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = rows;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}
