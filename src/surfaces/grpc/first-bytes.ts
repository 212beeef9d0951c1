/** Which protocol a connection speaks, by its first bytes. */
import { METHODS } from 'node:http';
import { PREFACE } from '../rls/h2/frames.ts';

const METHOD_STARTS = METHODS.map((method) => Buffer.from(`${method} `, 'latin1'));

/** `more`: the bytes so far may become either. `neither`: whoever sent them has come to the wrong port. */
export type Protocol = 'http2' | 'http1' | 'neither' | 'more';

export function protocolOf(bytes: Buffer): Protocol {
  if (begins(bytes, PREFACE)) return bytes.length < PREFACE.length ? 'more' : 'http2';
  const methods = METHOD_STARTS.filter((method) => begins(bytes, method));
  if (methods.length === 0) return 'neither';
  return methods.some((method) => bytes.length >= method.length) ? 'http1' : 'more';
}

/** Whether they are equal as far as both go. */
function begins(bytes: Buffer, whole: Buffer): boolean {
  const length = Math.min(bytes.length, whole.length);
  return whole.compare(bytes, 0, length, 0, length) === 0;
}
