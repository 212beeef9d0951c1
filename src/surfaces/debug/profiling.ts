/** /debug/pprof/: what the process spends its time and memory on, told to this machine alone. One look at a time. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Session } from 'node:inspector/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { getHeapSnapshot } from 'node:v8';
import type { Clock } from '../../ports/clock.ts';
import { answerText } from './answer.ts';

// As Go's profiler. A profile has a sample a millisecond: a minute of them is some megabytes.
const SECONDS_DEFAULT = 30;
const SECONDS_MAX = 60;
// A heap of a gigabyte through a forwarded port. Beyond, whoever asked does not read, and the next one waits.
export const SENDING_MILLIS_MAX = 300_000;

export const PROFILING_INDEX = [
  `/debug/pprof/profile: a CPU profile (?seconds=1 to ${SECONDS_MAX}, ${SECONDS_DEFAULT} by default), a .cpuprofile`,
  '/debug/pprof/heap: a heap snapshot, a .heapsnapshot; the process stands still for it, and it holds every secret',
];

export class Profiling {
  readonly #clock: Pick<Clock, 'after'>;
  #busy = false;

  constructor(clock: Pick<Clock, 'after'>) {
    this.#clock = clock;
  }

  /** Answers `profile` and `heap`, and anything else with the list of them. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
    const what = pathname.slice('/debug/pprof/'.length);
    // HEAD would measure for nobody.
    if (request.method !== 'GET') return answerText(response, 405, 'method not allowed\n', { allow: 'GET' });
    if (what !== 'profile' && what !== 'heap') return answerText(response, 200, `${PROFILING_INDEX.join('\n')}\n`);
    const seconds = secondsOf(searchParams.get('seconds'));
    if (seconds === undefined) return answerText(response, 400, `seconds: expected 1 to ${SECONDS_MAX}\n`);
    if (this.#busy) return answerText(response, 429, 'another profile or snapshot is being taken\n');
    this.#busy = true;
    try {
      if (what === 'heap') await this.#send(response, 'headroom.heapsnapshot', getHeapSnapshot);
      else await this.#sendProfile(response, seconds);
    } catch (error) {
      // Who asked has gone, or the inspector will not: nothing else depends on it.
      if (response.headersSent) response.destroy();
      else answerText(response, 500, `${(error as Error).message}\n`);
    } finally {
      this.#busy = false;
    }
  }

  async #sendProfile(response: ServerResponse, seconds: number): Promise<void> {
    const session = new Session();
    session.connect();
    try {
      await session.post('Profiler.enable');
      await session.post('Profiler.start');
      await this.#whileOpen(response, seconds * 1_000);
      const { profile } = await session.post('Profiler.stop');
      await this.#send(response, 'headroom.cpuprofile', () => Readable.from([JSON.stringify(profile)]));
    } finally {
      session.disconnect();
    }
  }

  /** Within SENDING_MILLIS_MAX, or the connection ends. */
  async #send(response: ServerResponse, name: string, content: () => Readable): Promise<void> {
    response.writeHead(200, fileHeaders(name));
    const timer = this.#clock.after(SENDING_MILLIS_MAX, () => response.destroy());
    try {
      await pipeline(content(), response);
    } finally {
      timer.cancel();
    }
  }

  /** Nobody measures for one who has hung up. */
  #whileOpen(response: ServerResponse, millis: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(millis, resolve);
      response.once('close', () => {
        timer.cancel();
        resolve();
      });
    });
  }
}

function fileHeaders(name: string): Readonly<Record<string, string>> {
  return { 'content-type': 'application/json', 'content-disposition': `attachment; filename="${name}"` };
}

function secondsOf(text: string | null): number | undefined {
  if (text === null) return SECONDS_DEFAULT;
  const seconds = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  return seconds >= 1 && seconds <= SECONDS_MAX ? seconds : undefined;
}
