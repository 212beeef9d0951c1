import { afterAll, beforeAll } from '@jest/globals';
import { TestRedis } from '../support/redis.ts';
import { redisUnderTest } from './redis-under-test.ts';
import { describeStore } from './store-contract.ts';

let redis: TestRedis;
beforeAll(async () => {
  redis = await TestRedis.start();
});
afterAll(() => redis.stop());

describeStore('Redis', () => redisUnderTest(redis));
