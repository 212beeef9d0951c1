/** /rlconfig: the limits in force, one line each, as envoyproxy/ratelimit lists them. */
import type { Limit, Window } from '../../core/limit.ts';
import type { Level, PolicyNode, PolicySet } from '../../core/policy.ts';

/**
 * Domains by name, their limits in the order of the file, windows shortest first. A limit of several windows has a line
 * for each; one whose length is no unit has its seconds in place of the unit.
 * @yields lines, each with its line feed
 */
export function* limitLines(policies: PolicySet): Generator<string> {
  const domains = [...policies.values()].sort((a, b) => (a.domain < b.domain ? -1 : 1));
  for (const { domain, root } of domains) yield* linesOf(domain, root);
}

function* linesOf(domain: string, { children }: Level): Generator<string> {
  for (const node of children.values()) {
    for (const limit of limitsOf(node)) yield* linesOfLimit(`${domain}.${limit.policy}`, limit);
    yield* linesOf(domain, node);
  }
}

function limitsOf({ limit, keys }: PolicyNode): readonly Limit[] {
  const classes = keys?.classes.map((each) => each.limit) ?? [];
  return limit === undefined ? classes : [limit, ...classes];
}

function* linesOfLimit(name: string, { windows, shadow, quota, unlimited }: Limit): Generator<string> {
  const modes = `shadow_mode: ${shadow}, quota_mode: ${quota}`;
  if (unlimited) yield `${oneLine(name)}: unit=UNKNOWN requests_per_unit=0, ${modes}\n`;
  for (const window of windows) {
    yield `${oneLine(name)}: unit=${unitText(window)} requests_per_unit=${window.max}, ${modes}\n`;
  }
}

function unitText({ unit, seconds }: Window): string {
  return unit?.toUpperCase() ?? `${seconds}s`;
}

/** A key of a policy may hold anything: a line feed in it would be read as the next limit. */
function oneLine(name: string): string {
  return name.replace(/\p{Cc}/gu, (character) => encodeURIComponent(character));
}
