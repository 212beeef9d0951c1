/** The dynamic table does what a plain list does, and keeps no string that it has let go. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DynamicTable } from '../../../../../src/surfaces/rls/h2/hpack/dynamic-table.ts';
import { type Field, fieldBytes } from './reference-encoder.ts';

/** By the book: RFC 7541 §4. */
class PlainTable {
  /** The newest first. */
  fields: Field[] = [];
  bytesMax: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.fields.reduce((sum, field) => sum + fieldBytes(field), 0);
  }

  resize(bytesMax: number): void {
    this.bytesMax = bytesMax;
    while (this.bytes > bytesMax) this.fields.pop();
  }

  add(field: Field): void {
    this.fields.unshift(field);
    this.resize(this.bytesMax);
  }
}

const text = fc.nat(50).map((length) => 'x'.repeat(length));
const step = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(text, text) },
  { weight: 1, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
);

describe('the dynamic table', () => {
  test('holds what a plain list holds, over any additions and sizes', () => {
    const bytesMax = fc.constantFrom(0, 1, 31, 32, 63, 64, 65, 100, 127, 128, 500, 4_096);
    const check = fc.property(bytesMax, fc.array(step, { maxLength: 200 }), (most, steps) => {
      const table = new DynamicTable(most);
      const plain = new PlainTable(most);
      for (const each of steps) {
        if (typeof each === 'number') {
          table.resize(Math.floor(each * most));
          plain.resize(Math.floor(each * most));
        } else {
          table.add(...each, fieldBytes(each));
          plain.add(each);
        }
        const fields = Array.from({ length: table.count }, (_, age) => [table.nameAt(age), table.valueAt(age)]);
        expect(fields).toEqual(plain.fields);
        expect(table.bytesMax).toBe(plain.bytesMax);
      }
    });
    fc.assert(check, { seed: 7_541, numRuns: 300 });
  });

  test('keeps no string of a field that is gone', () => {
    const table = new DynamicTable(256);
    for (let count = 0; count < 100; count++)
      table.add('name', `value ${count}`, fieldBytes(['name', `value ${count}`]));
    table.resize(0);
    for (let age = 0; age < 16; age++) expect([table.nameAt(age), table.valueAt(age)]).toEqual(['', '']);
  });
});
