/** A request goes through policy and counters to an answer, is observed once, and needs no store where no limit is. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { MemoryStore } from '../../src/adapters/memory/memory-store.ts';
import { Limiter } from '../../src/app/limiter.ts';
import { compilePolicy } from '../../src/core/compile-policy.ts';
import type { Decision } from '../../src/core/decision.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { InvalidRequest, Undecidable } from '../../src/core/errors.ts';
import type { Hit } from '../../src/core/hit.ts';
import type { DomainPolicy } from '../../src/core/policy.ts';
import type { Taken } from '../../src/core/verdict.ts';
import type { Door } from '../../src/ports/observer.ts';
import { hasherForTest } from '../core/build.ts';
import { ManualClock } from '../support/clock.ts';

const POLICY = compilePolicy({
  domain: 'doors',
  descriptors: [
    { key: 'user', limits: [{ requests: 3, per: 'minute' }] },
    { key: 'api_key', api_keys: true, limits: [{ requests: 3, per: 'minute' }] },
  ],
});

interface Observed {
  readonly door: Door;
  readonly domain: string | undefined;
  readonly what: Decision['reason'] | Undecidable['code'];
  readonly millis: number;
}

const clock = new ManualClock();
let store: MemoryStore;
/** What the store was asked: hits, and the time that the caller had left. */
let asked: { hits: readonly Hit[]; callerMillis: number | undefined }[];
let observed: Observed[];
let refused: Door[];
/** What would have been charged by requests that could not be decided. */
let attempted: Hit[];
let outage: Error | undefined;
let policies: Map<string, DomainPolicy>;
let limiter: Limiter;

beforeEach(() => {
  store = new MemoryStore({ clock, subjectsMax: 100 });
  asked = [];
  observed = [];
  attempted = [];
  refused = [];
  outage = undefined;
  policies = new Map([['doors', POLICY]]);
  limiter = new Limiter({
    policies: { current: () => policies },
    clock,
    hasher: { ...hasherForTest, hash: (key) => `hash of ${key.length}` },
    store: {
      async take(hits, callerMillis): Promise<Taken> {
        asked.push({ hits, callerMillis });
        clock.advance(7);
        if (outage) throw outage;
        return store.take(hits);
      },
    },
    observer: {
      decided: ({ door, domain, durationMillis: millis }, { reason }) =>
        observed.push({ door, domain, what: reason, millis }),
      undecided: ({ door, domain, durationMillis: millis }, { code }, plan) => {
        observed.push({ door, domain, what: code, millis });
        attempted.push(...(plan?.hits ?? []));
      },
      refused: ({ door }) => refused.push(door),
    },
  });
});

function of(key: string, value: string): Descriptor {
  return { entries: [{ key, value }], isNegativeHits: false };
}

function ask(domain: string, ...descriptors: Descriptor[]) {
  return limiter.decide({ domain, descriptors, hitsAddend: 0 }, { door: 'rls' });
}

describe('a limited request', () => {
  test('is decided with one call of the store, whatever the number of descriptors', async () => {
    const { decision } = await ask('doors', of('user', 'a'), of('free', ''), of('user', 'b'));
    expect(decision).toMatchObject({ allowed: true, reason: 'within_limit' });
    expect(decision.statuses).toHaveLength(3);
    expect(asked).toMatchObject([{ hits: [{ cost: 1 }, { cost: 1 }] }]);
  });

  test('is told in the style of its domain', async () => {
    const { answer } = await ask('doors', of('user', 'a'));
    expect(new Map(answer.headers).get('RateLimit-Limit')).toBe('3');
  });

  test('is decided by the clock of the store', async () => {
    const { decision } = await ask('doors', of('user', 'a'));
    expect(decision.nowSeconds).toBe(Math.floor(clock.nowMillis() / 1_000));
  });

  test('passes on how long its caller still waits', async () => {
    const request = { domain: 'doors', descriptors: [of('user', 'a')], hitsAddend: 0 };
    await limiter.decide(request, { door: 'rls', remainingMillis: 20 });
    expect(asked).toMatchObject([{ callerMillis: 20 }]);
  });

  test('is observed once, by the door that it came through and with how long it took', async () => {
    for (let call = 0; call < 4; call++) await ask('doors', of('user', 'a'));
    expect(observed).toEqual([
      ...Array.from({ length: 3 }, () => ({ door: 'rls', domain: 'doors', what: 'within_limit', millis: 7 })),
      { door: 'rls', domain: 'doors', what: 'over_limit', millis: 7 },
    ]);
  });

  test('follows the policies in force at the moment, not those at the start', async () => {
    await ask('doors', of('user', 'a'));
    policies = new Map();
    const { decision } = await ask('doors', of('user', 'a'));
    expect(decision.reason).toBe('no_limit');
    expect(asked).toHaveLength(1);
  });

  test('gives the store the hash of an API key, never the key', async () => {
    await ask('doors', of('api_key', 'csk_secret'));
    expect(asked[0]?.hits[0]?.subject).toContain('hash of 10');
    expect(JSON.stringify(asked)).not.toContain('csk_secret');
  });
});

describe('a request without a limit', () => {
  test.each<[what: string, domain: string, descriptor: Descriptor]>([
    ['in a domain without a policy', 'elsewhere', of('user', 'a')],
    ['by a descriptor that no policy names', 'doors', of('free', '')],
    ['by a descriptor without entries', 'doors', { entries: [], isNegativeHits: false }],
  ])('(%s) is allowed without asking the store', async (_what, domain, descriptor) => {
    const { decision, answer } = await ask(domain, descriptor);
    expect(decision).toMatchObject({ allowed: true, reason: 'no_limit', statuses: [{ reason: 'no_limit' }] });
    expect(answer).toMatchObject({ headers: [], body: undefined });
    expect(asked).toEqual([]);
  });

  test('is allowed during an outage', async () => {
    outage = new Undecidable('STORE_FAILED', 'gone');
    const { decision } = await ask('doors', of('free', ''));
    expect(decision.allowed).toBe(true);
  });

  test('is observed without the name of a domain that only its caller knows', async () => {
    await ask('elsewhere', of('user', 'a'));
    expect(observed).toEqual([{ door: 'rls', domain: undefined, what: 'no_limit', millis: 0 }]);
  });
});

describe('a request that cannot be decided', () => {
  test('fails as the store did, and is observed once', async () => {
    outage = new Undecidable('STORE_TIMEOUT', 'too slow');
    await expect(ask('doors', of('user', 'a'))).rejects.toBe(outage);
    expect(observed).toEqual([{ door: 'rls', domain: 'doors', what: 'STORE_TIMEOUT', millis: 7 }]);
    expect(attempted).toMatchObject([{ cost: 1 }]);
  });

  test('is a failure even where only one of its descriptors has a limit', async () => {
    outage = new Undecidable('STORE_OPEN', 'down');
    await expect(ask('doors', of('free', ''), of('user', 'a'))).rejects.toBe(outage);
  });
});

describe('a request that is invalid', () => {
  test('is refused before anything is looked up, and is no decision to observe', async () => {
    await expect(ask('', of('user', 'a'))).rejects.toBeInstanceOf(InvalidRequest);
    await expect(ask('doors')).rejects.toBeInstanceOf(InvalidRequest);
    expect(refused).toEqual(['rls', 'rls']);
    await expect(ask('doors', of('a'.repeat(9_000), ''))).rejects.toMatchObject({
      field: 'descriptors[0].entries[0].key',
    });
    expect(asked).toEqual([]);
    expect(observed).toEqual([]);
  });

  test('is refused during an outage, too: it is the mistake of the caller', async () => {
    outage = new Undecidable('STORE_OPEN', 'down');
    await expect(ask('', of('user', 'a'))).rejects.toBeInstanceOf(InvalidRequest);
  });
});

describe('the trace of a sampled request', () => {
  /** Every event, in order. */
  function traced() {
    const events: string[] = [];
    const trace = {
      storeCall: (hits: number) => {
        events.push(`store call of ${hits}`);
        return (error: Undecidable | undefined) => events.push(`store call ended ${error?.code ?? 'well'}`);
      },
      decided: (domain: string | undefined, { reason }: Decision) => events.push(`${domain} decided ${reason}`),
    };
    return { events, trace };
  }

  test('holds the store call and the decision', async () => {
    const { events, trace } = traced();
    const request = { domain: 'doors', descriptors: [of('user', 'a')], hitsAddend: 0 };
    await limiter.decide(request, { door: 'check', trace });
    expect(events).toEqual(['store call of 1', 'store call ended well', 'doors decided within_limit']);
  });

  test('holds the failure of the store call', async () => {
    const { events, trace } = traced();
    outage = new Undecidable('STORE_TIMEOUT', 'too slow');
    const request = { domain: 'doors', descriptors: [of('user', 'a')], hitsAddend: 0 };
    await expect(limiter.decide(request, { door: 'check', trace })).rejects.toBe(outage);
    expect(events).toEqual(['store call of 1', 'store call ended STORE_TIMEOUT']);
  });

  test('holds no store call where none was made', async () => {
    const { events, trace } = traced();
    const request = { domain: 'doors', descriptors: [of('free', '')], hitsAddend: 0 };
    await limiter.decide(request, { door: 'check', trace });
    expect(events).toEqual(['doors decided no_limit']);
  });
});
