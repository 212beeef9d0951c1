/** What was typed after `headroom keys`, as values. What they mean for a key decides the service. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

/** The command line makes no sense: nothing was sent. */
export class UsageError extends Error {
  readonly code = 'USAGE';
}

export type OptionKind = 'text' | 'flag' | 'number' | 'many';

/** By name of the option, without its dashes. */
export type OptionKinds = Readonly<Record<string, OptionKind>>;

export interface Arguments {
  readonly operands: readonly string[];
  text(name: string): string | undefined;
  /** @throws UsageError if it is none of these */
  choice<T extends string>(name: string, choices: readonly T[]): T | undefined;
  number(name: string): number | undefined;
  flag(name: string): boolean;
  many(name: string): readonly string[];
}

/** @throws UsageError */
export function readArguments(args: readonly string[], kinds: OptionKinds): Arguments {
  const { positionals, values } = parsed(args, kinds);
  const given = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === 'string' ? value : undefined;
  };
  const numbers = Object.keys(kinds).filter((name) => kinds[name] === 'number');
  for (const name of numbers) requireInteger(name, given(name));
  return {
    operands: positionals,
    text: given,
    choice: (name, choices) => chosen(name, given(name), choices),
    number: (name) => (given(name) === undefined ? undefined : Number(given(name))),
    flag: (name) => values[name] === true,
    many: (name) => (Array.isArray(values[name]) ? values[name].map(String) : []),
  };
}

/** Absent values are left out: a field that is absent stays as it is. */
export function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

/** `name=value` of each; undefined without any. */
export function metadataOf(pairs: readonly string[]): Readonly<Record<string, string>> | undefined {
  if (pairs.length === 0) return undefined;
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf('=');
      if (equals < 1) throw new UsageError(`--metadata: expected name=value, got '${pair}'`);
      return [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}

/** A date alone is its first second in UTC; `never` is null. */
export function expiryOf(text: string | undefined): string | null | undefined {
  if (text === 'never') return null;
  return text !== undefined && /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text;
}

interface Parsed {
  readonly positionals: readonly string[];
  readonly values: Readonly<Record<string, unknown>>;
}

function parsed(args: readonly string[], kinds: OptionKinds): Parsed {
  const options: ParseArgsOptionsConfig = Object.fromEntries(
    Object.entries(kinds).map(([name, kind]) => [
      name,
      { type: kind === 'flag' ? 'boolean' : 'string', multiple: kind === 'many' } as const,
    ]),
  );
  try {
    return parseArgs({ args: joined(args, kinds), options, allowPositionals: true });
  } catch (error) {
    // Node goes on to say how an operand could begin with a dash.
    throw new UsageError(String((error as Error).message).split(/\. |\n/)[0]);
  }
}

/** `--sort -name` as `--sort=-name`: Node would ask which of the two was meant. `--sort --json` stays a mistake. */
function joined(args: readonly string[], kinds: OptionKinds): string[] {
  const takesValue = (arg: string | undefined): boolean => {
    const kind = arg?.startsWith('--') ? kinds[arg.slice(2)] : undefined;
    return kind !== undefined && kind !== 'flag';
  };
  const isValue = args.map((arg, index) => /^-[^-]/.test(arg) && takesValue(args[index - 1]));
  return args.flatMap((arg, index) => {
    if (isValue[index]) return [];
    return [isValue[index + 1] ? `${arg}=${args[index + 1]}` : arg];
  });
}

function requireInteger(name: string, text: string | undefined): void {
  if (text !== undefined && !/^\d{1,15}$/.test(text)) {
    throw new UsageError(`--${name}: expected a number, got '${text}'`);
  }
}

function chosen<T extends string>(name: string, text: string | undefined, choices: readonly T[]): T | undefined {
  if (text === undefined) return undefined;
  const choice = choices.find((each) => each === text);
  if (choice === undefined) throw new UsageError(`--${name}: expected ${choices.join(', ')}, got '${text}'`);
  return choice;
}
