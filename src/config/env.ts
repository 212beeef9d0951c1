/** The environment as typed text: an empty variable is an unset one, a malformed one is named. No defaults here. */

/** One variable that cannot be used. */
export class EnvError extends Error {
  readonly code = 'CONFIG_INVALID';

  constructor(variable: string, message: string) {
    super(`${variable}: ${message}`);
    this.name = 'EnvError';
  }
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Every variable that Headroom itself reads; OTEL_* are read by the OpenTelemetry SDK. */
export interface Env {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly grpcHost: string | undefined;
  readonly grpcPort: number | undefined;
  readonly debugHost: string | undefined;
  readonly debugPort: number | undefined;
  readonly logLevel: string | undefined;
  readonly policyPath: string | undefined;
  readonly backendType: string | undefined;
  readonly memorySubjectsMax: number | undefined;
  readonly redisUrl: string | undefined;
  readonly redisAuth: string | undefined;
  readonly redisOpTimeoutMillis: number | undefined;
  readonly cacheKeyPrefix: string | undefined;
  readonly expirationJitterMaxSeconds: number | undefined;
  readonly apiKeyHashSecret: string | undefined;
  readonly apiKeyHashSecretPrevious: string | undefined;
  readonly adminToken: string | undefined;
  readonly drainDelayMillis: number | undefined;
  readonly drainTimeoutMillis: number | undefined;
}

/** @throws EnvError for the first variable whose text is not of its type */
export function readEnv(environment: Environment): Env {
  const text = (name: string): string | undefined => environment[name]?.trim() || undefined;
  const integer = (name: string) => parse(name, text(name), parseInteger, 'an integer from 0 to 4294967295');
  const port = (name: string) => parse(name, text(name), parsePort, 'a port from 0 to 65535');
  const millis = (name: string) => parse(name, text(name), parseDuration, 'a duration such as 100ms, 5s, 1m');
  return {
    host: text('HOST'),
    port: port('PORT'),
    grpcHost: text('GRPC_HOST'),
    grpcPort: port('GRPC_PORT'),
    debugHost: text('DEBUG_HOST'),
    debugPort: port('DEBUG_PORT'),
    logLevel: text('LOG_LEVEL'),
    policyPath: text('POLICY_PATH'),
    backendType: text('BACKEND_TYPE'),
    memorySubjectsMax: integer('MEMORY_SUBJECTS_MAX'),
    redisUrl: text('REDIS_URL'),
    redisAuth: text('REDIS_AUTH'),
    redisOpTimeoutMillis: millis('REDIS_OP_TIMEOUT'),
    cacheKeyPrefix: text('CACHE_KEY_PREFIX'),
    expirationJitterMaxSeconds: integer('EXPIRATION_JITTER_MAX_SECONDS'),
    apiKeyHashSecret: text('API_KEY_HASH_SECRET'),
    apiKeyHashSecretPrevious: text('API_KEY_HASH_SECRET_PREVIOUS'),
    adminToken: text('ADMIN_TOKEN'),
    drainDelayMillis: millis('DRAIN_DELAY'),
    drainTimeoutMillis: millis('DRAIN_TIMEOUT'),
  };
}

const INTEGER_MAX = 4_294_967_295;
const PORT_MAX = 65_535;
const UNIT_MILLIS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

function parse(
  name: string,
  text: string | undefined,
  parser: (text: string) => number | undefined,
  expected: string,
): number | undefined {
  if (text === undefined) return undefined;
  const value = parser(text);
  if (value === undefined) throw new EnvError(name, `expected ${expected}, got '${text}'`);
  return value;
}

function parseInteger(text: string): number | undefined {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return value <= INTEGER_MAX ? value : undefined;
}

function parsePort(text: string): number | undefined {
  const value = parseInteger(text);
  return value !== undefined && value <= PORT_MAX ? value : undefined;
}

function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h)$/.exec(text);
  if (!match) return text === '0' ? 0 : undefined;
  return Number(match[1]) * UNIT_MILLIS[match[2] as keyof typeof UNIT_MILLIS];
}
