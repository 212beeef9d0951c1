/** Compiles what one descriptor of a policy enforces. */
import type { KeyType } from './api-key.ts';
import type {
  ClassDefinition,
  DescriptorDefinition,
  Path,
  RateLimitDefinition,
  WindowDefinition,
} from './definition.ts';
import { PolicyError } from './errors.ts';
import { isUnit, type Limit, parsePer, unitWindow, type Window } from './limit.ts';
import type { KeyClass, KeyRules } from './policy.ts';
import { fixedWindow } from './window.ts';

/**
 * @param names of the nodes up to the descriptor, the domain first
 * @returns undefined where nothing is limited
 */
export function compileLimit(descriptor: DescriptorDefinition, at: Path, names: readonly string[]): Limit | undefined {
  const { rate_limit, limits } = descriptor;
  if (rate_limit) return { ...commonOf(descriptor, names), ...compileRateLimit(rate_limit, [...at, 'rate_limit']) };
  if (!limits) return undefined;
  return { ...commonOf(descriptor, names), ...TOGETHER, windows: compileWindows(limits, [...at, 'limits']) };
}

export function compileKeyRules(descriptor: DescriptorDefinition, at: Path, names: readonly string[]): KeyRules {
  return {
    classes: compileClasses(descriptor, at, names),
    unknown: descriptor.unknown_keys ?? 'default',
    // Who revokes a key wants it to end.
    inactive: descriptor.inactive_keys ?? 'deny',
  };
}

/** What only `rate_limit` can say. */
const TOGETHER = { charging: 'together', unlimited: false, name: '', replaces: [] } as const;

type Common = Omit<Limit, 'windows' | keyof typeof TOGETHER>;

function commonOf(descriptor: DescriptorDefinition, names: readonly string[]): Common {
  return {
    policy: names.slice(1).join('.'),
    statsKey: names.join('.'),
    overdraft: descriptor.overdraft ?? false,
    shadow: descriptor.shadow_mode ?? false,
    quota: descriptor.quota_mode ?? false,
    detailed: descriptor.detailed_metric ?? false,
    metadata: descriptor.metadata,
  };
}

function compileRateLimit(definition: RateLimitDefinition, path: Path): Omit<Limit, keyof Common> {
  const { name = '', unlimited = false } = definition;
  const windows = unlimited ? [] : [rateLimitWindow(definition, path)];
  if (unlimited && isUnit((definition.unit ?? '').toLowerCase())) {
    throw new PolicyError([...path, 'unit'], 'should not specify rate limit unit when unlimited');
  }
  const replaces = (definition.replaces ?? []).map((replaced, index) => {
    const at = [...path, 'replaces', index];
    if (!replaced.name) throw new PolicyError(at, 'should not have an empty replaces entry');
    if (replaced.name === name) throw new PolicyError(at, 'replaces should not contain name of same descriptor');
    return replaced.name;
  });
  return { charging: 'each', unlimited, name, replaces, windows };
}

function compileClasses(descriptor: DescriptorDefinition, at: Path, names: readonly string[]): readonly KeyClass[] {
  const seen = new Set<string>();
  return (descriptor.classes ?? []).map((definition, index) => {
    const here = [...at, 'classes', index];
    refuseUnclearClass(definition, here, seen);
    seen.add(definition.name);
    const limit: Limit = {
      ...commonOf(descriptor, [...names, definition.name]),
      ...TOGETHER,
      windows: compileWindows(definition.limits, [...here, 'limits']),
    };
    const { prefix, type } = definition;
    return { of: prefix === undefined ? { type: type as KeyType } : { prefix }, limit };
  });
}

function refuseUnclearClass({ name, prefix, type }: ClassDefinition, here: Path, seen: ReadonlySet<string>): void {
  if (prefix === '') throw new PolicyError([...here, 'prefix'], 'an empty prefix would match every key');
  if ((prefix === undefined) === (type === undefined)) {
    throw new PolicyError([...here, 'prefix'], 'a class is told by its prefix or by its type, one of them');
  }
  if (seen.has(name)) throw new PolicyError([...here, 'name'], `two classes are named '${name}'`);
}

function rateLimitWindow(definition: RateLimitDefinition, path: Path): Window {
  const written = definition.unit ?? '';
  const unit = written.toLowerCase();
  if (!isUnit(unit)) throw new PolicyError([...path, 'unit'], `invalid rate limit unit '${written}'`);
  return { ...unitWindow(definition.requests_per_unit ?? 0, unit), name: definition.name ?? '' };
}

function compileWindows(definitions: readonly WindowDefinition[], path: Path): readonly Window[] {
  if (definitions.length === 0) throw new PolicyError(path, 'a limit needs at least one window');
  const lengths = new Map<number, string>();
  const windows = definitions.map(({ requests, per, name }, index): Window => {
    const length = parsePer(per);
    if (!length) {
      const units = 'second, minute, hour, day, week, month, year or a duration such as 90s, 5m, 12h, 7d';
      throw new PolicyError([...path, index, 'per'], `unknown unit '${per}': expected ${units}`);
    }
    const twin = lengths.get(length.seconds);
    if (twin !== undefined) {
      throw new PolicyError([...path, index, 'per'], `two windows of one length: '${twin}' and '${per}'`);
    }
    lengths.set(length.seconds, per);
    return { name: name ?? per.toLowerCase(), max: requests, ...length, algorithm: fixedWindow };
  });
  return windows.sort((a, b) => a.seconds - b.seconds);
}
