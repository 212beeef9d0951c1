/** One request and its answer on a connection: what may still come, and what may still be sent. */
import { STREAM_WINDOW_BYTES } from './bounds.ts';
import type { RequestHead } from './request-head.ts';

/** What takes a request, and answers by its stream. */
export interface StreamConsumer {
  /** Part of the body, valid during the call only; empty if the end comes alone. What was used is to be `consumed`. */
  data(bytes: Buffer, from: number, to: number, isEnd: boolean): void;
  /** The stream is over before its answer was: nothing can be sent. @param code why, as in frames.ts ERROR */
  aborted(code: number): void;
}

/** Bytes that wait until the client grants more of a window. */
export interface PendingData {
  readonly bytes: Uint8Array;
  at: number;
  readonly onSent: () => void;
}

export class Stream {
  readonly id: number;
  readonly head: RequestHead;
  consumer: StreamConsumer | undefined;
  /** So many bytes of DATA may be sent (RFC 9113 §6.9.1); below 0 after the client has made its windows smaller. */
  sendWindow: number;
  /** So many may come. */
  receiveWindow = STREAM_WINDOW_BYTES;
  /** Came, and was not yet granted anew. */
  unconsumedBytes = 0;
  bodyBytes = 0;
  dataFrames = 0;
  /** Of head and body. */
  keptBytes = 0;
  /** The request has come to its end. */
  isRequestEnded = false;
  /** Nothing more can be sent: answered, reset, or the connection is gone. */
  isClosed = false;
  pending: PendingData | undefined;

  constructor(id: number, head: RequestHead, sendWindow: number) {
    this.id = id;
    this.head = head;
    this.sendWindow = sendWindow;
  }
}
