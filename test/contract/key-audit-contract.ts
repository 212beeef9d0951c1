/** The part of the contract about what is remembered of changes. */
import { expect, test } from '@jest/globals';
import { auditOf, change, create, type KeysUnderTest } from './keys-under-test.ts';

/** As both registries have it. */
const ENTRIES_MAX = 10_000;

export function describeAudit(get: () => KeysUnderTest): void {
  test('the audit of nothing is an empty page', async () => {
    expect(await get().registry.audit(1, 100)).toEqual({ items: [], totalCount: 0 });
  });

  test('every write and every entry of its own is in the audit, newest first', async () => {
    const { registry } = get();
    const stored = await create(registry);
    await change(registry, stored, { status: 'revoked' });
    const own = auditOf({ action: 'counters.reset', subject: 'x', before: { used: 3 }, after: undefined });
    await registry.addAudit(own);
    const { items, totalCount } = await registry.audit(1, 100);
    expect(totalCount).toBe(3);
    expect(items.map(({ action }) => action)).toEqual(['counters.reset', 'key.changed', 'key.created']);
    expect(items[0]).toEqual(own);
    expect(items[2]).toEqual(auditOf({ subject: stored.record.id }));
  });

  test('values of an entry are JSON and come back as they were', async () => {
    const { registry } = get();
    const entry = auditOf({
      before: null,
      after: { name: '"\\\n\u{1f511}', limits: [0, 2 ** 53 - 1], nested: { a: true } },
    });
    await registry.addAudit(entry);
    expect((await registry.audit(1, 1)).items).toEqual([entry]);
  });

  test('each entry is on one page, and there is nothing beyond the last', async () => {
    const { registry } = get();
    for (let at = 1; at <= 25; at++) await registry.addAudit(auditOf({ at }));
    const pages = await Promise.all([1, 2, 3, 4, 1_000_000].map((page) => registry.audit(page, 10)));
    expect(pages.map(({ totalCount }) => totalCount)).toEqual(pages.map(() => 25));
    const from = (newest: number, oldest: number) =>
      Array.from({ length: newest - oldest + 1 }, (_, index) => newest - index);
    const expected = [from(25, 16), from(15, 6), from(5, 1), [], []];
    expect(pages.map(({ items }) => items.map(({ at }) => at))).toEqual(expected);
    expect((await registry.audit(5, 5)).items.map(({ at }) => at)).toEqual(from(5, 1));
    expect((await registry.audit(6, 5)).items).toEqual([]);
  });

  test(`of more than ${ENTRIES_MAX} entries the oldest are forgotten, and pages count from the newest on`, async () => {
    const { registry } = get();
    const last = ENTRIES_MAX + 50;
    for (let at = 1; at <= last; ) {
      const batch = Array.from({ length: Math.min(1_000, last - at + 1) }, (_, index) => auditOf({ at: at + index }));
      await Promise.all(batch.map((entry) => registry.addAudit(entry)));
      at += batch.length;
    }
    const edges = async (page: number, size: number) => {
      const { items, totalCount } = await registry.audit(page, size);
      expect(totalCount).toBe(ENTRIES_MAX);
      return [items.length, items[0]?.at, items.at(-1)?.at];
    };
    expect(await edges(1, 100)).toEqual([100, last, last - 99]);
    expect(await edges(50, 100)).toEqual([100, last - 4_900, last - 4_999]);
    expect(await edges(100, 100)).toEqual([100, 150, 51]);
    expect(await edges(101, 100)).toEqual([0, undefined, undefined]);
    // The last page of 30 holds the 10 that 333 pages leave.
    expect(await edges(334, 30)).toEqual([10, 60, 51]);
  });
}
