/** What about the environment an operator should know though the service can start: variables without effect, and typos. */
import { type Environment, SERVICE_LINK, textOf } from './env.ts';
import { NOT_OFFERED } from './not-offered.ts';
import { VARIABLES } from './variables.ts';

export interface EnvWarning {
  readonly variable: string;
  readonly reason: string;
}

// Everything under these names is meant for this service. What stands under others is nobody's business.
const OURS = /^(REDIS|RUNTIME)_/;
// What Kubernetes and Docker tell every container about a service named redis.
const LINKS = /_SERVICE_(HOST|PORT)(_|$)|_PORT_\d+_(TCP|UDP|SCTP)(_|$)/;
// A slip or two. At three, REDIS_HOST is next to REDIS_AUTH, and nobody meant that.
const DISTANCE_MAX = 2;

/** In the order of the environment; none twice. */
export function warningsAbout(environment: Environment): readonly EnvWarning[] {
  return Object.keys(environment).flatMap((variable) => {
    const text = textOf(environment, variable);
    const reason = text === undefined ? undefined : reasonAgainst(variable, text);
    return reason === undefined ? [] : [{ variable, reason }];
  });
}

function reasonAgainst(variable: string, text: string): string | undefined {
  if (Object.hasOwn(VARIABLES, variable)) return undefined;
  const notOffered: Readonly<Record<string, string>> = NOT_OFFERED;
  if (Object.hasOwn(notOffered, variable)) return `is ignored: ${notOffered[variable]}`;
  if (!OURS.test(variable) || LINKS.test(variable) || SERVICE_LINK.test(text)) return undefined;
  const nearest = nearestTo(variable);
  return `is unknown and has no effect${nearest === undefined ? '' : `: is ${nearest} meant?`}`;
}

function nearestTo(variable: string): string | undefined {
  const ranked = Object.keys(VARIABLES)
    .map((name) => ({ name, distance: distanceOf(name, variable) }))
    .sort((a, b) => a.distance - b.distance);
  const [first] = ranked;
  return first && first.distance <= DISTANCE_MAX ? first.name : undefined;
}

/** Levenshtein's: how many letters must be put in, left out or exchanged. */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [line, letter] of [...a].entries()) {
    const next = [line + 1];
    for (let column = 0; column < b.length; column++) {
      const exchanged = (row[column] ?? 0) + (b[column] === letter ? 0 : 1);
      next.push(Math.min(exchanged, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
