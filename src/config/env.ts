/** The environment as typed values: an empty variable is an unset one, a malformed or a refused one is named. */
import { NOT_OFFERED } from './not-offered.ts';
import { expectedText, parseValue } from './parse-value.ts';
import type { NotOffered, Value, ValuesOf, Variable } from './variable.ts';
import { VARIABLES, type VariableName } from './variables.ts';

/** One variable that cannot be used. */
export class EnvError extends Error {
  readonly code = 'CONFIG_INVALID';

  constructor(variable: string, message: string) {
    super(`${variable}: ${message}`);
    this.name = 'EnvError';
  }
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Every variable that Headroom itself reads, by its name; OTEL_* are read by the OpenTelemetry SDK. */
export type Env = ValuesOf<typeof VARIABLES> & {
  /** The variables that were set, and not to nothing: the others have their defaults. */
  readonly given: ReadonlySet<VariableName>;
  /** The variables of each mogrifier of DogStatsD: their names are the operator's own. */
  readonly mogrifiers: Environment;
};

const MOGRIFIER = 'DOG_STATSD_MOGRIFIER_';

/** @throws EnvError for the first variable whose text is not of its kind, or that is refused */
export function readEnv(environment: Environment): Env {
  for (const [name, { answer, why }] of Object.entries<NotOffered>(NOT_OFFERED)) {
    if (answer === 'refused' && textOf(environment, name) !== undefined) throw new EnvError(name, why);
  }
  const names = Object.keys(VARIABLES) as VariableName[];
  const values = names.map((name) => [name, parsed(name, VARIABLES[name], textOf(environment, name))]);
  const mogrifiers = Object.keys(environment).filter((name) => name.startsWith(MOGRIFIER));
  return {
    ...(Object.fromEntries(values) as ValuesOf<typeof VARIABLES>),
    given: new Set(names.filter((name) => textOf(environment, name) !== undefined)),
    mogrifiers: Object.fromEntries(mogrifiers.map((name) => [name, textOf(environment, name)])),
  };
}

/** @returns undefined for a variable that is empty or blank, too */
export function textOf(environment: Environment, name: string): string | undefined {
  return environment[name]?.trim() || undefined;
}

function parsed(name: string, variable: Variable, given: string | undefined): Value | undefined {
  const text = given ?? variable.default;
  if (text === undefined) return undefined;
  const value = parseValue(variable, text);
  if (value !== undefined) return value;
  const { refused = {} } = variable;
  const known = Object.keys(refused).find((each) => each.toLowerCase() === text.toLowerCase());
  if (known !== undefined) throw new EnvError(name, `${known} ${refused[known]}`);
  throw new EnvError(name, `expected ${expectedText(variable)}${variable.secret ? '' : `, got '${text}'`}`);
}
