/**
 * Writes the tables of environment variables between their markers: into docs/configuration.md, or from it into the
 * file that is named.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { NOT_OFFERED } from '../src/config/not-offered.ts';
import type { Variable, Variables } from '../src/config/variable.ts';
import { AREAS } from '../src/config/variables.ts';

const PAGE = 'docs/configuration.md';

type Row = readonly string[];

function areas(): string {
  const sections = Object.entries<Variables>(AREAS).map(([area, variables]) => {
    const rows = Object.entries(variables).map(([name, variable]) => [
      `\`${name}\``,
      typeOf(variable),
      defaultOf(variable),
      variable.does,
    ]);
    return `### ${area}\n\n${table(['variable', 'type', 'default', 'what it does'], rows)}`;
  });
  return sections.join('\n\n');
}

function typeOf({ kind, values = [], from, to }: Variable): string {
  if (kind === 'enum') return values.map((value) => `\`${value}\``).join(', ');
  const least = from === undefined || from.startsWith('-') ? '' : ` from ${from}`;
  return `${kind}${least}${to === undefined ? '' : ` to ${to}`}`;
}

function defaultOf(variable: Variable): string {
  if (variable.default === undefined) return 'unset';
  return variable.default === '' ? 'empty' : `\`${variable.default}\``;
}

/** What envoyproxy/ratelimit knows, and what becomes of it here. */
function notOffered(): string {
  const names = Object.entries(NOT_OFFERED).map(([name, why]) => [`\`${name}\``, 'ignored', why]);
  const values = Object.values<Variables>(AREAS)
    .flatMap((variables) => Object.entries(variables))
    .flatMap(([name, { refused = {} }]) => Object.entries(refused).map(([value, why]) => ({ name, value, why })))
    .map(({ name, value, why }) => [`\`${name}=${value}\``, 'refused', why.replace(/^is (refused: )?/, '')]);
  return table(['variable', 'is', 'since'], [...names, ...values]);
}

function table(head: Row, rows: readonly Row[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (row: Row): string => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

function between(page: string, marker: string, text: string): string {
  const [begin, end] = [`<!-- generated: ${marker} -->`, `<!-- end of ${marker} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${PAGE} lacks the markers of ${marker}`);
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`;
}

const [file = PAGE] = process.argv.slice(2);
const page = between(readFileSync(PAGE, 'utf8'), 'variables', areas());
writeFileSync(file, between(page, 'not offered', notOffered()));
