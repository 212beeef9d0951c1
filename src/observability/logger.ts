/** JSON lines on standard output. What could carry a secret does not get in. */
import pino from 'pino';
import type { Log } from '../ports/log.ts';

/** Field names whose values are never written, one level down included. */
const SECRET_FIELDS = ['password', 'secret', 'token', 'authorization', 'api_key', 'apiKey', 'x-api-key', 'auth'];

export interface LogDestination {
  write(line: string): void;
}

/** @param destination standard output unless a test wants to read along */
export function createLogger(level: string, destination?: LogDestination): Log {
  const options: pino.LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: describeError },
    redact: { paths: SECRET_FIELDS.flatMap((field) => [`["${field}"]`, `*["${field}"]`]), censor: '[redacted]' },
  };
  return destination ? pino(options, destination) : pino(options);
}

/** Only what is known to be harmless: an error of the Redis client carries its command, AUTH and password included. */
function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { message: 'not an error' };
  const { name, message, stack } = error;
  const { code } = error as { code?: unknown };
  return { name, message, ...(typeof code === 'string' ? { code } : {}), stack };
}
