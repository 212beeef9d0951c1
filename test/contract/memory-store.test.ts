import { describe, expect, test } from '@jest/globals';
import { MemoryStore } from '../../src/adapters/memory/memory-store.ts';
import type { StoredKey } from '../../src/core/key-record.ts';
import { countsOf } from '../core/build.ts';
import { ManualClock } from './manual-clock.ts';
import { describeStore } from './store-contract.ts';
import {
  hit,
  isDenied,
  look,
  type Planted,
  type StoreUnderTest,
  usedBefore,
  windowOfSeconds,
} from './store-under-test.ts';

const NOW = 1_800_000_048;

describeStore('memory', async (): Promise<StoreUnderTest> => {
  const clock = new ManualClock(NOW);
  const records = new Map<string, StoredKey>();
  const store = new MemoryStore({ clock, subjectsMax: 100_000, keys: { stored: (id) => records.get(id) } });
  return {
    store,
    async register(stored) {
      records.set(stored.record.id, stored);
    },
    // The only way in is the port: each count is charged while the clock stands in its window.
    async plant(subject, planted: readonly Planted[]) {
      for (const { seconds, start, used } of planted.toSorted((a, b) => a.start - b.start)) {
        clock.seconds = start;
        const window = windowOfSeconds(seconds, 0);
        await store.take([hit(subject, [window], { cost: used, charging: 'always' })]);
      }
      clock.seconds = NOW;
    },
    async held(subjects) {
      const counts = countsOf(await store.take(subjects.map((subject) => look(subject))));
      return { counts, size: store.size };
    },
  };
});

describe('a window in memory', () => {
  const minute = [windowOfSeconds(60, 2)];

  test('rolls over exactly at its end, not a millisecond earlier', async () => {
    const clock = new ManualClock(120);
    const store = new MemoryStore({ clock, subjectsMax: 10 });
    await store.take([hit('s', minute, { cost: 2 })]);
    clock.millis = 179_999;
    expect(await isDenied(store, hit('s', minute))).toBe(true);
    clock.millis = 180_000;
    expect(await isDenied(store, hit('s', minute))).toBe(false);
    expect(await usedBefore(store, look('s', minute))).toEqual([1]);
  });

  test('keeps its count while the clock steps back and comes again', async () => {
    const clock = new ManualClock(180);
    const store = new MemoryStore({ clock, subjectsMax: 10 });
    await store.take([hit('s', minute)]);
    for (const seconds of [179, 60, 120, 180, 239]) {
      clock.seconds = seconds;
      expect(countsOf(await store.take([look('s', minute)]))).toEqual([180, 1]);
    }
    clock.seconds = 240;
    expect(countsOf(await store.take([look('s', minute)]))).toEqual([240, 0]);
  });

  test('is charged in the window ahead while the clock has stepped back: nobody gets a budget twice', async () => {
    const clock = new ManualClock(180);
    const store = new MemoryStore({ clock, subjectsMax: 10 });
    await store.take([hit('s', minute)]);
    clock.seconds = 179;
    expect(await isDenied(store, hit('s', minute))).toBe(false);
    expect(await isDenied(store, hit('s', minute))).toBe(true);
    clock.seconds = 239;
    expect(await isDenied(store, hit('s', minute))).toBe(true);
  });
});
