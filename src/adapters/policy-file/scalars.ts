/** What a scalar without quotes stands for in YAML 1.1, as gopkg.in/yaml.v2 reads it: existing files rely on that. */

/** Dates are `text`: that parser gives them back as they are written. */
export type ScalarType = 'null' | 'bool' | 'int' | 'float' | 'text';

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((word) => [word, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((word) => [word, false] as const),
]);
const NULLS: ReadonlySet<string> = new Set(['', '~', 'null', 'Null', 'NULL']);
/** By the code of the first character: 1 for what begins a number, 2 for what begins a word, 0 for text alone. */
const BEGINS = new Uint8Array(128);
for (const character of '-+.0123456789') BEGINS[character.charCodeAt(0)] = 1;
for (const character of '~yYnNtTfFoO') BEGINS[character.charCodeAt(0)] = 2;
const INT = /^[-+]?(0[bB][01]+|0[oO]?[0-7]+|0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)$/;
const FLOAT = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;
const SPECIAL_FLOAT = /^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$/;

export function scalarType(text: string): ScalarType {
  if (text === '') return 'null';
  const begins = BEGINS[text.charCodeAt(0)] ?? 0;
  if (begins === 0) return 'text';
  if (begins === 1) return numberType(text);
  if (BOOLEANS.has(text)) return 'bool';
  return NULLS.has(text) ? 'null' : 'text';
}

function numberType(text: string): ScalarType {
  const digits = text.replaceAll('_', '');
  if (INT.test(digits)) return 'int';
  if (SPECIAL_FLOAT.test(text)) return 'float';
  // 08 is no octal number, and so falls to the floats there, too.
  return FLOAT.test(digits) ? 'float' : 'text';
}

/** Integers beyond 2^53 lose digits: nothing in a policy goes so far. */
export function scalarValue(text: string): null | boolean | number | string {
  switch (scalarType(text)) {
    case 'null':
      return null;
    case 'bool':
      return BOOLEANS.get(text) as boolean;
    case 'int':
      return intValue(text.replaceAll('_', ''));
    case 'float':
      return floatValue(text.replaceAll('_', ''));
    case 'text':
      return text;
  }
}

function intValue(digits: string): number {
  const negative = digits.startsWith('-');
  const magnitude = digits.replace(/^[-+]/, '');
  const value = Number(/^0[0-7]+$/.test(magnitude) ? `0o${magnitude.slice(1)}` : magnitude);
  return negative ? -value : value;
}

function floatValue(digits: string): number {
  if (/nan$/i.test(digits)) return Number.NaN;
  if (/inf$/i.test(digits)) return digits.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return Number(digits);
}
