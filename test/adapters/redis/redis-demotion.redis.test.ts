import { expect, test } from '@jest/globals';
import { RedisStore } from '../../../src/adapters/redis/redis-store.ts';
import { connectTo } from '../../contract/redis-under-test.ts';
import { until } from '../../support/children.ts';
import { TestRedis } from '../../support/redis.ts';

test('a primary that is demoted is left for a new connection, which finds the primary of now', async () => {
  const server = await TestRedis.start();
  const redis = await connectTo(server);
  const store = new RedisStore({ redis, keyPrefix: '', expirationJitterMaxSeconds: 0 });
  try {
    await until('the store answers', () => isAnswered(store));
    const before = await redis.client.client('ID');
    // A replica of nothing that exists: it keeps its connections, and refuses to write.
    await server.client.replicaof('127.0.0.1', 1);
    await expect(store.probe()).rejects.toThrow('READONLY');
    await server.client.replicaof('NO', 'ONE');
    await until('the store answers again', () => isAnswered(store));
    expect(await redis.client.client('ID')).not.toBe(before);
  } finally {
    await store.close();
    await server.stop();
  }
});

function isAnswered(store: RedisStore): Promise<boolean> {
  return store.probe().then(
    () => true,
    () => false,
  );
}
