/** Lines to a collector over TCP: one connection that comes back, and a bounded number of bytes that wait for it. */
import { connect, type Socket } from 'node:net';
import { type Batch, Batcher } from './batch.ts';
import { CLOSE_MILLIS_MAX, type Transport, type TransportOptions, WAITING_BYTES_MAX } from './transport.ts';

export interface TcpTransportOptions extends TransportOptions {
  /** Once for each time that the collector cannot be reached, at a flush. */
  readonly onAway: (error: Error | undefined) => void;
  /** Once after that, when it can. */
  readonly onBack: () => void;
}

// What Node writes at once anyway.
const WRITE_BYTES_MAX = 16_384;
// A collector that restarts is found again within this time.
const RECONNECT_MILLIS = 500;
/**
 * Flushes that lines wait for their collector. What was counted hours ago, told all at once, would be a peak in its graphs
 * that never was.
 */
export const FLUSHES_WAITED_MAX = 6;

interface Waiting extends Batch {
  /** The flush that it was put together for. */
  readonly flush: number;
}

export class TcpTransport implements Transport {
  readonly #options: TcpTransportOptions;
  readonly #batcher = new Batcher(WRITE_BYTES_MAX, (batch) => this.#post(batch));
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #underWay = 0;
  #socket: Socket | undefined;
  #state: 'away' | 'connecting' | 'open' | 'blocked' = 'away';
  #closing = false;
  #flushes = 0;
  /** Flushes since there was a connection, and what kept it from being there. */
  #flushesAway = 0;
  #error: Error | undefined;
  #isTold = false;
  #reconnect: NodeJS.Timeout | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: TcpTransportOptions) {
    this.#options = options;
    this.#connect();
  }

  send(line: string): void {
    this.#batcher.add(line);
  }

  flush(): void {
    this.#batcher.flush();
    this.#flushes += 1;
    this.#dropStale();
    if (!this.#closing) this.#tellIfAway();
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.flush();
    clearTimeout(this.#reconnect);
    if (this.#state === 'away' && this.#waiting.length > 0) this.#connect();
    this.#socket?.ref();
    if (this.#state !== 'away' && (this.#waiting.length > 0 || this.#underWay > 0)) {
      await this.#within((settle) => {
        this.#onIdle = settle;
      });
    }
    // What is written reaches a collector that still reads before the connection ends.
    const socket = this.#socket;
    if (socket !== undefined && !socket.destroyed && this.#waiting.length === 0) {
      await this.#within((settle) => {
        socket.once('close', settle);
        socket.end();
      });
    }
    this.#socket?.destroy();
    for (const { lines } of this.#waiting.splice(0)) this.#options.onDropped(lines);
  }

  #within(start: (settle: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, CLOSE_MILLIS_MAX / 2);
      start(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #post(batch: Batch): void {
    if (this.#waitingBytes + batch.bytes.length > WAITING_BYTES_MAX) {
      this.#options.onDropped(batch.lines);
      return;
    }
    this.#waiting.push({ ...batch, flush: this.#flushes });
    this.#waitingBytes += batch.bytes.length;
    this.#pump();
  }

  #dropStale(): void {
    const fresh = this.#waiting.findIndex(({ flush }) => flush + FLUSHES_WAITED_MAX >= this.#flushes);
    for (const { lines, bytes } of this.#waiting.splice(0, fresh === -1 ? this.#waiting.length : fresh)) {
      this.#waitingBytes -= bytes.length;
      this.#options.onDropped(lines);
    }
  }

  /** Not at the first flush, as long as it may only be slow to connect. */
  #tellIfAway(): void {
    if (this.#state === 'open' || this.#state === 'blocked') return;
    this.#flushesAway += 1;
    if (this.#isTold || (this.#error === undefined && this.#flushesAway === 1)) return;
    this.#isTold = true;
    this.#options.onAway(this.#error);
  }

  #connect(): void {
    try {
      this.#follow(connect({ host: this.#options.host, port: this.#options.port, noDelay: true }));
    } catch (error) {
      this.#options.onFailure('the collector', error);
    }
  }

  #follow(socket: Socket): void {
    this.#socket = socket;
    this.#state = 'connecting';
    if (!this.#closing) socket.unref();
    socket.on('connect', () => {
      this.#state = 'open';
      this.#flushesAway = 0;
      this.#error = undefined;
      if (this.#isTold) this.#options.onBack();
      this.#isTold = false;
      this.#pump();
    });
    socket.on('drain', () => {
      this.#state = 'open';
      this.#pump();
    });
    // Collectors say nothing; without reading, their end of the connection would not be noticed.
    socket.resume();
    socket.on('end', () => {
      this.#state = 'away';
      socket.destroy();
    });
    // 'close' follows.
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', () => {
      this.#state = 'away';
      if (this.#closing) {
        this.#onIdle?.();
        return;
      }
      this.#reconnect = setTimeout(() => this.#connect(), RECONNECT_MILLIS);
      this.#reconnect.unref();
    });
  }

  #pump(): void {
    while (this.#state === 'open') {
      const batch = this.#waiting.shift();
      if (batch === undefined) break;
      this.#underWay += 1;
      this.#write(this.#socket as Socket, batch);
    }
  }

  /** What is under way counts as waiting until the system has taken it: a collector may accept and never read. */
  #write(socket: Socket, batch: Batch): void {
    const goesOn = socket.write(batch.bytes, (error) => {
      this.#underWay -= 1;
      this.#waitingBytes -= batch.bytes.length;
      // Part of it may have arrived: sent again, it would be counted twice.
      if (error) this.#options.onDropped(batch.lines);
      if (this.#underWay === 0 && this.#waiting.length === 0) this.#onIdle?.();
    });
    if (!goesOn) this.#state = 'blocked';
  }
}
