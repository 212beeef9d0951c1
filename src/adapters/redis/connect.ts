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
// Twice the longest turn of the event loop that a starved machine has shown: a stall must not look like silence.
const SILENCE_MILLIS_MAX = 10_000;

/** Told once when the connection is lost, not at every attempt to get it back, and once when it is back. */
export interface ConnectionEvents {
  readonly onLost: (error: Error) => void;
  readonly onBack: () => void;
}

/** Does not wait for the connection: until it is there, commands fail at once. */
export function connectRedis(address: RedisAddress, events: ConnectionEvents): Redis {
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
    // A demoted primary keeps its connections: only a new one finds the new primary behind the same name.
    reconnectOnError: (error) => error.message.includes('READONLY'),
    disableClientInfo: true,
    protocol: 2,
    replyMapping: 'legacy',
    // The client's own numbers are off by one near 2^53.
    stringNumbers: true,
  });
  let lost = false;
  redis.on('error', (error) => {
    if (!lost) events.onLost(error);
    lost = true;
  });
  redis.on('ready', () => {
    if (lost) events.onBack();
    lost = false;
  });
  return redis;
}

/**
 * Commands of one turn of the event loop leave in one write: a write of its own would cost each as much again, here
 * and in Redis.
 * @returns what is to be called before every command
 */
export function oneWritePerTurn(redis: Redis): () => void {
  let corked: Redis['stream'] | undefined;
  return () => {
    const { stream } = redis;
    // Before the first connection there is none; after a lost one, there is another.
    if (stream === undefined || stream === corked) return;
    corked = stream;
    stream.cork();
    setImmediate(() => {
      corked = undefined;
      stream.uncork();
    });
  };
}
