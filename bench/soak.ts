/** `make soak`: minutes of full load, and what they leave behind: memory that grows, file descriptors that stay, wrong answers. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { lastLineOf, start } from './processes.ts';
import type { SoakResult, SoakTask } from './soak-task.ts';
import { type RunningVariant, startVariant } from './variants.ts';

const USAGE = 'usage: node bench/soak.ts [minutes], from 1 to 1440 (10)\n';
const MINUTES = 10;
const MINUTES_MAX = 1_440;
const KEYS = 10_000;

// One small object that every decision left behind would be a hundred times as much. A heap that breathes is less, over ten minutes.
const RSS_SLOPE_MAX_MIB_PER_MINUTE = 1;
// In less, a heap that breathes makes any slope.
const SLOPE_MINUTES_MIN = 5;
// The first third is the compiler's and the heap's that finds its size.
const SETTLED_FROM = 1 / 3;
const SAMPLE_MILLIS = 1_000;
// A debug port that takes longer answers nobody.
const SAMPLE_MILLIS_MAX = 30_000;
// The service closes what its peers have closed within a turn or two.
const CLOSING_MILLIS_MAX = 10_000;
// For starting, and for asking for every key once.
const SPARE_MILLIS = 60_000;
const MIB = 2 ** 20;
// The stack of a crash.
const OUTPUT_SHOWN = 2_000;
// Else V8 takes as much as the machine has before it collects garbage in earnest, and that looks like a leak. A leak fills this, too, and fails.
const HEAP_LIMIT = '--max-old-space-size=128';

const CLIENT = fileURLToPath(new URL('./soak-client.ts', import.meta.url));

interface Sample {
  readonly minutes: number;
  readonly rssMib: number;
  readonly heapMib: number;
  readonly fds: number;
}

async function main([text = String(MINUTES)]: readonly string[]): Promise<number> {
  const minutes = Number(text);
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > MINUTES_MAX) throw new Error(USAGE);
  const running = await startVariant('headroom-redis', { keys: KEYS, workers: 1, nodeArgs: [HEAP_LIMIT] });
  try {
    const first = await sampleOf(running, 0);
    const samples: Sample[] = [];
    const result = await load(running, minutes, samples);
    const fdsLeft = await fdsWhenClosed(running, first.fds);
    const problems = [
      ...(minutes < SLOPE_MINUTES_MIN ? [] : growthOf(samples)),
      ...(fdsLeft <= first.fds ? [] : [`${fdsLeft - first.fds} file descriptors stay open`]),
      ...(await countingProblems(running)),
    ];
    print(result, first, samples, fdsLeft);
    for (const problem of problems) process.stdout.write(`FAIL: ${problem}\n`);
    return problems.length === 0 ? 0 : 1;
  } catch (error) {
    const message = `${(error as Error).message}; what the service wrote last:\n${running.output().slice(-OUTPUT_SHOWN)}`;
    throw new Error(message, { cause: error });
  } finally {
    await running.stop();
  }
}

/** Settles when the client has ended. @param samples is filled meanwhile */
async function load(running: RunningVariant, minutes: number, samples: Sample[]): Promise<SoakResult> {
  const task: SoakTask = { port: running.port, keys: KEYS, seconds: minutes * 60 };
  const from = performance.now();
  const client = start(process.execPath, [CLIENT, JSON.stringify(task)]);
  let isOver = false;
  const line = lastLineOf(client, task.seconds * 1_000 + SPARE_MILLIS).finally(() => {
    isOver = true;
  });
  // What went wrong with the client says more than that the service could not be sampled any more.
  const sampled = (async () => {
    while (!isOver) {
      samples.push(await sampleOf(running, (performance.now() - from) / 60_000));
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MILLIS));
    }
  })();
  const [ended, sampling] = await Promise.allSettled([line, sampled]);
  if (ended.status === 'rejected') throw ended.reason;
  if (sampling.status === 'rejected') throw sampling.reason;
  return JSON.parse(ended.value) as SoakResult;
}

async function sampleOf({ servicePid, debugPort }: RunningVariant, minutes: number): Promise<Sample> {
  const status = readFileSync(`/proc/${servicePid}/status`, 'utf8');
  const rssKib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  const response = await fetch(`http://127.0.0.1:${debugPort}/stats`, {
    headers: { connection: 'close' },
    signal: AbortSignal.timeout(SAMPLE_MILLIS_MAX),
  });
  const { memory_bytes } = (await response.json()) as { memory_bytes: { heapUsed: number } };
  return { minutes, rssMib: rssKib / 1_024, heapMib: memory_bytes.heapUsed / MIB, fds: fdsOf(servicePid) };
}

function fdsOf(pid: number | undefined): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** @returns how many there are once they are no more than before, or when it is clear that they stay */
async function fdsWhenClosed({ servicePid }: RunningVariant, before: number): Promise<number> {
  const until = performance.now() + CLOSING_MILLIS_MAX;
  while (fdsOf(servicePid) > before && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MILLIS));
  }
  return fdsOf(servicePid);
}

function growthOf(samples: readonly Sample[]): string[] {
  const slope = slopeOf(settled(samples), (sample) => sample.rssMib);
  return slope <= RSS_SLOPE_MAX_MIB_PER_MINUTE ? [] : [`memory grows by ${slope.toFixed(2)} MiB a minute`];
}

async function countingProblems(running: RunningVariant): Promise<string[]> {
  const subjects = await running.subjects();
  return subjects === KEYS ? [] : [`Redis holds ${subjects} subjects for ${KEYS} keys`];
}

function settled(samples: readonly Sample[]): readonly Sample[] {
  return samples.slice(Math.floor(samples.length * SETTLED_FROM));
}

/** By least squares, per minute. */
function slopeOf(samples: readonly Sample[], figure: (sample: Sample) => number): number {
  const count = samples.length;
  const meanMinutes = samples.reduce((sum, { minutes }) => sum + minutes, 0) / count;
  const mean = samples.reduce((sum, sample) => sum + figure(sample), 0) / count;
  const rise = samples.reduce((sum, sample) => sum + (sample.minutes - meanMinutes) * (figure(sample) - mean), 0);
  return rise / samples.reduce((sum, { minutes }) => sum + (minutes - meanMinutes) ** 2, 0);
}

function print(result: SoakResult, before: Sample, samples: readonly Sample[], fdsLeft: number): void {
  const [from, to] = [settled(samples)[0], samples.at(-1)];
  if (from === undefined || to === undefined) throw new Error('nothing was sampled');
  const { answers, visits, cancelled, hurried, inTime } = result;
  const slope = slopeOf(settled(samples), (sample) => sample.rssMib);
  const third = Math.ceil(samples.length / 3);
  const leastHeaps = [0, 1, 2]
    .map((number) => samples.slice(number * third, (number + 1) * third))
    .map((some) => Math.min(...some.map(({ heapMib }) => heapMib)).toFixed(0));
  process.stdout.write(
    [
      `${answers} answers as they had to be in ${to.minutes.toFixed(1)} minutes,`,
      `${visits} connections that came and went, ${cancelled} calls given up,`,
      `${hurried} with few milliseconds to answer, of which ${inTime} were answered`,
      `resident memory, last two thirds: ${from.rssMib.toFixed(0)} to ${to.rssMib.toFixed(0)} MiB, ${slope.toFixed(2)} MiB a minute`,
      `heap in use, the least of each third: ${leastHeaps.join(', ')} MiB`,
      `file descriptors: ${before.fds} before, at most ${Math.max(...samples.map(({ fds }) => fds))}, ${fdsLeft} after`,
      '',
    ].join('\n'),
  );
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench/soak: ${(error as Error).message}\n`);
  process.exit(1);
}
