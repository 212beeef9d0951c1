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
  /** Which of several processes writes: in every line, where there are several. */
  readonly worker?: number | undefined;
}

/** What every line says of itself, in one of the formats. */
const OUR_FIELD = /^(level|time|msg|@timestamp|@message)$/;
// Errors are wrapped once or twice; more is a circle.
const CAUSES_MAX = 3;

/** As envoyproxy/ratelimit calls them. */
const LEVEL_NAMES: Readonly<Record<string, string>> = { warn: 'warning' };

/** @param destination standard output unless a test wants to read along */
export function createLogger({ level, format, worker }: LogOptions, destination?: LogDestination): Log {
  const options: pino.LoggerOptions = {
    level,
    base: worker === undefined ? null : { worker },
    messageKey: '@message',
    timestamp: () => pino.stdTimeFunctions.isoTime().replace('"time"', '"@timestamp"'),
    formatters: {
      level: (label) => ({ level: LEVEL_NAMES[label] ?? label }),
      log: (fields) => censorFields(withoutClashes(fields), 1),
    },
    // By then the field is what `describeError` made of it.
    serializers: { err: (error) => error },
  };
  // Synchronously, so that the last lines are out, and in order, when the process exits.
  const out = destination ?? pino.destination({ dest: 1, sync: true });
  const lineOf = format === 'json' ? (line: string) => line : textOf;
  return pino(options, { write: (line: string) => out.write(lineOf(line).replace(UNSEEN, escaped)) });
}

/** What terminals obey and readers of lines break at, and JSON lets stand. In quotes, as it always is, its escape is as good. */
const UNSEEN = /[\u007f-\u009f\u2028\u2029]/g;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** A JSON line as a line of logfmt, in the way of logrus. Lines are few: writing each twice costs nothing that counts. */
function textOf(line: string): string {
  const { '@timestamp': time, level, '@message': message, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const pairs = [['time', time], ['level', level], ['msg', message], ...Object.entries(fields)] satisfies [
    string,
    unknown,
  ][];
  return `${pairs.map(([name, value]) => `${name.replace(/[^\w.@-]/g, '_')}=${quoted(value)}`).join(' ')}\n`;
}

function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[\w./@^+-]+$/.test(text) ? text : JSON.stringify(text);
}

/** The real ones stay what they are, as in logrus. */
function withoutClashes(fields: object): object {
  const entries = Object.entries(fields).map(([name, value]) => [
    OUR_FIELD.test(name) ? `fields.${name}` : name,
    value,
  ]);
  return Object.fromEntries(entries);
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
  return { ...toldOf(error), stack: error.stack, ...causeOf(error, CAUSES_MAX) };
}

function toldOf(error: Error): object {
  const { name, message } = error;
  const { code } = error as { code?: unknown };
  return { name, message, ...(typeof code === 'string' ? { code } : {}) };
}

function causeOf({ cause }: Error, left: number): object {
  return cause instanceof Error && left > 0 ? { cause: { ...toldOf(cause), ...causeOf(cause, left - 1) } } : {};
}
