/** Opens what counters and the records of API keys live in. */
import { MemoryKeys } from '../adapters/memory/memory-keys.ts';
import { MemoryStore } from '../adapters/memory/memory-store.ts';
import { openRedis, type RedisEvents } from '../adapters/redis/connect.ts';
import { RedisKeys } from '../adapters/redis/redis-keys.ts';
import { RedisStore } from '../adapters/redis/redis-store.ts';
import { systemClock } from '../adapters/system-clock/system-clock.ts';
import type { Config } from '../config/config.ts';
import type { Pool } from '../observability/stats/registry.ts';
import type { Stats } from '../observability/stats/stats.ts';
import type { CounterStore } from '../ports/counter-store.ts';
import type { KeyRegistry } from '../ports/key-registry.ts';
import type { Log } from '../ports/log.ts';
import type { HealthState } from '../surfaces/health/health-state.ts';

export interface Stores {
  readonly counters: CounterStore;
  readonly registry: KeyRegistry;
}

export interface StoreWatchers {
  readonly log: Log;
  readonly stats: Stats | undefined;
  readonly health: HealthState;
  /** Redis was not reached for as long as it was to be waited for. Called at most once for each Redis. */
  readonly onGiveUp?: ((error: Error) => void) | undefined;
}

export function openStores({ store }: Config, watchers: StoreWatchers): Stores {
  if (store.type === 'memory') {
    const registry = new MemoryKeys({ clock: systemClock });
    const counters = new MemoryStore({ clock: systemClock, subjectsMax: store.subjectsMax, keys: registry });
    return { registry, counters };
  }
  const live = store.healthNeedsConnection ? new LiveConnections(watchers.health) : undefined;
  const events = (pool: Pool) => redisEvents(pool, watchers, live);
  const redis = openRedis(store.redis, events('redis_pool'));
  const perSecond = store.perSecond && openRedis(store.perSecond, events('redis_per_second_pool'));
  return { counters: new RedisStore({ ...store, redis, perSecond }), registry: new RedisKeys({ ...store, redis }) };
}

const NAMES: Readonly<Record<Pool, string>> = { redis_pool: 'Redis', redis_per_second_pool: 'the Redis for seconds' };

function redisEvents(
  pool: Pool,
  { log, stats, onGiveUp }: StoreWatchers,
  live: LiveConnections | undefined,
): RedisEvents {
  const counted = stats?.pool(pool);
  live?.changed(pool, 0);
  return {
    onLost: (error) => log.warn({ err: error }, `the connection to ${NAMES[pool]} is lost, trying again`),
    onBack: () => log.info({}, `the connection to ${NAMES[pool]} is back`),
    ...(onGiveUp ? { onGiveUp } : {}),
    pool: {
      opened: () => counted?.opened(),
      closed: () => counted?.closed(),
      ready: () => live?.changed(pool, 1),
      unready: () => live?.changed(pool, -1),
    },
  };
}

/** Takes health down while a pool has no connection that takes commands (REDIS_HEALTH_CHECK_ACTIVE_CONNECTION). */
class LiveConnections {
  readonly #health: HealthState;
  readonly #connections = new Map<Pool, number>();

  constructor(health: HealthState) {
    this.#health = health;
  }

  changed(pool: Pool, by: -1 | 0 | 1): void {
    this.#connections.set(pool, (this.#connections.get(pool) ?? 0) + by);
    this.#health.setReason('redis', [...this.#connections.values()].includes(0));
  }
}
