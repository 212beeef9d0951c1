/** What ends a connection or a stream because its client broke the rules (RFC 9113 §5.4). */

/** The connection ends with a GOAWAY of this code. */
export class ConnectionError extends Error {
  /** See frames.ts ERROR. */
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = 'ConnectionError';
    this.code = code;
  }
}

/** Its stream ends with a RST_STREAM of this code; the connection goes on. */
export class StreamError extends Error {
  readonly code: number;
  readonly streamId: number;

  constructor(streamId: number, code: number, message: string) {
    super(message);
    this.name = 'StreamError';
    this.streamId = streamId;
    this.code = code;
  }
}
