/** What bounds the memory of the memory store; what it counts is the contract's matter. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MemoryStore } from '../../../src/adapters/memory/memory-store.ts';
import { ManualClock } from '../../contract/manual-clock.ts';
import { hit, look, usedBefore, windowOfSeconds } from '../../contract/store-under-test.ts';

const START = 1_800_000_000;
const MINUTE = [windowOfSeconds(60, 100)];
const DAY = [windowOfSeconds(86_400, 100)];

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock(START);
});

function storeOf(subjectsMax: number): MemoryStore {
  return new MemoryStore({ clock, subjectsMax });
}

async function charge(store: MemoryStore, ...subjects: readonly string[]): Promise<void> {
  for (const subject of subjects) await store.take([hit(subject, DAY)]);
}

async function used(store: MemoryStore, ...subjects: readonly string[]): Promise<number[]> {
  return usedBefore(store, ...subjects.map((subject) => look(subject, DAY)));
}

describe('a full memory', () => {
  test('forgets the subject that was charged longest ago, and counts that', async () => {
    const store = storeOf(3);
    await charge(store, 'a', 'b', 'c', 'd');
    expect(await used(store, 'a', 'b', 'c', 'd')).toEqual([0, 1, 1, 1]);
    expect([store.size, store.evicted]).toEqual([3, 1]);
  });

  test('goes by the last charge, not by the first', async () => {
    const store = storeOf(3);
    await charge(store, 'a', 'b', 'c', 'a', 'd', 'e');
    expect(await used(store, 'a', 'b', 'c', 'd', 'e')).toEqual([2, 0, 0, 1, 1]);
    expect(store.evicted).toBe(2);
  });

  test('holds the ones that were charged last, however often that changes', async () => {
    const store = storeOf(20);
    let last: string[] = [];
    for (let time = 0; time < 3_000; time++) {
      const subject = `s${(time * time) % 97}`;
      last = [...last.filter((each) => each !== subject), subject].slice(-20);
      await charge(store, subject);
    }
    const held = await used(store, ...Array.from({ length: 97 }, (_, index) => `s${index}`));
    expect(held.flatMap((count, index) => (count > 0 ? [`s${index}`] : [])).sort()).toEqual(last.sort());
  });

  test('tells subjects apart however long they are, and forgets them by their names', async () => {
    const store = storeOf(10);
    const [one, other] = [`${'x'.repeat(5_000)}1`, `${'x'.repeat(5_000)}2`];
    await charge(store, one, one, other);
    expect(await used(store, one, other)).toEqual([2, 1]);
    await store.forget([{ subject: one }]);
    expect(await used(store, one, other)).toEqual([0, 1]);
  });

  test('does not take a peek or a denial for a charge', async () => {
    const store = storeOf(2);
    await charge(store, 'a', 'b');
    await store.take([look('a', DAY)]);
    await store.take([hit('a', DAY, { cost: 1_000 })]);
    await charge(store, 'c');
    expect(await used(store, 'a', 'b', 'c')).toEqual([0, 1, 1]);
  });

  test('takes up nothing for a peek or a denial of somebody unknown', async () => {
    const store = storeOf(10);
    await store.take([look('a', DAY), hit('b', DAY, { cost: 1_000 })]);
    expect([store.size, store.evicted]).toEqual([0, 0]);
  });

  test('never holds more than it may, also where one call names more', async () => {
    const store = storeOf(5);
    await store.take(Array.from({ length: 20 }, (_, index) => hit(String(index), DAY)));
    expect([store.size, store.evicted]).toEqual([5, 15]);
    expect(await used(store, '14', '15', '19')).toEqual([0, 1, 1]);
  });

  test('does not count one as forgotten that no longer counted', async () => {
    const store = storeOf(2);
    await store.take([hit('a', MINUTE)]);
    await store.take([hit('b', MINUTE)]);
    clock.seconds = START + 60;
    await charge(store, 'c');
    expect(store.evicted).toBe(0);
  });
});

describe('subjects whose windows have ended', () => {
  test('leave while others are charged: the memory empties itself', async () => {
    const store = storeOf(100_000);
    for (let index = 0; index < 1_000; index++) await store.take([hit(`gone ${index}`, MINUTE)]);
    clock.seconds = START + 60;
    for (let index = 0; index < 1_100; index++) await charge(store, `here ${index % 10}`);
    expect([store.size, store.evicted]).toEqual([10, 0]);
  });

  test('do not pile up under an endless stream of new ones', async () => {
    const store = storeOf(100_000);
    let largest = 0;
    for (let minute = 0; minute < 20; minute++) {
      clock.seconds = START + 60 * minute;
      for (let index = 0; index < 500; index++) await store.take([hit(`${minute} ${index}`, MINUTE)]);
      largest = Math.max(largest, store.size);
    }
    // One minute's subjects, and those of the minute before that are still being found.
    expect(largest).toBeLessThanOrEqual(1_500);
    expect(store.evicted).toBe(0);
  });

  test('stay while the longest of their windows counts', async () => {
    const store = storeOf(100);
    await store.take([hit('a', [...MINUTE, ...DAY])]);
    clock.seconds = START + 120;
    for (let index = 0; index < 50; index++) await charge(store, 'b');
    expect(await used(store, 'a')).toEqual([1]);
  });
});

test('what is charged, forgotten and pushed out in any order is held as in a plain list of the last ones', async () => {
  const subject = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const step = fc.record({ isCharge: fc.boolean(), subjects: fc.array(subject, { minLength: 1, maxLength: 4 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const store = storeOf(3);
      const held = new Map<string, number>();
      for (const { isCharge, subjects } of steps) {
        if (isCharge) await store.take(subjects.map((each) => hit(each, DAY)));
        else await store.forget(subjects.map((each) => ({ subject: each })));
        for (const each of subjects) {
          const count = (held.get(each) ?? 0) + 1;
          held.delete(each);
          if (isCharge) held.set(each, count);
          if (held.size > 3) held.delete(held.keys().next().value as string);
        }
        expect(store.size).toBe(held.size);
      }
      expect(await used(store, ...held.keys())).toEqual([...held.values()]);
    }),
    { seed: 1 },
  );
});

test('a closed memory holds nothing', async () => {
  const store = storeOf(10);
  await charge(store, 'a', 'b');
  await store.close();
  expect(store.size).toBe(0);
});
