/** The environment as typed values: an empty variable is an unset one, a malformed one is named. */
import { expectedText, parseValue } from './parse-value.ts';
import type { Value, ValuesOf, Variable } from './variable.ts';
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

// What a pod is told of a service `statsd` is STATSD_PORT=tcp://10.0.0.1:8125.
export const SERVICE_LINK = /^(tcp|udp|sctp):\/\//;
// Enough to know it again.
const SHOWN_MAX = 100;
const MOGRIFIER = 'DOG_STATSD_MOGRIFIER_';

/** @throws EnvError for the first variable whose text is not of its kind, or is refused */
export function readEnv(environment: Environment): Env {
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

function shortened(text: string): string {
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

function parsed(name: string, variable: Variable, given: string | undefined): Value | undefined {
  const text = given ?? variable.default;
  if (text === undefined) return undefined;
  const value = parseValue(variable, text);
  if (value !== undefined) return value;
  const { refused = {} } = variable;
  const known = Object.keys(refused).find((each) => each.toLowerCase() === text.toLowerCase());
  if (known !== undefined) throw new EnvError(name, `${known} ${refused[known]}`);
  const hint = SERVICE_LINK.test(text)
    ? '. Set by Kubernetes for a service of that name? enableServiceLinks: false'
    : '';
  throw new EnvError(
    name,
    `expected ${expectedText(variable)}${variable.secret ? '' : `, got '${shortened(text)}'${hint}`}`,
  );
}
