/** `make bench`: rounds of all variants in alternating order, then one report. Fails if any answer was not what it had to be. */
import { existsSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { type Measurement, measure } from './measure.ts';
import { type Options, optionsOf, USAGE, UsageError } from './options.ts';
import { summarize, tablesOf } from './report.ts';
import { SPENT_EVERY } from './workload.ts';

// Beyond it, shared caches and cores make decisions dearer than they are.
const OTHERS_SHARE_MAX = 0.1;

async function main(args: readonly string[]): Promise<number> {
  const options = optionsOf(args);
  if (options === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (!existsSync(new URL('../dist/main.js', import.meta.url))) throw new UsageError('not built yet: run make build');
  process.stdout.write(`${headOf(options)}\n`);
  const rounds: Measurement[][] = [];
  for (let round = 0; round < options.rounds; round++) rounds.push(await runRound(round, options));
  const summaries = summarize(rounds, options.only);
  process.stdout.write(`\nmedian (min … max) of ${options.rounds} rounds\n\n${tablesOf(summaries)}`);
  const othersShare = Math.max(...rounds.flat().map((one) => one.othersShare));
  if (othersShare > OTHERS_SHARE_MAX) {
    process.stdout.write(
      `\nOther processes used up to ${(100 * othersShare).toFixed(0)} % of the machine: run again when it is quiet.\n`,
    );
  }
  if (options.json !== undefined) {
    const machine = { node: process.version, cores: cpus().length, cpu: cpus()[0]?.model };
    writeFileSync(options.json, `${JSON.stringify({ machine, options, rounds, summaries }, null, 2)}\n`);
  }
  return 0;
}

/** What runs first meets another machine than what runs last: every other round goes backwards. */
async function runRound(round: number, options: Options): Promise<Measurement[]> {
  const order = round % 2 === 0 ? options.only : options.only.toReversed();
  const measurements: Measurement[] = [];
  for (const variant of order) {
    const one = await measure(variant, options);
    measurements.push(one);
    const redis = one.redisCpuMicros === undefined ? '' : `, Redis ${one.redisCpuMicros.toFixed(1)} µs`;
    const cost = `service ${one.serviceCpuMicros.toFixed(1)} µs${redis}`;
    process.stdout.write(`round ${round + 1}: ${variant}: ${cost}, ${one.decisionsPerSecond.toFixed(0)}/s\n`);
  }
  return measurements;
}

function headOf({ rounds, seconds, inflight, connections, keys }: Options): string {
  return [
    `Node ${process.version}, ${cpus().length} cores, ${cpus()[0]?.model}`,
    `${rounds} rounds of ${seconds} s, ${inflight} calls in flight on ${connections} connections,`,
    `${keys} keys, two windows each, one request of ${SPENT_EVERY} denied (none by the yardstick)`,
  ].join('\n');
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof UsageError;
  process.stderr.write(`bench: ${(error as Error).message}\n${isUsage ? `\n${USAGE}` : ''}`);
  process.exit(isUsage ? 2 : 1);
}
