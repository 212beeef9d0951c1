import { afterAll, beforeAll } from '@jest/globals';
import type { RedisConnection } from '../../src/adapters/redis/connect.ts';
import { RedisKeys } from '../../src/adapters/redis/redis-keys.ts';
import { TestRedis } from '../support/redis.ts';
import { describeKeys } from './key-registry-contract.ts';
import { connectTo } from './redis-under-test.ts';

let redis: TestRedis;
let connection: RedisConnection;
beforeAll(async () => {
  redis = await TestRedis.start();
  connection = await connectTo(redis);
});
afterAll(async () => {
  connection.close();
  await redis.stop();
});

let opened = 0;
describeKeys('Redis', () => {
  opened += 1;
  const keyPrefix = `registry ${opened}:`;
  return {
    registry: new RedisKeys({ redis: connection, keyPrefix }),
    // Its clock is its own: every expiry of this registry comes so much nearer.
    pass: async (seconds) => {
      for (const key of await redis.client.keys(`${keyPrefix}*`)) {
        const left = await redis.client.pttl(key);
        if (left > 0) await redis.client.pexpire(key, left - seconds * 1_000);
      }
    },
  };
});
