/** What a row of the tables of environment variables says, and the types that follow from it. */

/** The form that a variable's text has: see parse-value.ts. */
export type Kind = 'text' | 'integer' | 'port' | 'duration' | 'bool' | 'float' | 'list' | 'map' | 'enum';

export interface Variable {
  readonly kind: Kind;
  /** As one would write it; without one the value of an unset variable is undefined. */
  readonly default?: string;
  /** One line for the documentation, in Markdown. */
  readonly does: string;
  /** Of an enum: what it may be, in any case. */
  readonly values?: readonly string[];
  /** Of an enum: what the reference knows, or refuses as well, and why it cannot be had here. */
  readonly refused?: Readonly<Record<string, string>>;
  /** Of a number or a duration: the least and the greatest, as one would write them. */
  readonly from?: string;
  readonly to?: string;
  /** No error repeats its value. */
  readonly secret?: true;
}

export type Variables = Readonly<Record<string, Variable>>;

interface Values {
  readonly text: string;
  readonly integer: number;
  readonly port: number;
  /** Whole milliseconds. */
  readonly duration: number;
  readonly bool: boolean;
  readonly float: number;
  readonly list: readonly string[];
  readonly map: Readonly<Record<string, string>>;
  readonly enum: string;
}

/** What a variable's text becomes. */
export type Value = Values[Kind];

type ValueOf<V extends Variable> =
  | (V extends { readonly kind: 'enum'; readonly values: readonly (infer Name)[] } ? Name : Values[V['kind']])
  | (V extends { readonly default: string } ? never : undefined);

/** The values of a table, by the names of its variables. */
export type ValuesOf<Table extends Variables> = { readonly [Name in keyof Table]: ValueOf<Table[Name]> };
