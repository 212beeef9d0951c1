/** Lines of JSON or of logfmt on standard output. What could carry a secret does not get in. */
import pino from 'pino';
import type { Log } from '../ports/log.ts';

/** Fields whose values are never written, however deep: passwords, secrets, tokens, credentials and API keys. */
const SECRET_FIELD =
  /passw|passphrase|secret|token|credential|^auth$|authorization|_auth$|api[-_]?keys?$|cookie|redis_?url/i;
const CENSOR = '[redacted]';
// Nothing that is logged is deeper; beyond it, nothing is written rather than looked at.
const DEPTH_MAX = 5;

export interface LogDestination {
  write(line: string): void;
}

export interface LogOptions {
  /** What is less important is not written. */
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  readonly format: 'text' | 'json';
}

/** As envoyproxy/ratelimit calls them. */
const LEVEL_NAMES: Readonly<Record<string, string>> = { warn: 'warning' };

/** @param destination standard output unless a test wants to read along */
export function createLogger({ level, format }: LogOptions, destination?: LogDestination): Log {
  const options: pino.LoggerOptions = {
    level,
    base: null,
    messageKey: '@message',
    timestamp: () => pino.stdTimeFunctions.isoTime().replace('"time"', '"@timestamp"'),
    formatters: {
      level: (label) => ({ level: LEVEL_NAMES[label] ?? label }),
      log: (fields) => censorFields(fields, 1),
    },
    // By then the field is what `describeError` made of it.
    serializers: { err: (error) => error },
  };
  // Synchronously, so that the last lines are out, and in order, when the process exits.
  const out = destination ?? pino.destination({ dest: 1, sync: true });
  return pino(options, format === 'json' ? out : { write: (line: string) => out.write(textOf(line)) });
}

/** A JSON line as a line of logfmt, in the way of logrus. Lines are few: writing each twice costs nothing that counts. */
function textOf(line: string): string {
  const { '@timestamp': time, level, '@message': message, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const pairs = [['time', time], ['level', level], ['msg', message], ...Object.entries(fields)] as const;
  return `${pairs.map(([name, value]) => `${name as string}=${quoted(value)}`).join(' ')}\n`;
}

function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[\w./@^+-]+$/.test(text) ? text : JSON.stringify(text);
}

function censorFields(fields: object, depth: number): Record<string, unknown> {
  const entries = Object.entries(fields).map(([name, value]) => [
    name,
    SECRET_FIELD.test(name) ? CENSOR : censor(value, depth),
  ]);
  return Object.fromEntries(entries);
}

function censor(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (value instanceof Error) return describeError(value);
  if (depth >= DEPTH_MAX) return CENSOR;
  if (Array.isArray(value)) return value.map((item) => censor(item, depth + 1));
  return censorFields(value, depth + 1);
}

/** Only what is known to be harmless: an error of the Redis client carries its command, AUTH and password included. */
function describeError(error: Error): object {
  const { name, message, stack } = error;
  const { code } = error as { code?: unknown };
  return { name, message, ...(typeof code === 'string' ? { code } : {}), stack };
}
