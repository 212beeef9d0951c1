/** Where the service's CPU time goes: one run under V8's sampling profiler, self time by module and by function. Of several setups the first. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Measurement, measure } from './measure.ts';
import { optionsOf, USAGE, UsageError } from './options.ts';
import { nameOf as setupName } from './plan.ts';
import { TRAITS } from './variants.ts';

/** The part of a .cpuprofile that is read here; times are in microseconds. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { functionName: string; url: string; lineNumber: number };
  }[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface SelfTime {
  readonly name: string;
  micros: number;
}

const IDLE = '(idle)';

// Shorter lists hide where the time goes, longer ones hide it, too.
const MODULES_SHOWN = 16;
const FUNCTIONS_SHOWN = 25;
const OWN_FUNCTIONS_SHOWN = 12;

async function main(args: readonly string[]): Promise<void> {
  // Of options that come twice the last counts.
  const options = optionsOf(['--only', 'headroom-redis', ...args]);
  if (options === undefined) {
    process.stdout.write(USAGE.replace('bench/run.ts', 'bench/profile.ts'));
    return;
  }
  const [setup] = options.setups;
  if (setup === undefined || TRAITS[setup.variant].service === 'none') throw new UsageError('no service to profile');
  const folder = mkdtempSync(join(tmpdir(), 'headroom-profile-'));
  process.once('exit', () => rmSync(folder, { recursive: true }));
  const measurement = await measure(setup, { ...options, nodeArgs: ['--cpu-prof', '--cpu-prof-dir', folder] });
  const [file] = readdirSync(folder);
  if (file === undefined) throw new Error('the service left no profile');
  const profile = JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile;
  const perDecision = 1 / measurement.answers;
  process.stdout.write(`${setupName(setup)}: µs of the main thread per decision, self time, profiler included\n\n`);
  process.stdout.write(`${listOf(selfTimes(profile, measurement, moduleOf), MODULES_SHOWN, perDecision)}\n`);
  process.stdout.write(`${listOf(selfTimes(profile, measurement, functionOf), FUNCTIONS_SHOWN, perDecision)}\n`);
  process.stdout.write(listOf(selfTimes(profile, measurement, ownFunctionOf), OWN_FUNCTIONS_SHOWN, perDecision));
}

type CallFrame = CpuProfile['nodes'][number]['callFrame'];
/** @returns undefined for what is to be left out */
type NameOf = (frame: CallFrame) => string | undefined;

/** Of the measured time alone: the profiler and process.hrtime read the same monotonic clock. */
function selfTimes(profile: CpuProfile, measured: Measurement, nameOf: NameOf): SelfTime[] {
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map<string, SelfTime>();
  let at = profile.startTime;
  profile.samples.forEach((id, index) => {
    // A delta leads from the sample before to this one, so this sample stands for the delta that follows.
    at += profile.timeDeltas[index] ?? 0;
    if (at < measured.fromMicros || at > measured.toMicros) return;
    const name = names.get(id);
    if (name === undefined) return;
    const time = times.get(name) ?? { name, micros: 0 };
    time.micros += profile.timeDeltas[index + 1] ?? 0;
    times.set(name, time);
  });
  return [...times.values()].sort((a, b) => b.micros - a.micros);
}

/** A package, a folder of Headroom's own, a part of Node, or V8's own word for what is no JavaScript. */
function moduleOf({ functionName, url }: CallFrame): string | undefined {
  if (functionName === IDLE) return undefined;
  const dependency = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url);
  if (dependency) return dependency[1] as string;
  const own = /\/dist\/(?:((?:adapters|surfaces)\/[^/]+)|([^/]+))\//.exec(url);
  if (own) return `headroom ${own[1] ?? own[2]}`;
  if (url.startsWith('node:')) return url.split('/').slice(0, 2).join('/');
  return url === '' && functionName.startsWith('(') ? functionName : '(built-in functions)';
}

function functionOf({ functionName, url, lineNumber }: CallFrame): string | undefined {
  if (functionName === IDLE) return undefined;
  if (url === '') return functionName || '(anonymous)';
  const place = url.replace(/^.*\/node_modules\/|^.*?\/dist\//, '');
  return `${functionName || '(anonymous)'} ${place}:${lineNumber + 1}`;
}

function ownFunctionOf(frame: CallFrame): string | undefined {
  return moduleOf(frame)?.startsWith('headroom ') ? functionOf(frame) : undefined;
}

function listOf(times: readonly SelfTime[], shown: number, perDecision: number): string {
  const total = times.reduce((sum, { micros }) => sum + micros, 0);
  const rest = times.slice(shown).reduce((sum, { micros }) => sum + micros, 0);
  const rows = [...times.slice(0, shown), { name: 'everything else', micros: rest }, { name: 'total', micros: total }];
  return rows
    .map(({ name, micros }) => {
      const share = `${((100 * micros) / total).toFixed(1)} %`.padStart(8);
      return `${(micros * perDecision).toFixed(1).padStart(8)} µs ${share}  ${name}\n`;
    })
    .join('');
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n`);
  process.exit(1);
}
