/** One of several processes that share the ports: it serves until its supervisor says otherwise, and reports to it. */
import type { Page, PageOptions } from '../observability/stats/prometheus-page.ts';
import { SupervisorLink } from '../workers/supervisor-link.ts';
import { errorText } from './error-text.ts';
import type { ServeParts } from './serve.ts';
import { type Service, startService } from './service.ts';

export interface WorkerParts extends ServeParts {
  readonly worker: number;
}

/** @returns the exit code. Errors are told to the supervisor, who tells the operator. */
export async function serveAsWorker(parts: WorkerParts): Promise<number> {
  // A terminal, or systemd, signals every process of a group. In which order they leave is the supervisor's matter.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
  const link = new SupervisorLink();
  const page = new SummedPage();
  if (!(await link.begun)) return 0;
  let service: Service;
  try {
    const onGiveUp = (error: Error): void => link.gaveUp(errorText(error));
    service = await startService({ ...parts, onGiveUp, openPage: page.open });
  } catch (error) {
    await link.failed(errorText(error));
    return 1;
  }
  const { server, telemetry } = service;
  const { httpPort, grpcPort } = server;
  const ports = { httpPort, grpcPort };
  link.serving(ports, {
    answers: {
      leave() {
        server.leave();
        return '';
      },
      metrics: () => telemetry.prometheus.text(),
      page: () => page.text(),
    },
    debug: (socket, head) => server.debug.take(socket, head),
  });
  await link.stopped;
  await server.stop();
  return 0;
}

/** The page of Prometheus has its port at the supervisor, who adds up those of all workers. */
class SummedPage {
  #text: PageOptions['text'] = () => Promise.resolve('');

  readonly open = async ({ text }: PageOptions): Promise<Page> => {
    this.#text = text;
    return { port: 0, close: () => Promise.resolve() };
  };

  text(): Promise<string> {
    return this.#text();
  }
}
