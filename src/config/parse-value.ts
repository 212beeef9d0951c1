/** The text of a variable as a value of its kind, by the rules of the reference's Go libraries. Knows no variable. */
import type { Kind, Value, Variable } from './variable.ts';

const INTEGER_MAX = '4294967295';
const PORT_MAX = 65_535;
// time.ParseDuration of Go. A nanosecond is the least that it knows.
const UNIT_MILLIS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const DURATION_PART = /(\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})(ns|us|µs|μs|ms|s|m|h)/g;
const BOOLS: Readonly<Record<string, boolean>> = Object.fromEntries([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((text) => [text, true]),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((text) => [text, false]),
]);

/** @returns undefined for what is not of the kind, or out of its range */
export function parseValue(variable: Variable, text: string): Value | undefined {
  const value = parserOf(variable)(text);
  return typeof value === 'number' && !isInRange(variable, value) ? undefined : value;
}

/** What belongs there, for a message: `a port from 0 to 65535`. */
export function expectedText(variable: Variable): string {
  const { kind, from, to, values = [] } = variable;
  switch (kind) {
    case 'integer':
      return `an integer from ${from ?? 0} to ${to ?? INTEGER_MAX}`;
    case 'duration':
      return to === undefined ? 'a duration such as 100ms, 5s, 1h30m' : `a duration from ${from ?? 0} to ${to}`;
    case 'float':
      return from === undefined ? 'a number' : `a number from ${from}${to === undefined ? '' : ` to ${to}`}`;
    case 'port':
      return `a port from ${from ?? 0} to ${PORT_MAX}`;
    case 'map':
      return 'pairs such as name:value,name2:value2';
    case 'enum':
      return values.length === 1 ? `${values[0]}` : `one of ${values.join(', ')}`;
    default:
      return EXPECTED[kind];
  }
}

const EXPECTED: Readonly<Record<Exclude<Kind, 'integer' | 'port' | 'duration' | 'float' | 'map' | 'enum'>, string>> = {
  text: 'a text',
  bool: 'true or false',
  list: 'texts, separated by commas',
};

function parserOf({ kind, values = [] }: Variable): (text: string) => Value | undefined {
  if (kind === 'enum') return (text) => values.find((name) => name.toLowerCase() === text.toLowerCase());
  return PARSERS[kind];
}

const PARSERS: Readonly<Record<Exclude<Kind, 'enum'>, (text: string) => Value | undefined>> = {
  text: (text) => text,
  integer: parseInteger,
  port: (text) => upTo(PORT_MAX, /^\d{1,5}$/.test(text) ? Number(text) : undefined),
  duration: parseDuration,
  bool: parseBool,
  float: (text) => (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,3})?$/i.test(text) ? finite(Number(text)) : undefined),
  list: splitList,
  map: parseMap,
};

/** As strconv.ParseBool of Go, which reads variables and flags of the reference. */
export function parseBool(text: string): boolean | undefined {
  return Object.hasOwn(BOOLS, text) ? BOOLS[text] : undefined;
}

function parseInteger(text: string): number | undefined {
  const value = /^[-+]?\d{1,15}$/.test(text) ? Number(text) : undefined;
  // Nobody means a zero of another sign.
  return value === 0 ? 0 : value;
}

/** @returns whole milliseconds, rounded up, so that nothing but zero becomes zero */
function parseDuration(text: string): number | undefined {
  if (/^[-+]?0$/.test(text)) return 0;
  const unsigned = text.replace(/^\+/, '');
  if (unsigned === '' || unsigned.replace(DURATION_PART, '') !== '') return undefined;
  const parts = [...unsigned.matchAll(DURATION_PART)];
  const millis = parts.reduce((sum, [, number, unit]) => sum + Number(number) * (UNIT_MILLIS[unit as string] ?? 0), 0);
  // What is left of a decimal fraction in binary is no reason for another millisecond.
  return upTo(Number.MAX_SAFE_INTEGER, Math.ceil(Number(millis.toFixed(6))));
}

function splitList(text: string): readonly string[] {
  const items = text.split(',').map((item) => item.trim());
  return items.filter((item) => item !== '');
}

function parseMap(text: string): Readonly<Record<string, string>> | undefined {
  const pairs = splitList(text).map((item) => [item.slice(0, item.indexOf(':')), item] as const);
  if (pairs.some(([name, item]) => !item.includes(':') || name.trim() === '')) return undefined;
  return Object.fromEntries(pairs.map(([name, item]) => [name.trim(), item.slice(name.length + 1).trim()]));
}

function isInRange(variable: Variable, value: number): boolean {
  const {
    kind,
    from = kind === 'float' ? undefined : '0',
    to = kind === 'integer' ? INTEGER_MAX : undefined,
  } = variable;
  const bound = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : (parserOf(variable)(text) as number);
  return value >= (bound(from) ?? -Infinity) && value <= (bound(to) ?? Infinity);
}

function upTo(max: number, value: number | undefined): number | undefined {
  return value !== undefined && value <= max ? value : undefined;
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}
