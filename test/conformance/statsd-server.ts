/** A statsd server (lines over TCP) that adds up the counters it is sent. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export const FLUSH_MILLIS = 100;

export class StatsdServer {
  readonly #counters = new Map<string, number>();
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
      createInterface({ input: socket }).on('line', (line) => this.#add(line));
    });
  }

  static async start(): Promise<StatsdServer> {
    const statsd = new StatsdServer();
    statsd.#server.listen(0, '127.0.0.1');
    await once(statsd.#server, 'listening');
    return statsd;
  }

  /** What a service needs in its environment to report here. */
  get environment(): Record<string, string> {
    return {
      DISABLE_STATS: 'false',
      USE_STATSD: 'true',
      STATSD_HOST: '127.0.0.1',
      STATSD_PORT: String((this.#server.address() as AddressInfo).port),
      STATS_FLUSH_INTERVAL: `${FLUSH_MILLIS}ms`,
    };
  }

  /** The sum so far; 0 for a name that never came. */
  value(name: string): number {
    return this.#counters.get(name) ?? 0;
  }

  /** Every name that came, with its sum. */
  get counters(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counters);
  }

  /** Begins anew with sums of 0. */
  forget(): void {
    this.#counters.clear();
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  /** @param line `name:value|type`, the name possibly with tags after a `.__`; gauges and timers are not added up */
  #add(line: string): void {
    const colon = line.lastIndexOf(':');
    const [value, type] = line.slice(colon + 1).split('|');
    if (type === 'c') this.#counters.set(line.slice(0, colon), this.value(line.slice(0, colon)) + Number(value));
  }
}
