/** What the process runs with: contradictions refused, frozen. */
import type { RedisOptions } from '../adapters/redis/connect.ts';
import type { StatsConfig } from '../observability/stats/config.ts';
import type { GrpcConfig, TlsConfig } from '../surfaces/grpc/config.ts';
import { type Env, EnvError } from './env.ts';
import { type PoliciesConfig, policiesOf } from './policies.ts';
import { perSecondRedisOf, redisOf } from './redis.ts';
import { statsOf } from './stats.ts';
import type { VariableName } from './variables.ts';

export interface Address {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export interface Config {
  readonly http: Address;
  readonly grpc: GrpcConfig;
  readonly debug: DebugConfig;
  /** How many processes share the ports; of 1, nothing is forked. */
  readonly workers: number;
  readonly log: { readonly level: LogLevel; readonly format: 'text' | 'json' };
  readonly policies: PoliciesConfig;
  readonly store: { readonly type: 'memory'; readonly subjectsMax: number } | RedisStoreConfig;
  /** No store call waits longer for a silent store, nor three times as long for a busy one. */
  readonly storeTimeoutMillis: number;
  readonly deciding: DecidingConfig;
  /** With a secret, keys are stored as HMAC-SHA-256 instead of SHA-256. */
  readonly apiKeyHash: { readonly secret: string | undefined; readonly previousSecret: string | undefined };
  /** The key registry answers to these; without any it is not there. */
  readonly adminTokens: readonly string[];
  /** Undefined: nobody wants any, and nothing is counted for them. */
  readonly stats: StatsConfig | undefined;
  /** How long connections are still taken after health has gone down. */
  readonly drainDelayMillis: number;
  /** How long calls in flight may take to end. */
  readonly drainTimeoutMillis: number;
}

export interface DebugConfig extends Address {
  /** Only if no other machine can reach the port. */
  readonly profiling: boolean;
}

export interface RedisStoreConfig {
  readonly type: 'redis';
  readonly redis: RedisOptions;
  /** Where limits per second are counted, if not with the others. */
  readonly perSecond: RedisOptions | undefined;
  readonly keyPrefix: string;
  readonly expirationJitterMaxSeconds: number;
  /** Health is down while there is no connection. */
  readonly healthNeedsConnection: boolean;
}

/** What holds for the decisions of all domains. */
export interface DecidingConfig {
  /** From which share of a limit on statistics count a hit as near it. */
  readonly nearLimitRatio: number;
  /** 0: refusals are not remembered. */
  readonly localCacheBytes: number;
  /** Where one `rate_limit` of a call is exceeded, its others are not charged. */
  readonly stopWhenOver: boolean;
  readonly shadowMode: boolean;
  readonly quotaMode: boolean;
  readonly dynamicMetadata: boolean;
  /** Names of headers; undefined: none are sent in domains whose headers are `reference`. */
  readonly responseHeaders: { readonly limit: string; readonly remaining: string; readonly reset: string } | undefined;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** The reference's names of levels that are called otherwise here. */
const LEVELS = { warning: 'warn', panic: 'fatal' } as const;

// A timer of Node holds 24.8 days, and an age is jittered by a tenth.
const AGE_MILLIS_MAX = 20 * 86_400_000;

/** @throws EnvError naming the variable that contradicts another, or lacks */
export function toConfig(env: Env): Config {
  const { LOG_LEVEL: level } = env;
  return Object.freeze({
    http: { host: env.HOST, port: env.PORT },
    grpc: grpcOf(env),
    debug: debugOf(env),
    workers: workersOf(env),
    log: { level: level === 'warning' || level === 'panic' ? LEVELS[level] : level, format: env.LOG_FORMAT },
    policies: policiesOf(env),
    store: storeOf(env),
    storeTimeoutMillis: env.REDIS_OP_TIMEOUT,
    deciding: decidingOf(env),
    apiKeyHash: apiKeyHashOf(env),
    adminTokens: adminTokensOf(env),
    stats: statsOf(env),
    drainDelayMillis: env.DRAIN_DELAY,
    drainTimeoutMillis: env.DRAIN_TIMEOUT,
  });
}

function debugOf({ DEBUG_HOST: host, DEBUG_PORT: port, DEBUG_PROFILING: profiling }: Env): DebugConfig {
  // A heap snapshot holds every secret of the process.
  if (profiling && !/^(127\.\d+\.\d+\.\d+|::1|localhost)$/.test(host))
    throw new EnvError('DEBUG_PROFILING', `contradicts DEBUG_HOST: ${host} is not this machine alone`);
  return { host, port, profiling };
}

function workersOf({ WORKERS: workers, REDIS_URL: url }: Env): number {
  if (workers > 1 && url === undefined)
    throw new EnvError('WORKERS', `${workers} contradicts BACKEND_TYPE memory: each process would count for itself`);
  return workers;
}

function grpcOf(env: Env): GrpcConfig {
  const { GRPC_UDS: path } = env;
  return {
    transport: env.GRPC_TRANSPORT,
    listen: path === undefined ? { host: env.GRPC_HOST, port: env.GRPC_PORT } : { path },
    ...(env.GRPC_SERVER_USE_TLS ? { tls: grpcTlsOf(env) } : {}),
    maxConnectionAgeMillis: Math.min(env.GRPC_MAX_CONNECTION_AGE, AGE_MILLIS_MAX),
    maxConnectionAgeGraceMillis: Math.min(env.GRPC_MAX_CONNECTION_AGE_GRACE, AGE_MILLIS_MAX),
  };
}

function grpcTlsOf(env: Env): TlsConfig {
  const { GRPC_SERVER_TLS_CERT: certPath, GRPC_SERVER_TLS_KEY: keyPath } = env;
  const { GRPC_CLIENT_TLS_CACERT: clientCaPath, GRPC_CLIENT_TLS_SAN: clientSan } = env;
  if (certPath === undefined) throw new EnvError('GRPC_SERVER_TLS_CERT', 'is required with GRPC_SERVER_USE_TLS');
  if (keyPath === undefined) throw new EnvError('GRPC_SERVER_TLS_KEY', 'is required with GRPC_SERVER_USE_TLS');
  if (clientSan !== undefined && clientCaPath === undefined)
    throw new EnvError('GRPC_CLIENT_TLS_SAN', 'stands beside GRPC_CLIENT_TLS_CACERT, which is not set');
  return {
    certPath,
    keyPath,
    ...(clientCaPath === undefined ? {} : { clientCaPath }),
    ...(clientSan === undefined ? {} : { clientSan }),
  };
}

/** Without Redis they mean nothing. */
const WHAT_REDIS_IS_LIKE = [
  'REDIS_TYPE',
  'REDIS_SOCKET_TYPE',
  'REDIS_AUTH',
  'REDIS_SENTINEL_AUTH',
  'REDIS_TLS',
  'REDIS_TLS_CLIENT_CERT',
  'REDIS_TLS_CLIENT_KEY',
  'REDIS_TLS_CACERT',
  'REDIS_TLS_SKIP_HOSTNAME_VERIFICATION',
] as const satisfies readonly VariableName[];

function storeOf(env: Env): Config['store'] {
  const { BACKEND_TYPE: type, REDIS_URL: url } = env;
  if (type === 'memory' && url !== undefined)
    throw new EnvError('BACKEND_TYPE', 'memory contradicts REDIS_URL: unset one of them');
  if (type === 'redis' && url === undefined) throw new EnvError('REDIS_URL', 'is required when BACKEND_TYPE is redis');
  if (url === undefined) {
    const [alone] = type === 'memory' ? [] : WHAT_REDIS_IS_LIKE.filter((name) => env.given.has(name));
    // REDIS_URL was forgotten: counters in memory would multiply every limit by the replicas.
    if (alone !== undefined) throw new EnvError(alone, 'stands beside REDIS_URL, which is not set');
    if (env.REDIS_PERSECOND) throw new EnvError('REDIS_PERSECOND', 'stands beside REDIS_URL, which is not set');
    return { type: 'memory', subjectsMax: env.MEMORY_SUBJECTS_MAX };
  }
  return {
    type: 'redis',
    redis: redisOf(env, url),
    perSecond: perSecondRedisOf(env),
    keyPrefix: env.CACHE_KEY_PREFIX,
    expirationJitterMaxSeconds: Math.max(0, env.EXPIRATION_JITTER_MAX_SECONDS),
    healthNeedsConnection: env.REDIS_HEALTH_CHECK_ACTIVE_CONNECTION,
  };
}

function decidingOf(env: Env): DecidingConfig {
  return {
    nearLimitRatio: env.NEAR_LIMIT_RATIO,
    localCacheBytes: env.LOCAL_CACHE_SIZE_IN_BYTES,
    stopWhenOver: env.STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT,
    shadowMode: env.SHADOW_MODE,
    quotaMode: env.QUOTA_MODE,
    dynamicMetadata: env.RESPONSE_DYNAMIC_METADATA,
    responseHeaders: env.LIMIT_RESPONSE_HEADERS_ENABLED ? responseHeadersOf(env) : undefined,
  };
}

function responseHeadersOf(env: Env): DecidingConfig['responseHeaders'] {
  for (const name of ['LIMIT_LIMIT_HEADER', 'LIMIT_REMAINING_HEADER', 'LIMIT_RESET_HEADER'] as const) {
    // RFC 9110 §5.6.2: a gateway could not send anything else.
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(env[name]))
      throw new EnvError(name, `expected the name of a header, got '${env[name]}'`);
  }
  return { limit: env.LIMIT_LIMIT_HEADER, remaining: env.LIMIT_REMAINING_HEADER, reset: env.LIMIT_RESET_HEADER };
}

function apiKeyHashOf(env: Env): Config['apiKeyHash'] {
  const { API_KEY_HASH_SECRET: secret, API_KEY_HASH_SECRET_PREVIOUS: previousSecret } = env;
  if (previousSecret !== undefined && secret === undefined)
    throw new EnvError('API_KEY_HASH_SECRET_PREVIOUS', 'stands beside API_KEY_HASH_SECRET, which is not set');
  return { secret, previousSecret };
}

/** Separated by commas. Never repeated in errors. */
function adminTokensOf({ ADMIN_TOKEN: text }: Env): readonly string[] {
  const tokens = text?.split(',').map((token) => token.trim()) ?? [];
  // What a header cannot carry would be a token that nobody can present.
  if (tokens.every((token) => /^[\x21-\x7e]+$/.test(token))) return tokens;
  throw new EnvError('ADMIN_TOKEN', 'expected tokens of printable ASCII without spaces, separated by commas');
}
