/** The client of a soak: full load for minutes, and beside it everything that may leave something behind. Fails at the first wrong answer. */
import { callsOf, eachOnce } from './calls.ts';
import { Connection } from './h2/connection.ts';
import { type Call, type Exchange, problemOf, statusOf } from './h2/exchange.ts';
import { Load, type NextCall } from './load.ts';
import type { SoakResult, SoakTask } from './soak-task.ts';
import { drawsOf, keysOf } from './workload.ts';

type Counts = { -readonly [Name in keyof SoakResult]: number };

const INFLIGHT = 64;
const CONNECTIONS = 4;
// Each second one comes; every other one leaves while calls are in flight.
const VISIT_CALLS = 100;
const VISIT_INFLIGHT = 10;
// Each second so many are given up, and so many have little time.
const UNSTEADY_CALLS = 20;
/**
 * Milliseconds: most are too late on arrival. Those four of a second that reach the store may be too late for it, too; five at
 * once would be an outage to the breaker, and everybody would hear of it.
 */
const HURRIED_TIMEOUTS = ['1m', '1m', '1m', '1m', '20m'];
/** DEADLINE_EXCEEDED, and UNAVAILABLE where the store was not given enough of it. */
const LATE_STATUSES = new Set(['4', '14']);

async function main({ port, keys, seconds }: SoakTask): Promise<SoakResult> {
  const calls = callsOf(keysOf(keys, 'none'), true);
  const load = await Load.open({ port, connections: CONNECTIONS });
  await load.run(INFLIGHT, eachOnce(calls), () => undefined);

  const draw = drawsOf(keys, 1);
  const drawn = (): Call => calls[draw()] as Call;
  const until = performance.now() + seconds * 1_000;
  const counts: Counts = { answers: 0, visits: 0, cancelled: 0, hurried: 0, inTime: 0 };
  const next: NextCall = () => (performance.now() < until ? drawn() : undefined);
  const steady = load.run(INFLIGHT, next, () => {
    counts.answers += 1;
  });
  const unsteady = await openUnsteady(port, drawn, counts);
  const ticks = everySecond(until, async () => {
    unsteady.tick();
    counts.visits += 1;
    await visit(port, drawn, counts.visits % 2 === 0);
  });
  await Promise.all([steady, ticks]);
  unsteady.close();
  load.close();
  return counts;
}

/** Not more often, even when a tick takes longer than a second. */
async function everySecond(until: number, tick: () => Promise<void>): Promise<void> {
  while (performance.now() < until) {
    const from = performance.now();
    await tick();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, from + 1_000 - performance.now())));
  }
}

/** @param isAbrupt whether it ends with calls in flight */
async function visit(port: number, drawn: () => Call, isAbrupt: boolean): Promise<void> {
  const load = await Load.open({ port, connections: 1 });
  let asked = 0;
  const next: NextCall = () => (isAbrupt || asked++ < VISIT_CALLS ? drawn() : undefined);
  await new Promise<void>((resolve, reject) => {
    let answers = 0;
    const onAnswer = (): void => {
      answers += 1;
      if (answers === VISIT_CALLS) resolve();
    };
    load.run(VISIT_INFLIGHT, next, onAnswer).catch(reject);
  });
  load.close();
}

interface Unsteady {
  tick(): void;
  close(): void;
}

/** Gives calls up, and sets deadlines that are hard to keep. */
async function openUnsteady(port: number, drawn: () => Call, counts: Counts): Promise<Unsteady> {
  const connection = await Connection.open(port);
  connection.listen({
    onEnd: (exchange) => {
      const problem = exchange.call.timeout === undefined ? problemOf(exchange) : problemOfHurried(exchange);
      if (problem !== undefined) throw new Error(problem);
      if (exchange.call.timeout !== undefined && statusOf(exchange) === '0') counts.inTime += 1;
    },
    onFailure: fail,
  });
  // The first call on a connection cannot have a deadline of its own.
  connection.ask(drawn());
  const cancel = (): void => {
    if (connection.cancelOldest()) counts.cancelled += 1;
  };
  const tick = (): void => {
    for (let number = 0; number < UNSTEADY_CALLS; number++) {
      connection.ask(drawn());
      // Before the service has seen it, or while it decides.
      if (number % 2 === 0) cancel();
      else setImmediate(cancel);
      connection.ask({ ...drawn(), timeout: HURRIED_TIMEOUTS[number % HURRIED_TIMEOUTS.length] as string });
      counts.hurried += 1;
    }
  };
  return { tick, close: () => connection.close() };
}

function problemOfHurried(exchange: Exchange): string | undefined {
  const status = statusOf(exchange);
  if (status === '0') return problemOf(exchange);
  return LATE_STATUSES.has(status ?? '') ? undefined : `a call with a deadline ended with gRPC status ${status}`;
}

function fail(error: Error): never {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

try {
  process.stdout.write(JSON.stringify(await main(JSON.parse(process.argv[2] as string) as SoakTask)));
} catch (error) {
  fail(error as Error);
}
