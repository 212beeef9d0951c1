/** What DATA and HEADERS may carry beside what they are for: padding, and priorities. Neither means anything here. */
import { ConnectionError } from './errors.ts';
import { ERROR, uint31At } from './frames.ts';

export const PRIORITY_BYTES = 5; // RFC 9113 §6.3

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
