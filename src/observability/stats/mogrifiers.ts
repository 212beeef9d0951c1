/** Names turned into names with tags, as operators describe it: DOG_STATSD_MOGRIFIER_*. */
import { RE2JS } from 're2js';
import { type MogrifierConfig, StatsConfigError } from './config.ts';

export interface Mogrified {
  readonly name: string;
  readonly tags: readonly (readonly [tag: string, value: string])[];
}

export type Mogrify = (name: string) => Mogrified;

/** The first one that matches counts. @throws StatsConfigError naming the variable */
export function mogrifierOf(configs: readonly MogrifierConfig[]): Mogrify {
  const mogrifiers = configs.map(compiled);
  return (name) => {
    for (const mogrify of mogrifiers) {
      const mogrified = mogrify(name);
      if (mogrified !== undefined) return mogrified;
    }
    return { name, tags: [] };
  };
}

/** Patterns are Go's: RE2 reads them as Go does, and takes linear time, whatever names callers make up. */
function compiled({ variable, pattern, name, tags }: MogrifierConfig): (text: string) => Mogrified | undefined {
  const prefix = `DOG_STATSD_MOGRIFIER_${variable}`;
  if (pattern === '') throw new StatsConfigError(`${prefix}_PATTERN`, 'is required');
  if (name === '') throw new StatsConfigError(`${prefix}_NAME`, 'is required');
  const expression = compiledPattern(`${prefix}_PATTERN`, pattern);
  const groups = expression.groupCount();
  checkGroups(`${prefix}_NAME`, name, groups);
  for (const [tag, value] of Object.entries(tags)) {
    if (tag === '' || value === '') throw new StatsConfigError(`${prefix}_TAGS`, 'expected tag:value,tag:value');
    checkGroups(`${prefix}_TAGS`, value, groups);
  }
  return (text) => {
    const found = foundBy(expression, text);
    if (found === undefined) return undefined;
    return {
      // Where groups took no part, nothing may be left of a name.
      name: filledIn(name, found) || text,
      tags: Object.entries(tags).map(([tag, value]) => [tag, filledIn(value, found)] as const),
    };
  };
}

/** @throws StatsConfigError */
export function compiledPattern(variable: string, pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new StatsConfigError(variable, `'${pattern}' is no regular expression: ${(error as Error).message}`);
  }
}

/** @returns the whole match and the groups, empty where one took no part; undefined without a match */
export function foundBy(expression: RE2JS, text: string): readonly string[] | undefined {
  const matcher = expression.matcher(text);
  if (!matcher.find()) return undefined;
  return Array.from({ length: expression.groupCount() + 1 }, (_, group) => matcher.group(group) ?? '');
}

const REFERENCE = /\$(?:(\d+)|\{(\d+)\})/g;

/** Puts groups in the place of `$1` and `${1}`. */
export function filledIn(template: string, groups: readonly string[]): string {
  return template.replace(REFERENCE, (_, bare?: string, braced?: string) => {
    return groups[Number(bare ?? braced)] ?? '';
  });
}

function checkGroups(variable: string, template: string, groups: number): void {
  for (const [reference, bare, braced] of template.matchAll(REFERENCE)) {
    if (Number(bare ?? braced) > groups)
      throw new StatsConfigError(variable, `${reference}: the pattern has ${groups} groups`);
  }
}
