/** What the debug port answers for one process. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../ports/clock.ts';
import type { PolicySource } from '../../ports/policy-source.ts';
import { answerText } from './answer.ts';
import type { DebugAnswer } from './port.ts';
import { type ProcessStatsOptions, processStats } from './process-stats.ts';
import { PROFILING_INDEX, Profiling } from './profiling.ts';
import { limitLines } from './rlconfig.ts';

export interface DebugOptions extends ProcessStatsOptions {
  /** Writes the metrics in Prometheus's text format and ends the response. */
  readonly metrics: (request: IncomingMessage, response: ServerResponse) => void;
  readonly policies: PolicySource;
  readonly clock: Clock;
  /** Whether `/debug/pprof/` may be asked: it slows the process, and a heap snapshot holds its secrets. */
  readonly profiling: boolean;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

const INDEX = [
  '/debug/pprof/: CPU profiles and heap snapshots; off unless DEBUG_PROFILING is true',
  '/metrics: Prometheus metrics',
  '/rlconfig: the limits in force',
  '/stats: the process: version, uptime, memory',
];
const PROFILING_PATH = '/debug/pprof/';
// A policy may hold a hundred thousand limits: so many lines are one write.
const LINES_PER_CHUNK = 500;

/** Everything that a process tells of itself. */
export function debugAnswers(options: DebugOptions): DebugAnswer {
  const handlers = handlersOf(options);
  const profile = profileHandler(options);
  return (path, request, response) => {
    const handler = path.startsWith(PROFILING_PATH) ? profile : handlers.get(path);
    if (handler === undefined) return answerText(response, 200, `${INDEX.join('\n')}\n`);
    if (request.method === 'GET' || request.method === 'HEAD') return handler(request, response);
    return answerText(response, 405, 'method not allowed\n', { allow: 'GET, HEAD' });
  };
}

function handlersOf(options: DebugOptions): ReadonlyMap<string, Handler> {
  const stats = processStats(options);
  return new Map<string, Handler>([
    ['/metrics', options.metrics],
    ['/rlconfig', (_request, response) => sendLimits(response, options.policies)],
    [
      '/stats',
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(stats());
      },
    ],
  ]);
}

function profileHandler({ profiling, clock }: DebugOptions): Handler {
  if (!profiling) {
    const text = `profiling is off: DEBUG_PROFILING=true switches it on\n${PROFILING_INDEX.join('\n')}\n`;
    return (_request, response) => answerText(response, 403, text);
  }
  const profiler = new Profiling(clock);
  return (request, response) => profiler.answer(request, response);
}

async function sendLimits(response: ServerResponse, policies: PolicySource): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
  // Whoever hangs up in between has had enough.
  await pipeline(Readable.from(chunks(limitLines(policies.current() ?? new Map()))), response).catch(() => undefined);
}

function* chunks(lines: Iterable<string>): Generator<string> {
  let chunk: string[] = [];
  for (const line of lines) {
    chunk.push(line);
    if (chunk.length === LINES_PER_CHUNK) {
      yield chunk.join('');
      chunk = [];
    }
  }
  if (chunk.length > 0) yield chunk.join('');
}
