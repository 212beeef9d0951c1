/** One HTTP/2 connection as whoever ends it sees it, whichever transport it is of. */
import type { Socket } from 'node:net';

export interface Http2Session {
  readonly destroyed: boolean;
  onClose(callback: () => void): void;
  /** @param callback called when no call has moved for so long; pings do not count */
  onIdle(millis: number, callback: () => void): void;
  /** RFC 9113 §6.8: asks the client to open no more streams here. Those that it opens until it has read this are answered. */
  sendGoawayNotice(): void;
  /** @param onPong called when the client has read all that was sent before */
  ping(onPong: () => void): void;
  /** Takes no more streams, and ends with the last answer. */
  close(): void;
  destroy(): void;
}

/** @param socket what is read from it is in clear; nothing of it was consumed */
export type OpenHttp2 = (socket: Socket) => Http2Session;
