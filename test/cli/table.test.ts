/** Columns of text. */
import { describe, expect, test } from '@jest/globals';
import { durationText } from '../../src/cli/keys-text.ts';
import { facts, Table } from '../../src/cli/table.ts';
import { visible } from '../../src/cli/visible-text.ts';

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
      ['metadata', ['b=c', 'd=e']],
    ]),
  ).toBe('id        a\nmetadata  b=c\n          d=e\n');
});

describe('what could command a terminal is spelt out', () => {
  test.each<[what: string, text: string, shown: string]>([
    ['an escape sequence', '\x1b[2Jx', '\\u001b[2Jx'],
    ['an 8-bit escape sequence', '\x9b2J', '\\u009b2J'],
    ['line breaks', 'a\r\nb\x85c\u2028d\u2029e', 'a\\u000d\\u000ab\\u0085c\\u2028d\\u2029e'],
    ['NUL, bell, tab and delete', '\0\x07\t\x7f', '\\u0000\\u0007\\u0009\\u007f'],
    ['bidi controls', '\u061c\u200e\u202e\u2066\u2069', '\\u061c\\u200e\\u202e\\u2066\\u2069'],
    ['nothing else', 'Ünïcödé 🦊 שלום 👩\u200d🚀 \\u001b', 'Ünïcödé 🦊 שלום 👩\u200d🚀 \\u001b'],
  ])('%s', (_what, text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  test('in a table, whose columns stay as wide as what is seen', () => {
    const wide = [{ ...columns[0]!, widthMax: 20 }, columns[1]!];
    const rows = [
      { name: '\x1b[31m', count: '1' },
      { name: 'a', count: '\x07' },
    ];
    expect(new Table(wide).lines(rows)).toBe('NAME             N\n\\u001b[31m       1\na           \\u0007\n');
    expect(new Table(columns).lines(rows.slice(0, 1))).toBe('NAME    N\n\\u001…  1\n');
  });

  test('among facts, where a line break begins no line', () => {
    expect(
      facts([
        ['name', 'a\nid  b'],
        ['metadata', ['c=\x1b[2J', 'd=\n']],
      ]),
    ).toBe('name      a\\u000aid  b\nmetadata  c=\\u001b[2J\n          d=\\u000a\n');
  });
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
