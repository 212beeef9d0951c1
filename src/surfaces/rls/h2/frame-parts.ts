/** What frames must be to be read at all: their lengths, whose they are, and the padding and priorities that they may carry. */
import { ConnectionError, StreamError } from './errors.ts';
import { ERROR, uint31At } from './frames.ts';

export const PRIORITY_BYTES = 5; // RFC 9113 §6.3
export const PING_BYTES = 8; // RFC 9113 §6.7
const GOAWAY_BYTES_MIN = 8; // RFC 9113 §6.8

/** Of a padded frame, whose first byte is the padding's length (RFC 9113 §6.1). @throws ConnectionError if that is not there */
export function paddingStart(bytes: Buffer, from: number, to: number): number {
  const start = from < to ? to - (bytes[from] as number) : from;
  if (start <= from) throw new ConnectionError(ERROR.protocol, 'more padding than there is of the frame');
  return start;
}

/**
 * RFC 7540 §5.3.1: a stream cannot depend on itself. Always the end of the connection, as RFC 9113 §5.4.1 allows: the
 * stream may not have begun yet, and what has not begun cannot be reset.
 * @throws ConnectionError
 */
export function checkPriority(streamId: number, bytes: Buffer, from: number, to: number): void {
  if (to - from < PRIORITY_BYTES) throw new ConnectionError(ERROR.frameSize, 'less than a priority');
  if (uint31At(bytes, from) === streamId) throw new ConnectionError(ERROR.protocol, 'a stream that depends on itself');
}

/** @throws ConnectionError for what is no PING of a connection (RFC 9113 §6.7) */
export function checkPing(streamId: number, payloadBytes: number): void {
  if (streamId !== 0) throw new ConnectionError(ERROR.protocol, 'PING of a stream');
  if (payloadBytes !== PING_BYTES) throw new ConnectionError(ERROR.frameSize, 'PING of a wrong length');
}

/** @throws ConnectionError for what is no GOAWAY of a connection (RFC 9113 §6.8) */
export function checkGoaway(streamId: number, payloadBytes: number): void {
  if (streamId !== 0) throw new ConnectionError(ERROR.protocol, 'GOAWAY of a stream');
  if (payloadBytes < GOAWAY_BYTES_MIN) throw new ConnectionError(ERROR.frameSize, 'GOAWAY of a wrong length');
}

/** RFC 9113 §6.9: for a stream it is the stream's error, else the connection's. */
export function nothingGranted(streamId: number): Error {
  const text = 'WINDOW_UPDATE of nothing';
  return streamId === 0 ? new ConnectionError(ERROR.protocol, text) : new StreamError(streamId, ERROR.protocol, text);
}
