/** Opens the connection to Redis: one that never queues while it is down, and never gives up coming back. */
import { Redis } from 'ioredis';

/** Where and as whom. */
export interface RedisAddress {
  readonly host?: string;
  readonly port?: number;
  /** A unix socket instead of host and port. */
  readonly path?: string;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly tls?: boolean;
}

// A restarted Redis is found again within this time, whatever came before.
const RECONNECT_MILLIS_MAX = 500;
// A frozen server accepts connections and says nothing: without these a client would wait for ever.
const CONNECT_TIMEOUT_MILLIS = 1_000;
const SILENCE_MILLIS_MAX = 5_000;

/** @param onError every failure of the connection, which is tried again by itself */
export function connectRedis(address: RedisAddress, onError: (error: Error) => void): Redis {
  const { tls, ...rest } = address;
  const redis = new Redis({
    ...rest,
    ...(tls === true ? { tls: {} } : {}),
    connectTimeout: CONNECT_TIMEOUT_MILLIS,
    socketTimeout: SILENCE_MILLIS_MAX,
    retryStrategy: (times) => Math.min(50 * times, RECONNECT_MILLIS_MAX),
    // A charge that waited for a connection would be made long after its caller was answered.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    disableClientInfo: true,
    protocol: 2,
    replyMapping: 'legacy',
  });
  redis.on('error', onError);
  return redis;
}
