/** What the process runs with: defaults filled in, contradictions refused, frozen. */
import type { RedisAddress } from '../adapters/redis/connect.ts';
import { type Env, EnvError } from './env.ts';

export interface Address {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export interface Config {
  readonly http: Address;
  readonly grpc: Address;
  readonly debug: Address;
  readonly logLevel: LogLevel;
  /** A file or a directory. */
  readonly policyPath: string;
  readonly store: { readonly type: 'memory'; readonly subjectsMax: number } | RedisStoreConfig;
  /** No store call waits longer for a silent store, nor three times as long for a busy one. */
  readonly storeTimeoutMillis: number;
  /** With a secret, keys are stored as HMAC-SHA-256 instead of SHA-256. */
  readonly apiKeyHash: { readonly secret: string | undefined; readonly previousSecret: string | undefined };
  /** The key registry answers to these; without any it is not there. */
  readonly adminTokens: readonly string[];
  /** How long connections are still taken after health has gone down. */
  readonly drainDelayMillis: number;
  /** How long calls in flight may take to end. */
  readonly drainTimeoutMillis: number;
}

export interface RedisStoreConfig {
  readonly type: 'redis';
  readonly redis: RedisAddress;
  readonly keyPrefix: string;
  readonly expirationJitterMaxSeconds: number;
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

// A million subjects of two windows take about 600 MB.
const MEMORY_SUBJECTS_MAX = 1_000_000;
// Beyond Envoy's own patience, but short enough that a frozen Redis is noticed before callers pile up.
const REDIS_OP_TIMEOUT_MILLIS = 100;
const REDIS_OP_TIMEOUT_MILLIS_MAX = 60_000;
// A timer of Node holds 31 bits of milliseconds: beyond, it fires at once.
const DRAIN_MILLIS_MAX = 86_400_000;
const REDIS_PORT = 6_379;

/** @throws EnvError naming the variable that contradicts another, or lacks */
export function toConfig(env: Env): Config {
  if (env.policyPath === undefined)
    throw new EnvError('POLICY_PATH', 'is required: a policy file or a directory of them');
  return Object.freeze({
    http: { host: env.host ?? '0.0.0.0', port: env.port ?? 8080 },
    grpc: { host: env.grpcHost ?? '0.0.0.0', port: env.grpcPort ?? 8081 },
    debug: { host: env.debugHost ?? '127.0.0.1', port: env.debugPort ?? 6070 },
    logLevel: logLevelOf(env),
    policyPath: env.policyPath,
    store: storeOf(env),
    storeTimeoutMillis: storeTimeoutOf(env),
    apiKeyHash: apiKeyHashOf(env),
    adminTokens: adminTokensOf(env),
    drainDelayMillis: drainMillis('DRAIN_DELAY', env.drainDelayMillis ?? 0),
    drainTimeoutMillis: drainMillis('DRAIN_TIMEOUT', env.drainTimeoutMillis ?? 10_000),
  });
}

function logLevelOf({ logLevel }: Env): LogLevel {
  const level = logLevel?.toLowerCase() ?? 'info';
  const known = LOG_LEVELS.find((name) => name === level);
  if (!known) throw new EnvError('LOG_LEVEL', `expected one of ${LOG_LEVELS.join(', ')}, got '${logLevel}'`);
  return known;
}

function storeOf(env: Env): Config['store'] {
  const type = env.backendType?.toLowerCase() ?? (env.redisUrl === undefined ? 'memory' : 'redis');
  if (type === 'memory') {
    if (env.redisUrl !== undefined)
      throw new EnvError('BACKEND_TYPE', 'memory contradicts REDIS_URL: unset one of them');
    const subjectsMax = env.memorySubjectsMax ?? MEMORY_SUBJECTS_MAX;
    if (subjectsMax === 0) throw new EnvError('MEMORY_SUBJECTS_MAX', 'must be at least 1');
    return { type: 'memory', subjectsMax };
  }
  if (type !== 'redis') throw new EnvError('BACKEND_TYPE', `expected redis or memory, got '${env.backendType}'`);
  if (env.redisUrl === undefined) throw new EnvError('REDIS_URL', 'is required when BACKEND_TYPE is redis');
  return {
    type: 'redis',
    redis: { ...parseRedisUrl(env.redisUrl), ...authOf(env) },
    keyPrefix: env.cacheKeyPrefix ?? '',
    expirationJitterMaxSeconds: env.expirationJitterMaxSeconds ?? 300,
  };
}

function apiKeyHashOf({ apiKeyHashSecret, apiKeyHashSecretPrevious }: Env): Config['apiKeyHash'] {
  if (apiKeyHashSecretPrevious !== undefined && apiKeyHashSecret === undefined)
    throw new EnvError('API_KEY_HASH_SECRET_PREVIOUS', 'stands beside API_KEY_HASH_SECRET, which is not set');
  return { secret: apiKeyHashSecret, previousSecret: apiKeyHashSecretPrevious };
}

/** Separated by commas. Never repeated in errors. */
function adminTokensOf({ adminToken }: Env): readonly string[] {
  const tokens = adminToken?.split(',').map((token) => token.trim()) ?? [];
  // What a header cannot carry would be a token that nobody can present.
  if (tokens.every((token) => /^[\x21-\x7e]+$/.test(token))) return tokens;
  throw new EnvError('ADMIN_TOKEN', 'expected tokens of printable ASCII without spaces, separated by commas');
}

function storeTimeoutOf({ redisOpTimeoutMillis }: Env): number {
  const millis = redisOpTimeoutMillis ?? REDIS_OP_TIMEOUT_MILLIS;
  if (millis >= 1 && millis <= REDIS_OP_TIMEOUT_MILLIS_MAX) return millis;
  throw new EnvError('REDIS_OP_TIMEOUT', `expected 1ms to 60s, got ${millis}ms`);
}

function drainMillis(name: string, millis: number): number {
  if (millis <= DRAIN_MILLIS_MAX) return millis;
  throw new EnvError(name, 'expected at most 24h');
}

/** `host:port`, `host`, `/path/of/socket`, or `redis[s]://[user[:password]@]host[:port][/db]`. Never repeated in errors: it may hold a password. */
function parseRedisUrl(url: string): RedisAddress {
  if (url.startsWith('/')) return { path: url };
  const parsed = URL.parse(/^rediss?:\/\//.test(url) ? url : `redis://${url}`);
  const db = parsed?.pathname.replace(/^\//, '') ?? '';
  const username = decoded(parsed?.username ?? '');
  const password = decoded(parsed?.password ?? '');
  if (!parsed?.hostname || !/^\d{0,5}$/.test(db) || username === undefined || password === undefined) {
    throw new EnvError('REDIS_URL', 'expected host:port, a socket path, or redis://user:password@host:port/db');
  }
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? REDIS_PORT : Number(parsed.port),
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    ...(db === '' ? {} : { db: Number(db) }),
    tls: parsed.protocol === 'rediss:',
  };
}

/** @returns undefined for what is no percent-encoding */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** `password`, or `user:password` split at the first colon. */
function authOf({ redisAuth }: Env): RedisAddress {
  if (redisAuth === undefined) return {};
  const colon = redisAuth.indexOf(':');
  if (colon < 0) return { password: redisAuth };
  return { username: redisAuth.slice(0, colon), password: redisAuth.slice(colon + 1) };
}
