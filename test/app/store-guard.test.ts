/** Whatever the store does, a call is answered by its deadline, and the store is not asked in vain. */
import { describe, expect, test } from '@jest/globals';
import { MemoryStore } from '../../src/adapters/memory/memory-store.ts';
import { StoreGuard } from '../../src/app/store-guard.ts';
import { Undecidable } from '../../src/core/errors.ts';
import type { Hit } from '../../src/core/hit.ts';
import { unitWindow } from '../../src/core/limit.ts';
import type { Taken } from '../../src/core/verdict.ts';
import type { CounterStore } from '../../src/ports/counter-store.ts';
import { ManualClock, settled } from '../support/clock.ts';

const TIMEOUT_MILLIS = 100;
const TICK_MILLIS = 4;
const PROBE_MILLIS = 250;
const WAITING_MAX = 20_000;

const HITS: readonly Hit[] = [
  { subject: 's', windows: [unitWindow(1_000_000, 'year')], cost: 1, need: 1, charging: 'together', denies: 'alone' },
];

type Mood = 'works' | 'hangs' | 'fails' | 'throws';

/** A working store that can be made slow or broken. */
class MoodyStore implements CounterStore {
  mood: Mood = 'works';
  asked = 0;
  closed = false;
  readonly #store: CounterStore;
  #release: (() => void)[] = [];

  constructor(store: CounterStore) {
    this.#store = store;
  }

  take(hits: readonly Hit[]): Promise<Taken> {
    this.asked += 1;
    return this.#moody(() => this.#store.take(hits));
  }

  forget(): Promise<void> {
    return this.#moody(() => this.#store.forget([]));
  }

  probe(): Promise<void> {
    return this.#moody(() => this.#store.probe());
  }

  close(): Promise<void> {
    this.closed = true;
    return this.#store.close();
  }

  /** What hung is answered now, late. */
  release(): void {
    for (const go of this.#release.splice(0)) go();
  }

  #moody<T>(ask: () => Promise<T>): Promise<T> {
    if (this.mood === 'throws') throw new Error('broken at once');
    if (this.mood === 'fails') return Promise.reject(new Error('WRONGTYPE of value'));
    if (this.mood === 'works') return ask();
    return new Promise((resolve, reject) => {
      this.#release.push(() => ask().then(resolve, reject));
    });
  }
}

interface Outcome {
  readonly at: number;
  readonly code: string;
}

function setUp() {
  const clock = new ManualClock();
  const store = new MoodyStore(new MemoryStore({ clock, subjectsMax: 10 }));
  const calls: (string | undefined)[] = [];
  const changes: boolean[] = [];
  const observer = {
    storeCalled: (_millis: number, error: Undecidable | undefined) => calls.push(error?.code),
    breakerChanged: (open: boolean) => changes.push(open),
  };
  const guard = new StoreGuard({ store, clock, timeoutMillis: TIMEOUT_MILLIS, observer });
  const outcomes: Outcome[] = [];
  const take = (callerMillis?: number): void => {
    const end = (code: string) => outcomes.push({ at: clock.monotonicMillis(), code });
    taking(guard, callerMillis).then(
      () => end('taken'),
      (error: Undecidable) => end(error.code),
    );
  };
  return { clock, store, guard, calls, changes, outcomes, take };
}

/** As a promise, however the guard answers. */
async function taking(guard: StoreGuard, callerMillis?: number): Promise<Taken> {
  return guard.take(HITS, callerMillis);
}

describe('a store that works', () => {
  test('is passed through', async () => {
    const { guard, calls } = setUp();
    expect(await guard.take(HITS, undefined)).toMatchObject({ found: [{ counts: [expect.any(Number), 0] }] });
    expect(await guard.take(HITS, 50)).toMatchObject({ found: [{ counts: [expect.any(Number), 1] }] });
    expect(calls).toEqual([undefined, undefined]);
  });

  test('is reported as it is by the probe', async () => {
    const { guard, store } = setUp();
    await expect(guard.probe()).resolves.toBeUndefined();
    store.mood = 'fails';
    await expect(guard.probe()).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});

describe('a store that hangs', () => {
  test('is given up at the deadline, within a tick', async () => {
    const { clock, store, outcomes, calls, take } = setUp();
    store.mood = 'hangs';
    take();
    await clock.pass(TIMEOUT_MILLIS - TICK_MILLIS - 1);
    expect(outcomes).toEqual([]);
    await clock.pass(2 * TICK_MILLIS + 1);
    expect(outcomes).toMatchObject([{ code: 'STORE_TIMEOUT' }]);
    expect(calls).toEqual(['STORE_TIMEOUT']);
  });

  test('is given up before the deadline of a caller in a hurry, with time left for the answer', async () => {
    const { clock, store, outcomes, take } = setUp();
    store.mood = 'hangs';
    take(20);
    await clock.pass(20);
    expect(outcomes).toMatchObject([{ code: 'STORE_TIMEOUT' }]);
  });

  test('is given up at its own deadline though the caller has more time', async () => {
    const { clock, store, outcomes, take } = setUp();
    store.mood = 'hangs';
    take(60_000);
    await clock.pass(TIMEOUT_MILLIS + TICK_MILLIS);
    expect(outcomes).toMatchObject([{ code: 'STORE_TIMEOUT' }]);
  });

  test('says in the message how long it was waited for', async () => {
    const { clock, store, guard } = setUp();
    store.mood = 'hangs';
    const taken = guard.take(HITS, undefined);
    await Promise.all([
      expect(taken).rejects.toThrow('the counter store did not answer within 100 ms'),
      clock.pass(TIMEOUT_MILLIS + TICK_MILLIS),
    ]);
  });

  test('and answers late changes nothing any more', async () => {
    const { clock, store, outcomes, calls, take } = setUp();
    store.mood = 'hangs';
    take();
    await clock.pass(TIMEOUT_MILLIS + TICK_MILLIS);
    store.release();
    await settled();
    expect(outcomes).toHaveLength(1);
    expect(calls).toEqual(['STORE_TIMEOUT']);
  });

  test('and fails late changes nothing any more', async () => {
    const { clock, store, outcomes, calls, take } = setUp();
    store.mood = 'hangs';
    take();
    await clock.pass(TIMEOUT_MILLIS + TICK_MILLIS);
    store.mood = 'fails';
    store.release();
    await settled();
    expect(outcomes).toHaveLength(1);
    expect(calls).toEqual(['STORE_TIMEOUT']);
  });

  test('is not blamed for a stall of this process in which its reply came', async () => {
    const { clock, store, outcomes, take } = setUp();
    store.mood = 'hangs';
    take();
    await settled();
    clock.stall(30_000);
    store.mood = 'works';
    store.release();
    await clock.pass(1_000);
    expect(outcomes).toMatchObject([{ code: 'taken' }]);
  });

  test('lets so many calls wait and no more: the rest is refused at once, without asking', async () => {
    const { clock, store, outcomes, take } = setUp();
    store.mood = 'hangs';
    for (let call = 0; call < WAITING_MAX; call++) take();
    await settled();
    expect(outcomes).toEqual([]);
    take();
    await settled();
    expect(outcomes).toEqual([{ at: 0, code: 'STORE_BUSY' }]);
    expect(store.asked).toBe(WAITING_MAX);
    await clock.pass(TIMEOUT_MILLIS + TICK_MILLIS);
    expect(outcomes).toHaveLength(WAITING_MAX + 1);
  });
});

describe('a caller without time', () => {
  test.each([1, 0, -5])('(%d ms) is refused at once, and the store not asked', async (millis) => {
    const { store, guard, calls } = setUp();
    await expect(guard.take(HITS, millis)).rejects.toMatchObject({
      code: 'STORE_TIMEOUT',
      message: 'the deadline of the call has passed',
    });
    expect(store.asked).toBe(0);
    expect(calls).toEqual([]);
  });

  test('says nothing about a store that answers others meanwhile: the breaker stays closed', async () => {
    const { clock, store, guard, take } = setUp();
    store.mood = 'hangs';
    for (let call = 0; call < 50; call++) take(20);
    store.mood = 'works';
    take();
    await clock.pass(20);
    expect(guard.closed).toBe(true);
  });

  test('and a store that says nothing to anybody open the breaker', async () => {
    const { clock, store, guard, take } = setUp();
    store.mood = 'hangs';
    for (let call = 0; call < 50; call++) take(20);
    await clock.pass(20);
    expect(guard.closed).toBe(false);
  });
});

describe('a store that fails', () => {
  test.each<[Mood, string]>([
    ['fails', 'WRONGTYPE of value'],
    ['throws', 'broken at once'],
  ])('(it %s) is an undecided call at once, with its words as the cause alone', async (mood, words) => {
    const { store, guard, calls } = setUp();
    store.mood = mood;
    const error = await taking(guard).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Undecidable);
    expect(error).toMatchObject({ code: 'STORE_FAILED', message: 'the counter store failed' });
    expect((error as Error).cause).toMatchObject({ message: words });
    expect(calls).toEqual(['STORE_FAILED']);
  });

  test('by throwing leaves nobody waiting, however often it does', async () => {
    const { store, guard, calls } = setUp();
    // Never half of the calls, so that the breaker stays closed.
    for (let round = 0; round <= WAITING_MAX; round++) {
      store.mood = 'works';
      await guard.take(HITS, undefined);
      await guard.take(HITS, undefined);
      store.mood = 'throws';
      await taking(guard).catch(() => undefined);
    }
    expect(guard.closed).toBe(true);
    expect(calls.filter((code) => code === 'STORE_FAILED')).toHaveLength(WAITING_MAX + 1);
    store.mood = 'works';
    await expect(guard.take(HITS, undefined)).resolves.toBeDefined();
  });
});

describe('an outage', () => {
  async function outage() {
    const parts = setUp();
    parts.store.mood = 'fails';
    for (let call = 0; call < 10; call++) parts.take();
    await settled();
    return parts;
  }

  test('opens the breaker, which is told', async () => {
    const { guard, changes } = await outage();
    expect(guard.closed).toBe(false);
    expect(changes).toEqual([true]);
  });

  test('by timeouts opens it, too', async () => {
    const { clock, store, guard, take } = setUp();
    store.mood = 'hangs';
    for (let call = 0; call < 10; call++) take();
    await clock.pass(TIMEOUT_MILLIS + TICK_MILLIS);
    expect(guard.closed).toBe(false);
  });

  test('is answered without asking the store', async () => {
    const { store, guard, calls } = await outage();
    const asked = store.asked;
    await expect(guard.take(HITS, undefined)).rejects.toMatchObject({ code: 'STORE_OPEN' });
    await expect(guard.take(HITS, 1)).rejects.toMatchObject({ code: 'STORE_OPEN' });
    expect(store.asked).toBe(asked);
    expect(calls).toHaveLength(10);
  });

  test('is over when a probe succeeds, and calls are asked again', async () => {
    const { clock, store, guard, changes } = await outage();
    await clock.pass(PROBE_MILLIS + 10);
    expect(guard.closed).toBe(false);
    store.mood = 'works';
    await clock.pass(PROBE_MILLIS + 10);
    expect(guard.closed).toBe(true);
    expect(changes).toEqual([true, false]);
    await expect(guard.take(HITS, undefined)).resolves.toMatchObject({ found: [{ counts: [expect.any(Number), 0] }] });
  });

  test('in which probes hang is over soon after the store is back: a probe has a deadline, too', async () => {
    const { clock, store, guard } = await outage();
    store.mood = 'hangs';
    await clock.pass(PROBE_MILLIS + TIMEOUT_MILLIS + 10);
    store.mood = 'works';
    await clock.pass(PROBE_MILLIS + TIMEOUT_MILLIS + 10);
    expect(guard.closed).toBe(true);
  });
});

describe('once it is closed', () => {
  test('the store is closed, and no timer is left', async () => {
    const { clock, store, guard } = setUp();
    store.mood = 'fails';
    for (let call = 0; call < 10; call++) await taking(guard).catch(() => undefined);
    await guard.close();
    expect(store.closed).toBe(true);
    await clock.pass(TIMEOUT_MILLIS + 2 * TICK_MILLIS);
    expect(clock.timers).toBe(0);
  });
});

describe('a store that answers at once', () => {
  test('is not waited for, and observed all the same', () => {
    const clock = new ManualClock();
    const calls: unknown[] = [];
    const observer = {
      storeCalled: (millis: number, error: Undecidable | undefined) => calls.push([millis, error]),
      breakerChanged: () => undefined,
    };
    const store = new MemoryStore({ clock, subjectsMax: 10 });
    const guard = new StoreGuard({ store, clock, timeoutMillis: TIMEOUT_MILLIS, observer });
    expect(guard.take(HITS, undefined)).toMatchObject({ found: [{ standing: undefined }] });
    expect(calls).toEqual([[0, undefined]]);
    expect(clock.timers).toBe(0);
  });
});
