/** What is told of a connection: that it is there, lost, back, or never came. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openRedis, type RedisOptions } from '../../../src/adapters/redis/connect.ts';
import { Startup } from '../../../src/adapters/redis/startup.ts';
import { until } from '../../support/children.ts';
import { freePort } from '../../support/ports.ts';
import { TestRedis } from '../../support/redis.ts';
import { isConnected } from '../../support/redis-connected.ts';

let server: TestRedis;
beforeAll(async () => {
  server = await TestRedis.start();
});
afterAll(() => server.stop());

function open(options: Pick<RedisOptions, 'topology'> & Partial<RedisOptions>) {
  const told: string[] = [];
  const reasons: string[] = [];
  const startup = { initialMillis: 20, maxMillis: 50, maxElapsedMillis: 0 };
  const redis = openRedis(
    { dialTimeoutMillis: 500, startup, ...options },
    {
      onLost: ({ message }) => {
        told.push('lost');
        reasons.push(message);
      },
      onBack: () => told.push('back'),
      onGiveUp: (error) => told.push(error.message),
      pool: {
        opened: () => told.push('opened'),
        closed: () => told.push('closed'),
        ready: () => told.push('ready'),
        unready: () => told.push('unready'),
      },
    },
  );
  return { redis, told, reasons };
}

test('opened, lost, back and closed are told once each', async () => {
  const { redis, told } = open({ topology: { type: 'single', endpoint: { host: '127.0.0.1', port: server.port } } });
  expect(isConnected(redis)).toBe(false);
  await until('it is connected', () => isConnected(redis));
  await server.kill();
  await until('it is lost', () => told.includes('lost'));
  expect(isConnected(redis)).toBe(false);
  await server.start();
  await until('it is back', () => told.includes('back'));
  expect(isConnected(redis)).toBe(true);
  redis.close();
  await until('it is closed', () => told.filter((each) => each === 'closed').length === 2);
  const once = ['opened', 'ready', 'unready', 'closed'];
  expect(told).toEqual([...once, 'lost', 'opened', 'ready', 'back', 'unready', 'closed']);
});

test('a connection that is not let in is opened, and never ready', async () => {
  await server.client.config('SET', 'requirepass', 'right');
  const endpoint = { host: '127.0.0.1', port: server.port };
  const { redis, told } = open({ topology: { type: 'single', endpoint }, auth: { password: 'wrong' } });
  await until('it has come again', () => told.filter((each) => each === 'opened').length > 2);
  redis.close();
  await server.client.config('SET', 'requirepass', '');
  expect(told).not.toContain('ready');
});

test('a Cluster that is none is given up, and what the server says of it is told', async () => {
  const nodes = [{ host: '127.0.0.1', port: server.port }];
  const startup = { initialMillis: 20, maxMillis: 50, maxElapsedMillis: 500 };
  const { redis, told, reasons } = open({ topology: { type: 'cluster', nodes }, startup });
  const said = 'Failed to refresh slots cache. ERR This instance has cluster support disabled';
  const givenUp = `REDIS_STARTUP_MAX_ELAPSED_TIME: no connection to Redis within 500 ms: ${said}`;
  await until('it is given up', () => told.includes(givenUp));
  redis.close();
  expect(reasons).toEqual([said]);
});

describe('the first connection', () => {
  const nobody = async () => ({
    topology: { type: 'single' as const, endpoint: { host: '127.0.0.1', port: await freePort() } },
  });

  test('that does not come in time is told once, by the name of the variable', async () => {
    const startup = { initialMillis: 5, maxMillis: 10, maxElapsedMillis: 100 };
    for (const topology of [
      (await nobody()).topology,
      { type: 'cluster' as const, nodes: [(await nobody()).topology.endpoint] },
      { type: 'sentinel' as const, master: 'm', sentinels: [(await nobody()).topology.endpoint] },
    ]) {
      const { redis, told } = open({ topology, startup });
      await until('it is given up', () => told.some((each) => each.startsWith('REDIS_STARTUP_MAX_ELAPSED_TIME: ')));
      redis.close();
      expect(told.filter((each) => each.startsWith('REDIS'))).toHaveLength(1);
    }
  });

  test('that came in time ends the wait', async () => {
    let given = 0;
    const startup = new Startup({ initialMillis: 1, maxMillis: 1, maxElapsedMillis: 20 }, () => {
      given += 1;
    });
    startup.connected();
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(given).toBe(0);
  });

  test('is tried for after longer and longer times, and one that was there after short ones', () => {
    const startup = new Startup({ initialMillis: 1_000, maxMillis: 30_000, maxElapsedMillis: 0 }, () => undefined);
    const middles = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
    middles.forEach((middle, index) => {
      const millis = startup.delayMillis(index + 1);
      expect(millis).toBeGreaterThanOrEqual(middle * 0.5);
      expect(millis).toBeLessThanOrEqual(middle * 1.5);
    });
    startup.connected();
    expect([1, 2, 9, 10, 99].map((times) => startup.delayMillis(times))).toEqual([50, 100, 450, 500, 500]);
  });
});
