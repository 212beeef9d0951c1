/** How lines reach a collector: sent when it suits, never waited for, dropped and counted when it cannot be helped. */
import type { OnFailure } from './guarded-sink.ts';

export interface Transport {
  /** @param line without its newline */
  send(line: string): void;
  /** Lets go of what waits for a fuller datagram or write. */
  flush(): void;
  /** Sends what is held, as far as the collector takes it in time. Never fails. */
  close(): Promise<void>;
}

export interface TransportOptions {
  readonly host: string;
  readonly port: number;
  /** Told of lines that are lost. */
  readonly onDropped: (lines: number) => void;
  readonly onFailure: OnFailure;
}

/** What waits for a collector that is away or slow: about four flushes of as many names as there can be. */
export const WAITING_BYTES_MAX = 8 * 1_024 * 1_024;

/** At the end nobody waits longer for a collector. */
export const CLOSE_MILLIS_MAX = 1_000;
