/** Redis behind its store, with a look at the bytes: the layout of a value is written down here once more, on purpose. */
import { createHash } from 'node:crypto';
import { Cluster } from 'ioredis';
import { openRedis, type RedisConnection, type RedisOptions } from '../../src/adapters/redis/connect.ts';
import { RedisStore } from '../../src/adapters/redis/redis-store.ts';
import { activeUntil } from '../../src/core/key-record.ts';
import { until } from '../support/children.ts';
import type { TestRedis } from '../support/redis.ts';
import { isConnected } from '../support/redis-connected.ts';
import type { Planted, StoreUnderTest } from './store-under-test.ts';

export const PREFIX = 'test:';

/** Of one window: length (4 bytes), start (5), used (7), little-endian. */
const RECORD_BYTES = 16;

/** As the service opens it, and ready to be used. */
export async function connectTo(redis: TestRedis): Promise<RedisConnection> {
  return connectWith({ topology: { type: 'single', endpoint: { path: redis.socket } } });
}

export async function connectWith(
  options: Pick<RedisOptions, 'topology'> & Partial<RedisOptions>,
): Promise<RedisConnection> {
  const startup = { initialMillis: 20, maxMillis: 200, maxElapsedMillis: 0 };
  const events = { onLost: () => undefined, onBack: () => undefined };
  const connection = openRedis({ dialTimeoutMillis: 1_000, startup, ...options }, events);
  await until('the connection is ready', () => isReady(connection));
  return connection;
}

/** Every primary is connected to. */
export function isReady(connection: RedisConnection): boolean {
  const { client } = connection;
  return (
    isConnected(connection) &&
    (!(client instanceof Cluster) || client.nodes('master').every(({ status }) => status === 'ready'))
  );
}

export async function openStore(redis: TestRedis, expirationJitterMaxSeconds = 0): Promise<RedisStore> {
  return new RedisStore({ redis: await connectTo(redis), keyPrefix: PREFIX, expirationJitterMaxSeconds });
}

export function keyOf(subject: string, prefix = PREFIX): string {
  return `${prefix}hr:${createHash('sha256').update(subject).digest('base64url').slice(0, 22)}`;
}

export function pack(windows: readonly Planted[]): Buffer {
  const value = Buffer.alloc(RECORD_BYTES * windows.length);
  windows.forEach(({ seconds, start, used }, index) => {
    const at = RECORD_BYTES * index;
    value.writeUInt32LE(seconds, at);
    value.writeUIntLE(start, at + 4, 5);
    // 7 bytes are one more than Buffer writes at once.
    value.writeUIntLE(used % 2 ** 24, at + 9, 3);
    value.writeUInt32LE(Math.floor(used / 2 ** 24), at + 12);
  });
  return value;
}

export function unpack(value: Buffer): Planted[] {
  return Array.from({ length: value.length / RECORD_BYTES }, (_, index) => {
    const at = RECORD_BYTES * index;
    return {
      seconds: value.readUInt32LE(at),
      start: value.readUIntLE(at + 4, 5),
      used: value.readUIntLE(at + 9, 3) + value.readUInt32LE(at + 12) * 2 ** 24,
    };
  });
}

export async function redisUnderTest(redis: TestRedis): Promise<StoreUnderTest> {
  return underTest(await connectTo(redis));
}

export function underTest(redis: RedisConnection): StoreUnderTest {
  const { client } = redis;
  return {
    store: new RedisStore({ redis, keyPrefix: PREFIX, expirationJitterMaxSeconds: 0 }),
    async plant(subject, windows) {
      await client.set(keyOf(subject), pack(windows));
    },
    async register({ record, credentials: { hash, rotated } }) {
      const fields: Record<string, string | number> = { hash, until: activeUntil(record) };
      if (record.rateLimitPerMinute > 0) fields['max:60'] = record.rateLimitPerMinute;
      if (record.rateLimitPerDay > 0) fields['max:86400'] = record.rateLimitPerDay;
      if (rotated) Object.assign(fields, { rotated: rotated.hash, rotated_until: rotated.untilSeconds });
      const key = `${PREFIX}hr:key:{${record.id}}`;
      await client.del(key);
      await client.hset(key, fields);
    },
    async held(subjects) {
      const values = await Promise.all(subjects.map((subject) => client.getBuffer(keyOf(subject))));
      return values.map((value) => value?.toString('hex'));
    },
  };
}
