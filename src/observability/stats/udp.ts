/** Lines to a collector over UDP: many in a datagram, a bounded number of datagrams under way. */
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type Batch, Batcher } from './batch.ts';
import { CLOSE_MILLIS_MAX, type Transport, type TransportOptions, WAITING_BYTES_MAX } from './transport.ts';

// An Ethernet frame less the headers of IP, UDP and a tunnel: what is longer is sent in pieces, of which none may be lost.
const DATAGRAM_BYTES_MAX = 1_432;
// The socket takes them at once as long as the machine sends; Node keeps each until then.
const UNDER_WAY_MAX = 64;

interface Target {
  readonly address: string;
  readonly family: 4 | 6;
}

export class UdpTransport implements Transport {
  readonly #options: TransportOptions;
  readonly #batcher = new Batcher(DATAGRAM_BYTES_MAX, (batch) => this.#post(batch));
  readonly #waiting: Batch[] = [];
  readonly #sockets = new Map<4 | 6, Socket>();
  #waitingBytes = 0;
  #underWay = 0;
  #target: Target | undefined;
  #resolving = false;
  #onIdle: (() => void) | undefined;

  constructor(options: TransportOptions) {
    this.#options = options;
    const family = isIP(options.host);
    if (family !== 0) this.#target = { address: options.host, family: family as 4 | 6 };
  }

  send(line: string): void {
    this.#batcher.add(line);
  }

  flush(): void {
    this.#batcher.flush();
    // A name is looked up at every flush, since collectors move; a lookup for every datagram would wait for threads.
    if (isIP(this.#options.host) === 0) this.#resolve();
  }

  async close(): Promise<void> {
    this.flush();
    if (this.#waiting.length > 0 || this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, CLOSE_MILLIS_MAX);
        this.#onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#dropWaiting();
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  #post(batch: Batch): void {
    if (this.#waitingBytes + batch.bytes.length > WAITING_BYTES_MAX) {
      this.#options.onDropped(batch.lines);
      return;
    }
    this.#waiting.push(batch);
    this.#waitingBytes += batch.bytes.length;
    if (this.#target === undefined) this.#resolve();
    else this.#pump(this.#target);
  }

  #pump(target: Target): void {
    if (this.#waiting.length === 0) return;
    const socket = this.#socketFor(target.family);
    while (this.#underWay < UNDER_WAY_MAX) {
      const batch = this.#waiting.shift();
      if (batch === undefined) break;
      this.#waitingBytes -= batch.bytes.length;
      this.#underWay += 1;
      this.#sendTo(socket, target, batch);
    }
  }

  #sendTo(socket: Socket, target: Target, batch: Batch): void {
    const sent = (error: Error | null): void => {
      this.#underWay -= 1;
      if (error) this.#options.onDropped(batch.lines);
      if (this.#waiting.length > 0) this.#pump(this.#target ?? target);
      else if (this.#underWay === 0) this.#onIdle?.();
    };
    try {
      socket.send(batch.bytes, this.#options.port, target.address, sent);
    } catch (error) {
      // Not in this turn: what waits would be tried one inside the other.
      setImmediate(sent, error as Error);
    }
  }

  #resolve(): void {
    if (this.#resolving) return;
    this.#resolving = true;
    lookup(this.#options.host)
      .then(
        ({ address, family }) => {
          this.#resolving = false;
          this.#target = { address, family: family as 4 | 6 };
          this.#pump(this.#target);
        },
        () => {
          this.#resolving = false;
          // Where it was the last time is the best guess; without one, nothing can be sent.
          if (this.#target === undefined) this.#dropWaiting();
          if (this.#underWay === 0) this.#onIdle?.();
        },
      )
      .catch((error: unknown) => this.#options.onFailure('the collector', error));
  }

  #dropWaiting(): void {
    for (const { lines } of this.#waiting) this.#options.onDropped(lines);
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
  }

  #socketFor(family: 4 | 6): Socket {
    let socket = this.#sockets.get(family);
    if (socket === undefined) {
      socket = createSocket(family === 6 ? 'udp6' : 'udp4');
      // What cannot be sent is counted where it was sent.
      socket.on('error', () => undefined);
      socket.unref();
      this.#sockets.set(family, socket);
    }
    return socket;
  }
}
