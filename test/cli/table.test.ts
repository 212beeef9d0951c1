/** Columns of text. */
import { expect, test } from '@jest/globals';
import { durationText } from '../../src/cli/keys-text.ts';
import { facts, Table } from '../../src/cli/table.ts';

interface Row {
  readonly name: string;
  readonly count: string;
}

const columns = [
  { title: 'NAME', cell: ({ name }: Row) => name, widthMax: 6 },
  { title: 'N', cell: ({ count }: Row) => count, align: 'right' as const },
];

test('columns are as wide as they need to be, long cells are cut, numbers stand at the right', () => {
  const table = new Table(columns);
  const lines = table.lines([
    { name: 'a', count: '1' },
    { name: 'abcdefgh', count: '100' },
    { name: '🦊🦊', count: '20' },
  ]);
  expect(lines).toBe('NAME      N\na         1\nabcde…  100\n🦊🦊       20\n');
});

test('a second lot has no titles, and the columns of the first', () => {
  const table = new Table(columns);
  table.lines([{ name: 'abcdef', count: '100' }]);
  expect(table.lines([{ name: 'a', count: '1000' }])).toBe('a       1000\n');
});

test('without rows there are the titles', () => {
  expect(new Table(columns).lines([])).toBe('NAME  N\n');
});

test('a value of several lines stays in its column', () => {
  expect(
    facts([
      ['id', 'a'],
      ['metadata', 'b=c\nd=e'],
    ]),
  ).toBe('id        a\nmetadata  b=c\n          d=e\n');
});

test.each<[seconds: number, text: string]>([
  [0, '0 s'],
  [59, '59 s'],
  [60, '1 min'],
  [61, '1 min 1 s'],
  [3_600, '1 h'],
  [3_601, '1 h'],
  [74_400, '20 h 40 min'],
  [86_400 * 3 + 3_600, '3 d 1 h'],
])('%s s is %s', (seconds, text) => {
  expect(durationText(seconds)).toBe(text);
});
