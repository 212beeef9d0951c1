/** What leaves the process for Redis: how many commands, whose clock, and no secret. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { keyHasher } from '../../src/adapters/node-crypto/hash-api-key.ts';
import { readPolicies } from '../../src/adapters/policy-file/read-policy.ts';
import { RedisStore } from '../../src/adapters/redis/redis-store.ts';
import { Limiter } from '../../src/app/limiter.ts';
import { compilePolicy } from '../../src/core/compile-policy.ts';
import type { Hit } from '../../src/core/hit.ts';
import type { DomainPolicy, PolicySet } from '../../src/core/policy.ts';
import type { CounterStore } from '../../src/ports/counter-store.ts';
import { countsOf, of, request } from '../core/build.ts';
import { TestRedis } from '../support/redis.ts';
import { ManualClock } from './manual-clock.ts';
import { commandsDuring as allCommandsDuring } from './redis-monitor.ts';
import { connectTo, keyOf, openStore } from './redis-under-test.ts';
import { hit, someone, windowOfSeconds, windows } from './store-under-test.ts';

let redis: TestRedis;
let store: RedisStore;
beforeAll(async () => {
  redis = await TestRedis.start();
  store = await openStore(redis);
});
afterAll(async () => {
  await store.close();
  await redis.stop();
});

function limiterOf(policies: PolicySet, counters: CounterStore, clockSeconds: number, secret?: string): Limiter {
  return new Limiter({
    policies: { current: () => policies },
    store: { take: (hits) => counters.take(hits) },
    clock: new ManualClock(clockSeconds),
    observer: { decided: () => undefined, undecided: () => undefined, refused: () => undefined },
    hasher: keyHasher({ secret, previousSecret: undefined }),
  });
}

function policies(...all: readonly DomainPolicy[]): PolicySet {
  return new Map(all.map((policy) => [policy.domain, policy]));
}

/** Of clients; what scripts do is not among them. */
async function commandsDuring(action: () => Promise<unknown>): Promise<string[][]> {
  const commands = await allCommandsDuring(redis, action);
  return commands.filter(({ byScript }) => !byScript).map(({ args }) => [...args]);
}

describe('a request', () => {
  const one = () => [hit(someone(), windows({ a: 9, b: 9 }))];
  const several = () => [...one(), ...one(), hit(someone(), windows({ c: 9 }), { charging: 'always' })];

  const keyed = (): Hit[] => {
    const record = 'key_0123456789ab';
    const unknown = { subject: someone(), record, windows: windows({ a: 9 }) };
    const key = { hashes: ['a hash', 'another'], ownLimits: true, refusesInactive: true, unknown };
    return [hit(someone(), windows({ a: 9, b: 9 }), { record, key })];
  };

  test.each([
    { title: 'of one descriptor', hits: one },
    { title: 'with an API key', hits: keyed },
    { title: 'with several API keys', hits: () => [...keyed(), ...one(), ...keyed()] },
    { title: 'of several descriptors', hits: several },
    { title: 'that peeks', hits: () => [hit(someone(), windows({ a: 9 }), { cost: 0, need: 1 })] },
    { title: 'that is denied', hits: () => [hit(someone(), windows({ a: 0 }))] },
    { title: 'that is always charged', hits: () => [hit(someone(), windows({ a: 0 }), { charging: 'always' })] },
  ])('$title is one command, once its script is known', async ({ hits }) => {
    await store.take(hits());
    const commands = await commandsDuring(async () => {
      for (let times = 0; times < 10; times++) await store.take(hits());
    });
    expect(commands.map(([name]) => name?.toLowerCase())).toEqual(Array.from({ length: 10 }, () => 'evalsha'));
  });

  test('whose script Redis does not know is two: the second brings the script', async () => {
    await redis.client.script('FLUSH');
    const commands = await commandsDuring(() => store.take(one()));
    expect(commands.map(([name]) => name?.toLowerCase())).toEqual(['evalsha', 'eval']);
  });

  test('that fails for another reason is not sent again', async () => {
    const subject = someone();
    await redis.client.rpush(keyOf(subject), 'somebody else');
    await store.take(one());
    const hits = [hit(subject, windows({ a: 9, b: 9 }))];
    const commands = await commandsDuring(() => store.take(hits).catch(() => undefined));
    await redis.client.del(keyOf(subject));
    expect(commands.map(([name]) => name?.toLowerCase())).toEqual(['evalsha']);
  });

  test('names every key that it touches', async () => {
    const hits = several();
    await store.take(hits);
    const [command] = await commandsDuring(() => store.take(hits));
    const [, , keys, ...rest] = command as string[];
    expect(Number(keys)).toBe(3);
    expect(rest.slice(0, 3).every((key) => /^test:hr:[\w-]{22}$/.test(key))).toBe(true);
  });

  test('with an API key names its counters and its record, all on one slot of a cluster', async () => {
    const hits = keyed();
    await store.take(hits);
    const [command] = await commandsDuring(() => store.take(hits));
    const [, , keys, ...rest] = command as string[];
    expect(Number(keys)).toBe(3);
    expect(rest.slice(0, 3)).toEqual([
      expect.stringMatching(/^test:hr:\{key_0123456789ab\}:[\w-]{22}$/),
      'test:hr:key:{key_0123456789ab}',
      expect.stringMatching(/^test:hr:\{key_0123456789ab\}:[\w-]{22}$/),
    ]);
  });
});

describe('the clock of this node', () => {
  const yearly = compilePolicy({
    domain: 'd',
    descriptors: [
      {
        key: 'k',
        limits: [
          { requests: 100, per: 'hour' },
          { requests: 5, per: 'year' },
        ],
      },
    ],
  });

  test('an hour fast, right or an hour slow, changes no decision and no header', async () => {
    const [redisSeconds] = await redis.client.time();
    const offs = [0, 3_600, -3_600, 86_400 * 365];
    const limiters = offs.map((off) => limiterOf(policies(yearly), store, Number(redisSeconds) + off));
    const ask = request([of({ k: someone() })]);
    for (let asked = 0; asked < 8; asked++) {
      const { decision, answer } = await limiters[asked % limiters.length]!.decide(ask, { door: 'rls' });
      const fields = Object.fromEntries(answer.headers);
      const end = decision.nowSeconds - (decision.nowSeconds % 31_536_000) + 31_536_000;
      expect(decision.allowed).toBe(asked < 5);
      expect(decision.nowSeconds).toBeGreaterThanOrEqual(Number(redisSeconds));
      expect(decision.nowSeconds).toBeLessThan(Number(redisSeconds) + 60);
      expect(fields).toMatchObject({
        'RateLimit-Remaining': String(Math.max(0, 4 - asked)),
        'RateLimit-Reset': String(end - decision.nowSeconds),
        'X-RateLimit-Reset': String(end),
      });
    }
  });
});

describe('an API key', () => {
  const file = new URL('../../examples/closient.yaml', import.meta.url).pathname;
  const keys = ['csk_0123456789abcdefghijABCDEFGHIJ01', 'cpk_0123456789abcdefghijABCDEFGHIJ01', 'unprefixed secret'];

  test.each([
    { title: 'hashed', secret: undefined },
    { title: 'hashed with a secret', secret: 'pepper' },
  ])('is never sent to Redis in clear, nor kept there in any key or value: $title', async ({ secret }) => {
    const limiter = limiterOf(readPolicies(file), store, 0, secret);
    const asks = keys.map((value) => ({ domain: 'closient', descriptors: [of({ api_key: value })], hitsAddend: 0 }));
    const commands = await commandsDuring(async () => {
      for (const ask of asks) await limiter.decide(ask, { door: 'rls' });
    });
    expect(commands.length).toBeGreaterThanOrEqual(keys.length);
    const everything = [commands.flat().join('\n'), await dump()].join('\n');
    for (const key of keys) {
      for (const spelling of [key, key.slice(4, 20), hex(key), base64(key), base64url(key)]) {
        expect(everything).not.toContain(spelling);
      }
    }
  });

  /** All bytes of all keys and values. */
  async function dump(): Promise<string> {
    const names = await redis.client.keysBuffer('*');
    expect(names.length).toBeGreaterThan(0);
    const values = await Promise.all(names.map((name) => redis.client.getBuffer(name)));
    const bytes = [...names, ...values.map((value) => value ?? Buffer.alloc(0))];
    return bytes.map((each) => `${each.toString('latin1')}\n${each.toString('hex')}`).join('\n');
  }

  const hex = (key: string) => Buffer.from(key).toString('hex');
  const base64 = (key: string) => Buffer.from(key).toString('base64').replace(/=+$/, '');
  const base64url = (key: string) => Buffer.from(key).toString('base64url');
});

test('no value of a descriptor is kept in clear, secret or not', async () => {
  const policy = compilePolicy({
    domain: 'd',
    descriptors: [{ key: 'email', limits: [{ requests: 1, per: 'hour' }] }],
  });
  const limiter = limiterOf(policies(policy), store, 0);
  await limiter.decide(request([of({ email: 'somebody@example.org' })]), { door: 'rls' });
  const names = await redis.client.keys('*');
  expect(names.filter((name) => !/^test:hr:(\{key_0123456789ab\}:)?[\w-]{22}$/.test(name))).toEqual([]);
});

test('a prefix keeps the counters of two installations in one Redis apart', async () => {
  const connection = await connectTo(redis);
  const other = new RedisStore({ redis: connection, keyPrefix: 'other:', expirationJitterMaxSeconds: 0 });
  const subject = someone();
  await other.take([hit(subject, [windowOfSeconds(1_000_000_000, 9)], { cost: 5 })]);
  const counts = countsOf(await store.take([hit(subject, [windowOfSeconds(1_000_000_000, 9)])]));
  await other.close();
  expect(counts[1]).toBe(0);
});
