/** The breaker opens on an outage and not on a few failures, and closes by itself when the store is back. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Breaker } from '../../src/app/breaker.ts';
import { ManualClock, settled } from '../support/clock.ts';

const CALLS_MIN = 10;
const PERIOD_MILLIS = 1_000;
const PROBE_MILLIS = 250;

/** A store that can be asked whether it works, and answers when the test says so. */
class Probed {
  asked = 0;
  /** Probes under way, and the most of them there ever were. */
  underWay = 0;
  underWayMax = 0;
  #answer: { resolve: () => void; reject: (error: Error) => void } | undefined;

  probe = (): Promise<void> => {
    this.asked += 1;
    this.underWay += 1;
    this.underWayMax = Math.max(this.underWayMax, this.underWay);
    return new Promise((resolve, reject) => {
      this.#answer = { resolve, reject };
    });
  };

  async answer(works: boolean): Promise<void> {
    this.underWay -= 1;
    if (works) this.#answer?.resolve();
    else this.#answer?.reject(new Error('still down'));
    await settled();
  }
}

function setUp() {
  const clock = new ManualClock();
  const store = new Probed();
  const changes: boolean[] = [];
  const breaker = new Breaker({ clock, probe: store.probe, onChange: (open) => changes.push(open) });
  return { clock, store, changes, breaker };
}

function record(breaker: Breaker, failures: number, successes: number): void {
  for (let call = 0; call < successes; call++) breaker.record(false);
  for (let call = 0; call < failures; call++) breaker.record(true);
}

function opened() {
  const parts = setUp();
  record(parts.breaker, CALLS_MIN, 0);
  return parts;
}

describe('it opens', () => {
  test.each([
    [10, 0],
    [5, 5],
    [6, 4],
    [500, 500],
  ])('when %d calls of a second fail and %d do not', (failures, successes) => {
    const { breaker, changes } = setUp();
    record(breaker, failures, successes);
    expect(breaker.open).toBe(true);
    expect(changes).toEqual([true]);
  });

  test('with the call that makes it half, not before', () => {
    const { breaker } = setUp();
    record(breaker, 9, 10);
    expect(breaker.open).toBe(false);
    breaker.record(true);
    expect(breaker.open).toBe(true);
  });
});

describe('it stays closed', () => {
  test.each([
    [0, 10],
    [9, 0],
    [4, 6],
    [499, 501],
  ])('when %d calls of a second fail and %d do not', (failures, successes) => {
    const { breaker, changes } = setUp();
    record(breaker, failures, successes);
    expect(breaker.open).toBe(false);
    expect(changes).toEqual([]);
  });

  test('when the failures of two seconds would be enough, but those of neither are', () => {
    const { breaker, clock } = setUp();
    record(breaker, 9, 0);
    clock.advance(PERIOD_MILLIS);
    record(breaker, 9, 0);
    expect(breaker.open).toBe(false);
  });

  test('when no call was made for long, whatever was before', () => {
    const { breaker, clock } = setUp();
    record(breaker, 9, 0);
    clock.advance(3_600_000);
    breaker.record(true);
    expect(breaker.open).toBe(false);
  });
});

describe('while it is open', () => {
  test('calls that still end change nothing', () => {
    const { breaker, changes } = opened();
    record(breaker, 100, 100);
    expect(breaker.open).toBe(true);
    expect(changes).toEqual([true]);
  });

  test('it probes after a quarter of a second, and not at once', () => {
    const { clock, store } = opened();
    clock.advance(PROBE_MILLIS - 1);
    expect(store.asked).toBe(0);
    clock.advance(1);
    expect(store.asked).toBe(1);
  });

  test('it never has two probes under way', async () => {
    const { clock, store } = opened();
    await clock.pass(60_000);
    expect(store.asked).toBe(1);
    await store.answer(false);
    await clock.pass(60_000);
    expect(store.asked).toBe(2);
    expect(store.underWayMax).toBe(1);
  });

  test('it probes again a quarter of a second after a failed probe, for as long as it takes', async () => {
    const { breaker, clock, store } = opened();
    for (let probe = 1; probe <= 20; probe++) {
      await clock.pass(PROBE_MILLIS);
      expect(store.asked).toBe(probe);
      await store.answer(false);
    }
    expect(breaker.open).toBe(true);
  });
});

describe('it closes', () => {
  test('as soon as a probe succeeds, says so once, and probes no more', async () => {
    const { breaker, clock, store, changes } = opened();
    await clock.pass(PROBE_MILLIS);
    await store.answer(true);
    expect(breaker.open).toBe(false);
    expect(changes).toEqual([true, false]);
    await clock.pass(60_000);
    expect(store.asked).toBe(1);
    expect(clock.timers).toBe(0);
  });

  test('with a clean record: it takes a new outage to open it again', async () => {
    const { breaker, clock, store, changes } = opened();
    await clock.pass(PROBE_MILLIS);
    await store.answer(true);
    record(breaker, CALLS_MIN - 1, 0);
    expect(breaker.open).toBe(false);
    breaker.record(true);
    expect(breaker.open).toBe(true);
    expect(changes).toEqual([true, false, true]);
  });
});

describe('once it is stopped', () => {
  test('it probes no more', async () => {
    const { breaker, clock, store } = opened();
    breaker.stop();
    await clock.pass(60_000);
    expect(store.asked).toBe(0);
    expect(clock.timers).toBe(0);
  });

  test('a probe that was under way is the last', async () => {
    const { breaker, clock, store } = opened();
    await clock.pass(PROBE_MILLIS);
    breaker.stop();
    await store.answer(false);
    await clock.pass(60_000);
    expect(store.asked).toBe(1);
    expect(clock.timers).toBe(0);
  });
});

test('whatever happens: changes alternate, probes come one at a time, and a working store closes it in the end', async () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant('calls' as const), failures: fc.nat({ max: 20 }), successes: fc.nat({ max: 20 }) }),
    fc.record({ type: fc.constant('pass' as const), millis: fc.integer({ min: 0, max: 1_500 }) }),
    fc.record({ type: fc.constant('answer' as const), works: fc.boolean() }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const { breaker, clock, store, changes } = setUp();
      for (const next of steps) {
        if (next.type === 'calls') record(breaker, next.failures, next.successes);
        if (next.type === 'pass') await clock.pass(next.millis);
        if (next.type === 'answer' && store.underWay > 0) await store.answer(next.works);
      }
      await clock.pass(PROBE_MILLIS);
      if (store.underWay > 0) await store.answer(true);
      expect(breaker.open).toBe(false);
      expect(store.underWayMax).toBeLessThanOrEqual(1);
      expect(changes).toEqual(changes.map((_, index) => index % 2 === 0));
    }),
    { numRuns: 50 },
  );
});
