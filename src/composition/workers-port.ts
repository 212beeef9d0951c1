/** The debug port of several workers: metrics are of all together, everything else is what one of them says of itself. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerMetrics } from '../observability/prometheus.ts';
import type { Clock } from '../ports/clock.ts';
import { answerText } from '../surfaces/debug/answer.ts';
import { DebugPort } from '../surfaces/debug/port.ts';
import { CollectedMetrics } from '../workers/collected-metrics.ts';
import type { Supervisor } from '../workers/supervisor.ts';

export class WorkersPort {
  readonly #supervisor: Supervisor;
  readonly #metrics: CollectedMetrics;
  readonly #page: CollectedMetrics;
  readonly #port = new DebugPort((path, request, response) => this.#answer(path, request, response));

  constructor(supervisor: Supervisor, clock: Clock) {
    this.#supervisor = supervisor;
    const collected = (question: 'metrics' | 'page'): CollectedMetrics => {
      const metrics = new CollectedMetrics({
        question,
        workers: () => supervisor.serving,
        restarts: () => supervisor.restarts,
        clock,
      });
      supervisor.onEnd((worker) => metrics.forget(worker));
      return metrics;
    };
    this.#metrics = collected('metrics');
    this.#page = collected('page');
  }

  /** @returns the port @throws ListenError */
  listen(port: number, host: string): Promise<number> {
    return this.#port.listen(port, host);
  }

  /** Of the statistics of envoyproxy/ratelimit, where Prometheus is served them. */
  pageText(): Promise<string> {
    return this.#page.text();
  }

  close(): void {
    this.#port.close();
  }

  /** The first worker, unless `?worker=` names another. */
  #answer(path: string, request: IncomingMessage, response: ServerResponse): void {
    const wanted = new URLSearchParams(request.url?.split('?', 2)[1]).get('worker');
    if (path === '/metrics' && wanted === null && (request.method === 'GET' || request.method === 'HEAD')) {
      answerMetrics(response, this.#metrics.text());
      return;
    }
    const { serving } = this.#supervisor;
    const worker = wanted === null ? serving[0] : serving.find(({ number }) => String(number) === wanted);
    if (worker === undefined)
      answerText(response, 503, `no such worker serves: ${serving.map((each) => each.number)}\n`);
    else worker.handOver(request.socket, headOf(request));
  }
}

/** The connection goes with the request: what comes next on it might be for somebody else. */
function headOf({ method, url }: IncomingMessage): string {
  return `${method} ${url} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`;
}
