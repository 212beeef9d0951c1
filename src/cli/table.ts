/** Text in columns, for people. What stands in them is decided elsewhere; none of it reaches the terminal as a command. */
import { visible } from './visible-text.ts';

export interface Column<T> {
  readonly title: string;
  readonly cell: (row: T) => string;
  /** Numbers stand at the right. */
  readonly align?: 'right';
  /** In characters; what is longer ends in `…`. Default: as wide as it takes. */
  readonly widthMax?: number;
}

/** Rows may come in several lots: the first decides how wide the columns are, later cells may stand out. */
export class Table<T> {
  readonly #columns: readonly Column<T>[];
  #widths: readonly number[] | undefined;

  constructor(columns: readonly Column<T>[]) {
    this.#columns = columns;
  }

  /** The lines of these rows, before the first of all the titles. */
  lines(rows: readonly T[]): string {
    const cells = rows.map((row) => this.#columns.map(({ cell, widthMax }) => shortened(visible(cell(row)), widthMax)));
    const isFirst = this.#widths === undefined;
    const titles = this.#columns.map(({ title }) => title);
    this.#widths ??= titles.map((title, index) =>
      Math.max(...[title, ...cells.map((row) => row[index] ?? '')].map(lengthOf)),
    );
    return (isFirst ? [titles, ...cells] : cells).map((row) => `${this.#line(row)}\n`).join('');
  }

  #line(cells: readonly string[]): string {
    const padded = cells.map((cell, index) => {
      const space = ' '.repeat(Math.max((this.#widths?.[index] ?? 0) - lengthOf(cell), 0));
      return this.#columns[index]?.align === 'right' ? space + cell : cell + space;
    });
    return padded.join('  ').trimEnd();
  }
}

/** `name   value`, one a line; a value of several lines stays in its column. */
export function facts(pairs: readonly (readonly [name: string, value: string | readonly string[]])[]): string {
  const width = Math.max(...pairs.map(([name]) => lengthOf(name)));
  return pairs
    .flatMap(([name, value]) => [value].flat().map((line, index) => [index === 0 ? name : '', line] as const))
    .map(([name, line]) => `${name.padEnd(width)}  ${visible(line)}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('');
}

function shortened(text: string, widthMax = Number.POSITIVE_INFINITY): string {
  return lengthOf(text) <= widthMax ? text : `${[...text].slice(0, widthMax - 1).join('')}…`;
}

/** In code points: nearer to what is seen than UTF-16 units are. */
function lengthOf(text: string): number {
  return [...text].length;
}
