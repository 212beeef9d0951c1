/** The part of the contract about forgetting: what was used is gone, of the subjects that were named and of no others. */
import { describe, expect, test } from '@jest/globals';
import { hit, LENGTHS, look, type StoreUnderTest, someone, usedBefore, windows } from './store-under-test.ts';

export function describeForgetting(get: () => StoreUnderTest): void {
  describe('forgetting', () => {
    const limits = windows({ a: 9, b: 9, c: 9 });
    const nothing = windows({ a: 0, b: 0, c: 0 });

    /** Two subjects, one beside a record, each charged 2. */
    async function charged() {
      const targets = [{ subject: someone() }, { subject: someone(), record: 'key_000000000000' }] as const;
      await get().store.take(targets.map((target) => ({ ...hit(target.subject, limits, { cost: 2 }), ...target })));
      const used = () =>
        usedBefore(get().store, ...targets.map((target) => ({ ...look(target.subject, nothing), ...target })));
      return { targets, used };
    }

    test('all windows begins anew, for the subjects that are named', async () => {
      const { targets, used } = await charged();
      await get().store.forget([targets[1]]);
      expect(await used()).toEqual([2, 2, 2, 0, 0, 0]);
      await get().store.forget(targets);
      expect(await used()).toEqual([0, 0, 0, 0, 0, 0]);
    });

    test('one length leaves the other windows as they are', async () => {
      const { targets, used } = await charged();
      await get().store.forget(targets, LENGTHS.b);
      expect(await used()).toEqual([2, 0, 2, 2, 0, 2]);
      await get().store.take(targets.map((target) => ({ ...hit(target.subject, limits), ...target })));
      expect(await used()).toEqual([3, 1, 3, 3, 1, 3]);
    });

    test('every length one by one leaves nothing', async () => {
      const { targets, used } = await charged();
      for (const length of Object.values(LENGTHS)) await get().store.forget(targets, length);
      expect(await used()).toEqual([0, 0, 0, 0, 0, 0]);
    });

    test.each(['*', '?', '[a-z]', ''])('what is called %j forgets nothing else', async (name) => {
      const { used } = await charged();
      await get().store.forget([{ subject: name }]);
      expect(await used()).toEqual([2, 2, 2, 2, 2, 2]);
    });

    test('whom nobody counted is no error', async () => {
      await get().store.forget([{ subject: someone() }]);
      await get().store.forget([{ subject: someone() }], LENGTHS.a);
      await get().store.forget([]);
    });
  });
}
