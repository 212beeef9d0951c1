/** `make bench`: rounds of all setups in alternating order, then one report. Fails if any answer was not what it had to be. */
import { existsSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fails, outcomesOf, outcomeTable } from './checks.ts';
import { type Measurement, measure } from './measure.ts';
import { type Options, optionsOf, USAGE, UsageError } from './options.ts';
import { nameOf } from './plan.ts';
import { type Round, tablesOf } from './report.ts';
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
  const rounds: Round[] = [];
  for (let number = 1; number <= options.rounds; number++) rounds.push(await runRound(number, options));
  process.stdout.write(`\nmedian (min … max) of ${options.rounds} rounds\n\n${tablesOf(rounds, options.setups)}`);
  warnOfOthers(rounds);
  const outcomes = outcomesOf(rounds);
  if (outcomes.some(({ measured }) => measured !== undefined)) process.stdout.write(`\n${outcomeTable(outcomes)}`);
  if (options.json !== undefined) {
    const machine = { node: process.version, cores: cpus().length, cpu: cpus()[0]?.model };
    writeFileSync(options.json, `${JSON.stringify({ machine, options, rounds, checks: outcomes }, null, 2)}\n`);
  }
  return options.check && outcomes.some(fails) ? 1 : 0;
}

/** What runs first meets another machine than what runs last: every other round goes backwards. */
async function runRound(number: number, { setups, seconds, keys }: Options): Promise<Round> {
  const measurements: Measurement[] = [];
  for (const setup of number % 2 === 1 ? setups : setups.toReversed()) {
    const one = await measure(setup, { seconds, keys });
    measurements.push(one);
    const { service, redis } = one.cpuMicros;
    const costs = [service && `service ${service.toFixed(1)} µs`, redis && `Redis ${redis.toFixed(1)} µs`];
    const cost = costs.filter((text) => text !== undefined).join(', ');
    process.stdout.write(`round ${number}: ${nameOf(setup)}: ${cost}, ${(one.answers / one.seconds).toFixed(0)}/s\n`);
  }
  return measurements;
}

function warnOfOthers(rounds: readonly Round[]): void {
  const othersShare = Math.max(...rounds.flat().map((one) => one.othersShare));
  if (othersShare <= OTHERS_SHARE_MAX) return;
  const percent = (100 * othersShare).toFixed(0);
  process.stdout.write(`\nOther processes used up to ${percent} % of the machine: run again when it is quiet.\n`);
}

function headOf({ rounds, seconds, keys }: Options): string {
  return [
    `Node ${process.version}, ${cpus().length} cores, ${cpus()[0]?.model}`,
    `${rounds} rounds of ${seconds} s; "64 on 4" are 64 calls in flight on 4 connections;`,
    `${keys} keys, two windows each, one request of ${SPENT_EVERY} denied (none by grpc-js-constant)`,
  ].join('\n');
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof UsageError;
  process.stderr.write(`bench: ${(error as Error).message}\n${isUsage ? `\n${USAGE}` : ''}`);
  process.exit(isUsage ? 2 : 1);
}
