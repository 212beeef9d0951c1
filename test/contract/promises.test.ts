/** What callers are promised, kept by the whole decision path: policy, plan, counters, verdict and headers together. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MemoryStore } from '../../src/adapters/memory/memory-store.ts';
import { type Decided, Limiter } from '../../src/app/limiter.ts';
import type { DescriptorDefinition } from '../../src/core/definition.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import type { Window } from '../../src/core/limit.ts';
import { hasherForTest, of, policyOf, request } from '../core/build.ts';
import { ManualClock } from './manual-clock.ts';

const START = 1_800_000_000;

class Service {
  readonly clock = new ManualClock(START);
  readonly store = new MemoryStore({ clock: this.clock, subjectsMax: 1_000 });
  readonly #limiter: Limiter;

  constructor(descriptors: readonly DescriptorDefinition[]) {
    const policies = new Map([['d', policyOf(descriptors)]]);
    this.#limiter = new Limiter({
      policies: { current: () => policies },
      store: { take: (hits) => this.store.take(hits) },
      clock: this.clock,
      observer: { decided: () => undefined, undecided: () => undefined, refused: () => undefined },
      hasher: hasherForTest,
    });
  }

  ask(descriptors: readonly Descriptor[]): Promise<Decided> {
    return this.#limiter.decide(request(descriptors), { door: 'rls' });
  }

  /** Start and remaining of every window of the keys, charging nothing. */
  async counts(keys: readonly string[]): Promise<unknown> {
    const { decision } = await this.ask(keys.map((key) => of({ [key]: 'x' }, { hitsAddend: 0 })));
    return decision.statuses.map(({ readings }) => readings.map(({ endsAt, remaining }) => [endsAt, remaining]));
  }

  /** Repeats the request until it is denied: at most as often as the largest max, since each costs at least 1. */
  async exhaust(descriptors: readonly Descriptor[]): Promise<Decided> {
    for (let tries = 0; tries <= MAX; tries++) {
      const decided = await this.ask(descriptors);
      if (!decided.decision.allowed) return decided;
    }
    throw new Error('nothing was ever denied');
  }
}

const MAX = 12;
const KEYS = ['a', 'b', 'c'];
const length = fc.constantFrom('second', '7s', 'minute', '90s', '7m', 'hour', 'day', 'week', '10d', 'month');

/** @param costMax no window is smaller, so that any cost can pass some time */
function definition(key: string, costMax: number): fc.Arbitrary<DescriptorDefinition> {
  const max = fc.integer({ min: costMax, max: MAX });
  const limits = fc
    .uniqueArray(length, { minLength: 1, maxLength: 4 })
    .chain((lengths) => fc.tuple(...lengths.map((per) => fc.record({ requests: max, per: fc.constant(per) }))));
  return limits.map((windows) => ({ key, limits: windows }));
}

const COST_MAX = 3;
const cost = fc.integer({ min: 1, max: COST_MAX });
const some = fc.subarray(KEYS, { minLength: 1 });
const asking = fc.tuple(some, cost).map(([keys, hitsAddend]) => keys.map((key) => of({ [key]: 'x' }, { hitsAddend })));
/** Requests that came before, each after so many milliseconds. */
const history = fc.array(fc.record({ ask: asking, millis: fc.oneof(fc.nat(3_000), fc.nat(10_000_000)) }), {
  maxLength: 10,
});
const definitions = fc.tuple(...KEYS.map((key) => definition(key, COST_MAX)));
const moment = fc.nat(200_000_000);

interface Story {
  readonly limits: readonly DescriptorDefinition[];
  readonly past: readonly { readonly ask: readonly Descriptor[]; readonly millis: number }[];
  readonly ask: readonly Descriptor[];
  readonly millis: number;
}

const story: fc.Arbitrary<Story> = fc.record({ limits: definitions, past: history, ask: asking, millis: moment });

/** The service as it stands after its past, at a moment that is rarely a whole second. */
async function tell({ limits, past, millis }: Story): Promise<Service> {
  const service = new Service(limits);
  service.clock.millis = START * 1_000 + millis;
  for (const { ask, millis: later } of past) {
    service.clock.millis = service.clock.nowMillis() + later;
    await service.ask(ask);
  }
  return service;
}

function always(check: (service: Service, story: Story) => Promise<void>): Promise<void> {
  return fc.assert(
    fc.asyncProperty(story, async (each) => check(await tell(each), each)),
    { numRuns: 300 },
  );
}

describe('a denied caller', () => {
  test('is admitted at the promised second and not one second earlier', async () => {
    await always(async (service, { ask }) => {
      const { decision, answer } = await service.exhaust(ask);
      expect(decision.reason).toBe('over_limit');
      const seconds = answer.retryAfterSeconds as number;
      const end = decision.nowSeconds + seconds;
      // The last millisecond before, and the whole second before that as far as it is not the past.
      for (const millis of [(end - 1) * 1_000, end * 1_000 - 1]) {
        if (millis < service.clock.nowMillis()) continue;
        service.clock.millis = millis;
        expect((await service.ask(ask)).decision.allowed).toBe(false);
      }
      service.clock.millis = end * 1_000;
      expect((await service.ask(ask)).decision.allowed).toBe(true);
    });
  });

  test('is promised the same instant however often it asks again', async () => {
    await always(async (service, { ask }) => {
      const first = await service.exhaust(ask);
      const end = first.decision.nowSeconds + (first.answer.retryAfterSeconds as number);
      const steps = Math.min(5, first.answer.retryAfterSeconds as number);
      for (let second = 0; second < steps; second++) {
        service.clock.seconds = first.decision.nowSeconds + second;
        const { decision, answer } = await service.ask(ask);
        expect(decision.nowSeconds + (answer.retryAfterSeconds as number)).toBe(end);
      }
    });
  });

  test('changes no counter of any of its descriptors', async () => {
    await always(async (service, { ask }) => {
      await service.exhaust(ask);
      const before = await service.counts(KEYS);
      for (let tries = 0; tries < 3; tries++) {
        expect((await service.ask(ask)).decision.allowed).toBe(false);
        expect(await service.counts(KEYS)).toEqual(before);
      }
    });
  });

  test('that keeps trying at ten times the limit is admitted the full limit in every window', async () => {
    const service = new Service([
      {
        key: 'a',
        limits: [
          { requests: 5, per: 'minute' },
          { requests: 1_000, per: 'day' },
        ],
      },
    ]);
    for (let window = 0; window < 10; window++) {
      let admitted = 0;
      for (let tries = 0; tries < 50; tries++) {
        service.clock.millis = (START + 60 * window) * 1_000 + tries * 1_200;
        if ((await service.ask([of({ a: 'x' })])).decision.allowed) admitted += 1;
      }
      expect(admitted).toBe(5);
    }
  });
});

describe('every answer', () => {
  test('names one instant in four spellings, at least a second away, and what is left within 0 and max', async () => {
    await always(async (service, { ask }) => {
      for (let times = 0; times <= MAX; times++) {
        const { decision, answer } = await service.ask(ask);
        const fields = Object.fromEntries(answer.headers);
        const reset = Number(fields['RateLimit-Reset']);
        const remaining = Number(fields['RateLimit-Remaining']);
        expect(reset).toBeGreaterThanOrEqual(1);
        expect(decision.nowSeconds).toBe(service.clock.seconds);
        expect(Number(fields['X-RateLimit-Reset'])).toBe(decision.nowSeconds + reset);
        expect(fields['Retry-After']).toBe(decision.allowed ? undefined : fields['RateLimit-Reset']);
        expect(remaining).toBeGreaterThanOrEqual(0);
        expect(remaining).toBeLessThanOrEqual(Number(fields['RateLimit-Limit']));
      }
    });
  });

  test('that allows leaves exactly its cost less than the one before, within one window', async () => {
    await always(async (service, { ask }) => {
      const keys = ask.map(({ entries }) => entries[0]?.key as string);
      const before = (await service.counts(keys)) as [number, number][][];
      const { decision } = await service.ask(ask);
      fc.pre(decision.allowed);
      const hits = ask[0]?.hitsAddend as number;
      const after = before.map((windows) => windows.map(([end, remaining]) => [end, remaining - hits]));
      expect(await service.counts(keys)).toEqual(after);
    });
  });

  test('never lets more pass in a window than its max, whatever is asked', async () => {
    await always(async (service, { ask }) => {
      const passed = new Map<Window, Map<number, number>>();
      for (let times = 0; times < 60; times++) {
        const { decision } = await service.ask(ask);
        for (const [index, { readings }] of decision.statuses.entries()) {
          for (const { window, endsAt } of decision.allowed ? readings : []) {
            const byEnd = passed.get(window) ?? new Map<number, number>();
            byEnd.set(endsAt, (byEnd.get(endsAt) ?? 0) + (ask[index]?.hitsAddend as number));
            passed.set(window, byEnd);
          }
        }
        service.clock.millis = service.clock.nowMillis() + 2_500;
      }
      for (const [window, byEnd] of passed) expect(Math.max(...byEnd.values())).toBeLessThanOrEqual(window.max);
    });
  });
});

describe('a peek', () => {
  test('changes nothing, and tells beforehand whether one more would pass', async () => {
    await always(async (service, { ask }) => {
      const keys = ask.map(({ entries }) => entries[0]?.key as string);
      const peeks = keys.map((key) => of({ [key]: 'x' }, { hitsAddend: 0 }));
      const ones = keys.map((key) => of({ [key]: 'x' }, { hitsAddend: 1 }));
      for (let times = 0; times <= MAX; times++) {
        const before = await service.counts(KEYS);
        const { decision } = await service.ask(peeks);
        expect(await service.counts(KEYS)).toEqual(before);
        expect((await service.ask(ones)).decision.allowed).toBe(decision.allowed);
      }
    });
  });
});

test('shadow mode on a limit changes no decision about the others', async () => {
  await always(async (_, { limits, ask, millis }) => {
    const shadowed: DescriptorDefinition = { key: 's', shadow_mode: true, limits: [{ requests: 1, per: 'year' }] };
    const bare = new Service(limits);
    const beside = new Service([...limits, shadowed]);
    for (const each of [bare, beside]) each.clock.millis = START * 1_000 + millis;
    for (let times = 0; times <= MAX; times++) {
      const alone = await bare.ask(ask);
      const both = await beside.ask([...ask, of({ s: 'x' })]);
      expect(both.decision.allowed).toBe(alone.decision.allowed);
      expect(both.answer).toEqual(alone.answer);
    }
  });
});
