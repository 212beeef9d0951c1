/** The open streams of a connection: whatever order they end in, each is found by its number until then. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CONCURRENT_STREAMS_MAX } from '../../../../src/surfaces/rls/h2/bounds.ts';
import { RequestHead } from '../../../../src/surfaces/rls/h2/request-head.ts';
import { Stream } from '../../../../src/surfaces/rls/h2/stream.ts';
import { StreamTable } from '../../../../src/surfaces/rls/h2/stream-table.ts';

const HEAD = new RequestHead();

function opened(id: number): Stream {
  return new Stream(id, HEAD, 0);
}

test('whatever streams are opened and end, the table has those that a Map has', () => {
  const step = fc.record({ skipped: fc.nat(300), ends: fc.array(fc.nat(), { maxLength: 3 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const table = new StreamTable();
      const map = new Map<number, Stream>();
      let id = 1;
      for (const { skipped, ends } of steps) {
        const stream = opened(id);
        table.add(stream);
        map.set(id, stream);
        for (const end of ends) {
          const ended = [...map.values()][end % Math.max(1, map.size)];
          if (ended === undefined) continue;
          table.delete(ended);
          table.delete(ended);
          map.delete(ended.id);
        }
        id += 2 + 2 * skipped;
      }
      expect(table.size).toBe(map.size);
      expect(table.all().sort((one, other) => one.id - other.id)).toEqual([...map.values()]);
      for (let number = 0; number < id; number++) expect(table.get(number)).toBe(map.get(number));
    }),
    { seed: 9113, numRuns: 100 },
  );
});

test('one that stays open is found after any number of others, and so are they', () => {
  const table = new StreamTable();
  const watch = opened(1);
  table.add(watch);
  for (let id = 3; id < 16 * CONCURRENT_STREAMS_MAX; id += 2) {
    const stream = opened(id);
    table.add(stream);
    expect(table.get(id)).toBe(stream);
    table.delete(stream);
    expect(table.get(id)).toBeUndefined();
  }
  expect(table.get(1)).toBe(watch);
  expect(table.all()).toEqual([watch]);
});

test('as many as may be open at once are all found', () => {
  const table = new StreamTable();
  const streams = Array.from({ length: CONCURRENT_STREAMS_MAX }, (_, index) => opened(2 * index + 1));
  for (const stream of streams) table.add(stream);
  expect(table.all()).toEqual(streams);
  for (const stream of streams) expect(table.get(stream.id)).toBe(stream);
});
