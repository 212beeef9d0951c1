/** The client process: primes every key, warms up, measures, and prints what it measured. Fails at the first wrong answer. */
import { callsOf, eachOnce, OVER_LIMIT } from './calls.ts';
import { Load, type NextCall } from './load.ts';
import { MeasuredTime } from './measured-time.ts';
import { roundTripsOf } from './round-trips.ts';
import type { Measured, Task } from './task.ts';
import { drawsOf, keysOf } from './workload.ts';

// Every key is asked for once before anything is measured; with one call in flight that would take a while.
const PRIMING_INFLIGHT = 64;

async function main(task: Task): Promise<Measured> {
  const load = await Load.open(task);
  const calls = callsOf(keysOf(task.keys, task.registered), task.denies);
  await load.run(PRIMING_INFLIGHT, eachOnce(calls), () => undefined);

  const measured = new MeasuredTime(task.pids);
  const draw = drawsOf(task.keys, task.seed);
  measured.schedule(task.warmupSeconds, task.seconds);
  const next: NextCall = () => (measured.ended ? undefined : calls[draw()]);
  await load.run(task.inflight, next, (millis, code) => measured.add(millis, code === OVER_LIMIT));
  load.close();

  const result = measured.result();
  if (task.roundTripSeconds === 0 || task.redisSocket === undefined) return result;
  return { ...result, roundTripMillis: await roundTripsOf(task.redisSocket, task.roundTripSeconds) };
}

try {
  process.stdout.write(JSON.stringify(await main(JSON.parse(process.argv[2] as string) as Task)));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  // Calls may still be in flight; nobody waits for them.
  process.exit(1);
}
