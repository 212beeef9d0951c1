/** Which Redis the REDIS_* and REDIS_PERSECOND_* variables name. Their values are never repeated: they may hold passwords. */
import type { RedisAuth, RedisEndpoint, RedisOptions, RedisTopology } from '../adapters/redis/connect.ts';
import type { RedisTls } from '../adapters/redis/tls.ts';
import { type Env, EnvError } from './env.ts';

const PORT_DEFAULT = 6_379;
const SENTINEL_PORT_DEFAULT = 26_379;
const SCHEME = /^rediss?:\/\//;
const FORMS = {
  single: 'expected host:port, a socket path, or redis://user:password@host:port/db',
  cluster: 'expected host:port,host:port,… of some nodes of the cluster',
  sentinel: 'expected the name of the primary and some Sentinels: name,host:port,host:port,…',
} as const;

/** @throws EnvError */
export function redisOf(env: Env, url: string): RedisOptions {
  refuseParting(env);
  return optionsOf(env, {
    prefix: 'REDIS',
    url,
    type: env.REDIS_TYPE,
    socketType: env.REDIS_SOCKET_TYPE,
    auth: env.REDIS_AUTH,
    sentinelAuth: env.REDIS_SENTINEL_AUTH,
    hasTls: env.REDIS_TLS,
    dialTimeoutMillis: env.REDIS_TIMEOUT,
  });
}

/** @throws EnvError */
export function perSecondRedisOf(env: Env): RedisOptions | undefined {
  if (!env.REDIS_PERSECOND) return undefined;
  return optionsOf(env, {
    prefix: 'REDIS_PERSECOND',
    url: env.REDIS_PERSECOND_URL,
    type: env.REDIS_PERSECOND_TYPE,
    socketType: env.REDIS_PERSECOND_SOCKET_TYPE,
    auth: env.REDIS_PERSECOND_AUTH,
    sentinelAuth: env.REDIS_PERSECOND_SENTINEL_AUTH,
    hasTls: env.REDIS_PERSECOND_TLS,
    dialTimeoutMillis: env.REDIS_PERSECOND_TIMEOUT,
  });
}

/**
 * The slot of a key is that of its first braces. Those of the prefix go before those that keep an API key's record beside its
 * counters: a pair with something in it has all keys on one slot, anything else would part them.
 */
function refuseParting({ CACHE_KEY_PREFIX: prefix, REDIS_TYPE: type }: Env): void {
  if (type === 'CLUSTER' && !/^[^{]*($|\{[^}]+\})/.test(prefix))
    throw new EnvError('CACHE_KEY_PREFIX', "expected no braces, or a pair such as '{tag}', with REDIS_TYPE CLUSTER");
}

/** What each of the two has of its own. */
interface Pool {
  /** Of the names of its variables. */
  readonly prefix: 'REDIS' | 'REDIS_PERSECOND';
  readonly url: string;
  readonly type: Env['REDIS_TYPE'];
  readonly socketType: Env['REDIS_SOCKET_TYPE'];
  readonly auth: string | undefined;
  readonly sentinelAuth: string | undefined;
  readonly hasTls: boolean;
  readonly dialTimeoutMillis: number;
}

function optionsOf(env: Env, pool: Pool): RedisOptions {
  const { topology, auth: urlAuth, db, isSecure } = readUrl(pool);
  const auth = authOf(`${pool.prefix}_AUTH`, pool.auth) ?? urlAuth;
  return {
    topology,
    ...(auth ? { auth } : {}),
    ...(db === undefined ? {} : { db }),
    ...(pool.hasTls || isSecure ? { tls: tlsOf(env) } : {}),
    dialTimeoutMillis: pool.dialTimeoutMillis,
    startup: {
      initialMillis: env.REDIS_STARTUP_INITIAL_INTERVAL,
      maxMillis: env.REDIS_STARTUP_MAX_INTERVAL,
      maxElapsedMillis: env.REDIS_STARTUP_MAX_ELAPSED_TIME,
    },
  };
}

function tlsOf(env: Env): RedisTls {
  const { REDIS_TLS_CLIENT_CERT: certPath, REDIS_TLS_CLIENT_KEY: keyPath, REDIS_TLS_CACERT: caPath } = env;
  if (certPath !== undefined && keyPath === undefined)
    throw new EnvError('REDIS_TLS_CLIENT_CERT', 'stands beside REDIS_TLS_CLIENT_KEY, which is not set');
  if (keyPath !== undefined && certPath === undefined)
    throw new EnvError('REDIS_TLS_CLIENT_KEY', 'stands beside REDIS_TLS_CLIENT_CERT, which is not set');
  return {
    ...(certPath === undefined ? {} : { certPath }),
    ...(keyPath === undefined ? {} : { keyPath }),
    ...(caPath === undefined ? {} : { caPath }),
    skipHostnameVerification: env.REDIS_TLS_SKIP_HOSTNAME_VERIFICATION,
  };
}

/** What a URL can tell. */
interface Place {
  readonly endpoint: RedisEndpoint;
  readonly auth?: RedisAuth;
  readonly db?: number;
  readonly isSecure: boolean;
}

function readUrl(pool: Pool): Omit<Place, 'endpoint'> & { readonly topology: RedisTopology } {
  const { type, url } = pool;
  if (type === 'SINGLE') {
    const { endpoint, ...rest } = singlePlace(pool);
    return { ...rest, topology: { type: 'single', endpoint } };
  }
  const items = url.split(',').map((item) => item.trim());
  if (type === 'CLUSTER') {
    const { nodes, ...rest } = nodesOf(pool, items, FORMS.cluster);
    return { ...rest, topology: { type: 'cluster', nodes } };
  }
  const [master = '', ...places] = items;
  const auth = authOf(`${pool.prefix}_SENTINEL_AUTH`, pool.sentinelAuth);
  const wrong = master === '' || master.includes(':') || places.length === 0;
  if (wrong) throw new EnvError(`${pool.prefix}_URL`, FORMS.sentinel);
  const { nodes: sentinels, auth: stray, isSecure } = nodesOf(pool, places, FORMS.sentinel, SENTINEL_PORT_DEFAULT);
  if (stray)
    throw new EnvError(`${pool.prefix}_URL`, `who logs in at Sentinels is told by ${pool.prefix}_SENTINEL_AUTH`);
  return { isSecure, topology: { type: 'sentinel', master, sentinels, ...(auth ? { auth } : {}) } };
}

function singlePlace({ prefix, url, socketType }: Pool): Place {
  const isPath = url.startsWith('/') || url.startsWith('./');
  if (socketType === 'unix' && !isPath)
    throw new EnvError(`${prefix}_URL`, `expected the path of a socket, since ${prefix}_SOCKET_TYPE is unix`);
  if (socketType === 'tcp' && isPath)
    throw new EnvError(`${prefix}_URL`, `expected host:port, since ${prefix}_SOCKET_TYPE is tcp`);
  if (isPath) return { endpoint: { path: url }, isSecure: false };
  const place = placeOf(url);
  if (place === undefined) throw new EnvError(`${prefix}_URL`, FORMS.single);
  return place;
}

/** Several servers are one Redis: whoever logs in at one logs in at all of them. */
function nodesOf({ prefix, socketType }: Pool, items: readonly string[], form: string, portDefault?: number) {
  if (socketType === 'unix') throw new EnvError(`${prefix}_SOCKET_TYPE`, 'only one Redis server can be at a socket');
  const places = items.map((item) => placeOf(item, portDefault)).filter((place) => place !== undefined);
  // A database of its own is something that a cluster does not have.
  if (places.length < items.length || places.some(({ db }) => db !== undefined))
    throw new EnvError(`${prefix}_URL`, form);
  const schemes = new Set(items.map((item) => SCHEME.exec(item)?.[0]).filter((scheme) => scheme !== undefined));
  const logins = new Set(places.flatMap(({ auth }) => (auth ? [JSON.stringify([auth.username, auth.password])] : [])));
  if (schemes.size > 1 || logins.size > 1)
    throw new EnvError(`${prefix}_URL`, 'expected the same scheme, user and password wherever an address has them');
  const auth = places.find((place) => place.auth)?.auth;
  return {
    nodes: places.map(({ endpoint }) => endpoint),
    ...(auth ? { auth } : {}),
    isSecure: places.some(({ isSecure }) => isSecure),
  };
}

/** `host`, `host:port`, or `redis[s]://[user[:password]@]host[:port][/db]`. @returns undefined for anything else */
function placeOf(text: string, portDefault = PORT_DEFAULT): Place | undefined {
  const url = URL.parse(SCHEME.test(text) ? text : `redis://${text}`);
  const db = url?.pathname.replace(/^\//, '') ?? '';
  const username = decoded(url?.username ?? '');
  const password = decoded(url?.password ?? '');
  // An option that has no effect is none that somebody meant.
  if (url?.port === '0' || url?.search || url?.hash || /[?#]$/.test(text)) return undefined;
  if (!url?.hostname || !/^\d{0,5}$/.test(db) || username === undefined || password === undefined) return undefined;
  // A name alone is nothing that Redis could check.
  if (username !== '' && password === '') return undefined;
  const auth = { ...(username === '' ? {} : { username }), password };
  return {
    endpoint: {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? portDefault : Number(url.port),
    },
    ...(password === '' ? {} : { auth }),
    ...(db === '' ? {} : { db: Number(db) }),
    isSecure: url.protocol === 'rediss:',
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
function authOf(variable: string, text: string | undefined): RedisAuth | undefined {
  if (text === undefined) return undefined;
  const colon = text.indexOf(':');
  const [username, password] = [text.slice(0, Math.max(colon, 0)), text.slice(colon + 1)];
  // A name alone would be no login at all.
  if (password === '') throw new EnvError(variable, 'expected password or user:password');
  return { ...(username === '' ? {} : { username }), password };
}
