/** Collectors of statistics on real sockets, which add up what they get. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** What came in, line by line. */
export class Received {
  readonly lines: string[] = [];

  /** The sum of the counters of this name; lines are `name:value|c`, and tags may follow. */
  sum(name: string): number {
    return this.#valuesOf(name, 'c').reduce((sum, value) => sum + value, 0);
  }

  /** Every counter by its sum. */
  sums(): Record<string, number> {
    const sums: Record<string, number> = {};
    for (const line of this.lines) {
      const { name, value, type, tags } = parsed(line);
      if (type === 'c') sums[`${name}${tags}`] = (sums[`${name}${tags}`] ?? 0) + value;
    }
    return sums;
  }

  timers(name: string): number[] {
    return this.#valuesOf(name, 'ms');
  }

  #valuesOf(name: string, type: string): number[] {
    return this.lines
      .map(parsed)
      .filter((line) => line.name === name && line.type === type)
      .map(({ value }) => value);
  }
}

/** @throws for what is no line of statsd */
export function parsed(line: string) {
  const match = /^([^:|\n]+):(-?\d+(?:\.\d+)?)\|(c|g|ms)(?:\|@(0\.\d+))?((?:\|#.*)?)$/.exec(line);
  if (!match) throw new Error(`no line of statsd: ${JSON.stringify(line)}`);
  const [, name = '', value = '', type = '', rate = '1', tags = ''] = match;
  return { name, value: Number(value), type, rate: Number(rate), tags };
}

export class TcpCollector extends Received {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  connections = 0;
  port = 0;

  /** @param reads false: connections are accepted, and nothing is ever read */
  constructor(reads = true) {
    super();
    this.#server = createServer({ pauseOnConnect: !reads }, (socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      if (!reads) return;
      let pending = '';
      socket.setEncoding('utf8');
      socket.on('data', (chunk: string) => {
        const lines = (pending + chunk).split('\n');
        pending = lines.pop() as string;
        this.lines.push(...lines);
      });
    });
  }

  async listen(port = 0): Promise<this> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export class UdpCollector extends Received {
  readonly #socket: UdpSocket = createSocket({ type: 'udp4', recvBufferSize: 8 * 1_024 * 1_024 });
  readonly datagramBytes: number[] = [];
  port = 0;

  async listen(port = 0): Promise<this> {
    this.#socket.on('message', (bytes) => {
      this.datagramBytes.push(bytes.length);
      this.lines.push(...bytes.toString('utf8').replace(/\n$/, '').split('\n'));
    });
    this.#socket.bind(port, '127.0.0.1');
    await once(this.#socket, 'listening');
    this.port = this.#socket.address().port;
    return this;
  }

  async close(): Promise<void> {
    this.#socket.close();
    await once(this.#socket, 'close');
  }
}
