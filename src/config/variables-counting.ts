/** The environment variables about where requests are counted, and how they are decided. */
import type { Variables } from './variable.ts';

const NO_POOL_GROWTH = {
  CREATE: 'is not offered, nor by envoyproxy/ratelimit: use WAIT',
  ERROR: 'is not offered, nor by envoyproxy/ratelimit: use WAIT',
};

export const MEMORY = {
  BACKEND_TYPE: {
    kind: 'enum',
    values: ['redis', 'memory'],
    refused: { memcache: 'is refused: memcached is not offered' },
    does: 'where counters live; `redis` if `REDIS_URL` is set, else `memory`, unless other variables say what Redis is like',
  },
  MEMORY_SUBJECTS_MAX: {
    kind: 'integer',
    from: '1',
    // So many subjects of two windows take about 600 MB.
    default: '1000000',
    does: 'with counters in memory: how many subjects are held at most',
  },
} as const satisfies Variables;

export const REDIS = {
  REDIS_TYPE: {
    kind: 'enum',
    values: ['SINGLE', 'CLUSTER', 'SENTINEL'],
    default: 'SINGLE',
    does: 'what `REDIS_URL` names',
  },
  REDIS_SOCKET_TYPE: {
    kind: 'enum',
    values: ['tcp', 'unix'],
    does: 'what `REDIS_URL` must then be: an address, or the path of a socket; its form tells if unset',
  },
  REDIS_URL: { kind: 'text', secret: true, does: 'where Redis is: [below](#redis_url)' },
  REDIS_AUTH: {
    kind: 'text',
    secret: true,
    does: '`password` or `user:password`, split at the first colon; goes before what `REDIS_URL` says',
  },
  REDIS_SENTINEL_AUTH: { kind: 'text', secret: true, does: 'the same for the Sentinels' },
  REDIS_TLS: { kind: 'bool', default: 'false', does: 'TLS to Redis' },
  REDIS_TLS_CLIENT_CERT: {
    kind: 'text',
    does: "file of the client's certificate; this and the next three for both Redis",
  },
  REDIS_TLS_CLIENT_KEY: { kind: 'text', does: 'file of its private key' },
  REDIS_TLS_CACERT: { kind: 'text', does: "file of a certificate authority for Redis, trusted beside Node's own" },
  REDIS_TLS_SKIP_HOSTNAME_VERIFICATION: {
    kind: 'bool',
    default: 'false',
    does: "the name in Redis's certificate is not checked; who signed it is",
  },
  REDIS_TIMEOUT: { kind: 'duration', from: '1ms', to: '24h', default: '10s', does: 'how long connecting may take' },
  REDIS_OP_TIMEOUT: {
    kind: 'duration',
    from: '1ms',
    to: '60s',
    // Beyond Envoy's own patience, but short enough that a frozen Redis is noticed before callers pile up.
    default: '100ms',
    does: 'no call waits longer for a silent Redis, nor three times as long for a busy one: [deadline](operations.md#when-redis-fails)',
  },
  REDIS_POOL_ON_EMPTY_BEHAVIOR: {
    kind: 'enum',
    values: ['WAIT'],
    refused: NO_POOL_GROWTH,
    default: 'WAIT',
    does: 'what a call does when no connection is free',
  },
  REDIS_HEALTH_CHECK_ACTIVE_CONNECTION: { kind: 'bool', default: 'false', does: 'health needs a connection to Redis' },
  REDIS_STARTUP_INITIAL_INTERVAL: {
    kind: 'duration',
    from: '1ms',
    to: '24h',
    default: '100ms',
    does: 'the first pause between attempts to connect at the start',
  },
  REDIS_STARTUP_MAX_INTERVAL: {
    kind: 'duration',
    from: '1ms',
    to: '24h',
    default: '500ms',
    does: 'the longest of them',
  },
  REDIS_STARTUP_MAX_ELAPSED_TIME: {
    kind: 'duration',
    from: '0',
    to: '24h',
    default: '0',
    does: 'the process ends if Redis was not there by then; 0: it never does',
  },
  CACHE_KEY_PREFIX: {
    kind: 'text',
    default: '',
    does: 'put before every key in Redis, which then begins with `<prefix>hr:`: [keys](operations.md#redis). In a Cluster braces in it put all keys on one slot',
  },
  EXPIRATION_JITTER_MAX_SECONDS: {
    kind: 'integer',
    from: '-4294967295',
    default: '300',
    does: 'keys are kept up to so many seconds longer, so that they do not all expire at once; 0 or less: no longer',
  },
} as const satisfies Variables;

export const REDIS_PER_SECOND = {
  REDIS_PERSECOND: { kind: 'bool', default: 'false', does: 'limits per second are counted in a Redis of their own' },
  REDIS_PERSECOND_TYPE: {
    kind: 'enum',
    values: ['SINGLE', 'CLUSTER', 'SENTINEL'],
    default: 'SINGLE',
    does: 'as `REDIS_TYPE`',
  },
  REDIS_PERSECOND_SOCKET_TYPE: { kind: 'enum', values: ['tcp', 'unix'], does: 'as `REDIS_SOCKET_TYPE`' },
  REDIS_PERSECOND_URL: {
    kind: 'text',
    secret: true,
    default: '/var/run/nutcracker/ratelimitpersecond.sock',
    does: 'as `REDIS_URL`',
  },
  REDIS_PERSECOND_AUTH: { kind: 'text', secret: true, does: 'as `REDIS_AUTH`' },
  REDIS_PERSECOND_SENTINEL_AUTH: { kind: 'text', secret: true, does: 'as `REDIS_SENTINEL_AUTH`' },
  REDIS_PERSECOND_TLS: { kind: 'bool', default: 'false', does: 'as `REDIS_TLS`' },
  REDIS_PERSECOND_TIMEOUT: {
    kind: 'duration',
    from: '1ms',
    to: '24h',
    default: '10s',
    does: 'as `REDIS_TIMEOUT`',
  },
  REDIS_PERSECOND_POOL_ON_EMPTY_BEHAVIOR: {
    kind: 'enum',
    values: ['WAIT'],
    refused: NO_POOL_GROWTH,
    default: 'WAIT',
    does: 'as `REDIS_POOL_ON_EMPTY_BEHAVIOR`',
  },
} as const satisfies Variables;

export const DECIDING = {
  NEAR_LIMIT_RATIO: {
    kind: 'float',
    from: '0',
    to: '1',
    default: '0.8',
    does: 'from which share of a limit on the statistics count a hit as near the limit',
  },
  LOCAL_CACHE_SIZE_IN_BYTES: {
    kind: 'integer',
    to: '1099511627776',
    default: '0',
    does: 'for how many bytes refusals are remembered, for a second at most, so that Redis is not asked again; 0: none',
  },
  STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT: {
    kind: 'bool',
    default: 'false',
    does: 'where one `rate_limit` of a call is exceeded, its others are not charged',
  },
  SHADOW_MODE: { kind: 'bool', default: 'false', does: 'everything is counted and reported, and nothing denied' },
  QUOTA_MODE: { kind: 'bool', default: 'false', does: 'every limit is one of `quota_mode`' },
  RESPONSE_DYNAMIC_METADATA: {
    kind: 'bool',
    default: 'false',
    does: 'answers carry the request and the `metadata` of its rules as dynamic metadata',
  },
  LIMIT_RESPONSE_HEADERS_ENABLED: {
    kind: 'bool',
    default: 'false',
    does: 'answers carry the three headers below in domains whose headers are `reference`',
  },
  LIMIT_LIMIT_HEADER: { kind: 'text', default: 'RateLimit-Limit', does: "name of the limit's header" },
  LIMIT_REMAINING_HEADER: { kind: 'text', default: 'RateLimit-Remaining', does: 'name of the header for what is left' },
  LIMIT_RESET_HEADER: {
    kind: 'text',
    default: 'RateLimit-Reset',
    does: 'name of the header for the seconds until the window ends',
  },
} as const satisfies Variables;
