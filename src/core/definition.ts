/** Compiles a policy as it is written into the tree that requests walk, and refuses what contradicts itself. */
import type { KeyType } from './api-key.ts';
import { PolicyError } from './errors.ts';
import { isUnit, type Limit, parsePer, unitWindow, type Window } from './limit.ts';
import type { DomainPolicy, HeaderStyle, InactiveKeys, KeyClass, KeyRules, PolicyNode, UnknownKeys } from './policy.ts';
import { fixedWindow } from './window.ts';

/** A policy file's content: types are right, meaning is not yet checked. Names are those of the file. */
export interface PolicyDefinition {
  readonly domain: string;
  readonly headers?: HeaderStyle | undefined;
  readonly descriptors?: readonly DescriptorDefinition[] | undefined;
}

export interface DescriptorDefinition {
  readonly key: string;
  readonly value?: string | undefined;
  readonly api_keys?: boolean | undefined;
  readonly unknown_keys?: UnknownKeys | undefined;
  readonly inactive_keys?: InactiveKeys | undefined;
  readonly rate_limit?: RateLimitDefinition | undefined;
  readonly limits?: readonly WindowDefinition[] | undefined;
  readonly classes?: readonly ClassDefinition[] | undefined;
  readonly overdraft?: boolean | undefined;
  readonly shadow_mode?: boolean | undefined;
  readonly quota_mode?: boolean | undefined;
  readonly detailed_metric?: boolean | undefined;
  readonly value_to_metric?: boolean | undefined;
  readonly share_threshold?: boolean | undefined;
  /** JSON values. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly descriptors?: readonly DescriptorDefinition[] | undefined;
}

export interface RateLimitDefinition {
  readonly unit?: string | undefined;
  readonly requests_per_unit?: number | undefined;
  readonly unlimited?: boolean | undefined;
  readonly name?: string | undefined;
  readonly replaces?: readonly { readonly name?: string | undefined }[] | undefined;
}

export interface WindowDefinition {
  readonly requests: number;
  readonly per: string;
  readonly name?: string | undefined;
}

export interface ClassDefinition {
  readonly name: string;
  readonly prefix?: string | undefined;
  readonly type?: KeyType | undefined;
  readonly limits: readonly WindowDefinition[];
}

type Path = readonly (string | number)[];

/**
 * The messages about `domain`, `key`, `unit` and duplicates are those of envoyproxy/ratelimit.
 * @throws PolicyError at the first contradiction, with the path of its key
 */
export function compilePolicy(definition: PolicyDefinition): DomainPolicy {
  if (definition.domain === '') throw new PolicyError(['domain'], 'config file cannot have empty domain');
  const descriptors = definition.descriptors ?? [];
  const headerStyle = definition.headers ?? (usesLimits(descriptors) ? 'documented' : 'reference');
  const children = compileChildren(descriptors, ['descriptors'], { names: [definition.domain], hasKey: false });
  return {
    domain: definition.domain,
    headerStyle,
    root: { children },
  };
}

function usesLimits(descriptors: readonly DescriptorDefinition[]): boolean {
  return descriptors.some((descriptor) => descriptor.limits !== undefined || usesLimits(descriptor.descriptors ?? []));
}

/** What stands above a node. */
interface Above {
  readonly names: readonly string[];
  /** One of the nodes above has `api_keys`. */
  readonly hasKey: boolean;
}

function compileChildren(
  descriptors: readonly DescriptorDefinition[],
  path: Path,
  above: Above,
): ReadonlyMap<string, PolicyNode> {
  const children = new Map<string, PolicyNode>();
  descriptors.forEach((descriptor, index) => {
    const at = [...path, index];
    if (descriptor.key === '') throw new PolicyError([...at, 'key'], 'descriptor has empty key');
    const name = nameOf(descriptor);
    const here = [...above.names, name];
    if (name.includes('*')) {
      // Read as text it would match nothing, and what it was to limit would go unlimited.
      throw new PolicyError(
        [...at, descriptor.key.includes('*') ? 'key' : 'value'],
        `wildcards are not supported: '${name}'`,
      );
    }
    if (children.has(name)) {
      throw new PolicyError([...at, 'key'], `duplicate descriptor composite key '${here.join('.')}'`);
    }
    children.set(name, compileNode(descriptor, at, { names: here, hasKey: above.hasKey }));
  });
  refuseWaysAround(descriptors, path);
  return children;
}

/** Names meet entries as joined texts: beside `api_key`, a rule `api_key_x` is what a caller with the key `x` meets. */
function refuseWaysAround(descriptors: readonly DescriptorDefinition[], path: Path): void {
  const keyed = descriptors.filter(({ api_keys }) => api_keys);
  descriptors.forEach((descriptor, index) => {
    const around = keyed.find(({ key }) => key !== descriptor.key && nameOf(descriptor).startsWith(`${key}_`));
    if (around === undefined) return;
    throw new PolicyError(
      [...path, index, 'key'],
      `'${nameOf(descriptor)}' is also met by entries ${around.key}, and so a way around their API keys: rename it`,
    );
  });
}

function nameOf(descriptor: DescriptorDefinition): string {
  return hasValue(descriptor) ? `${descriptor.key}_${descriptor.value}` : descriptor.key;
}

/** As in envoyproxy/ratelimit, an empty value is none. */
function hasValue({ value }: DescriptorDefinition): boolean {
  return value !== undefined && value !== '';
}

/** @param here the names up to this node, and whether a node before it has `api_keys` */
function compileNode(descriptor: DescriptorDefinition, at: Path, here: Above): PolicyNode {
  refuseContradictions(descriptor, at);
  const isKey = descriptor.api_keys ?? false;
  if (isKey && here.hasKey) {
    throw new PolicyError([...at, 'api_keys'], 'a descriptor holds one API key at most, and there is one above');
  }
  const below = { names: here.names, hasKey: here.hasKey || isKey };
  return {
    entry: { key: descriptor.key, value: hasValue(descriptor) ? descriptor.value : undefined },
    limit: compileLimit(descriptor, at, here.names),
    keys: isKey ? compileKeyRules(descriptor, at, here.names) : undefined,
    children: compileChildren(descriptor.descriptors ?? [], [...at, 'descriptors'], below),
  };
}

function compileKeyRules(descriptor: DescriptorDefinition, at: Path, names: readonly string[]): KeyRules {
  return {
    classes: compileClasses(descriptor, at, names),
    unknown: descriptor.unknown_keys ?? 'default',
    // Who revokes a key wants it to end.
    inactive: descriptor.inactive_keys ?? 'deny',
  };
}

function refuseContradictions(descriptor: DescriptorDefinition, at: Path): void {
  const { limits, rate_limit, classes, overdraft, api_keys } = descriptor;
  if (limits && rate_limit) {
    throw new PolicyError([...at, 'limits'], 'limits and rate_limit exclude each other on one descriptor');
  }
  if (classes && !limits) throw new PolicyError([...at, 'classes'], 'classes replace limits, and there are none here');
  for (const key of ['classes', 'unknown_keys', 'inactive_keys'] as const) {
    if (descriptor[key] === undefined || api_keys) continue;
    const verb = key === 'classes' ? 'need' : 'needs';
    throw new PolicyError([...at, key], `${key} ${verb} api_keys: true on the same descriptor`);
  }
  if (overdraft && !limits)
    throw new PolicyError([...at, 'overdraft'], 'overdraft stands beside limits, and there are none here');
  if (api_keys && hasValue(descriptor)) {
    throw new PolicyError([...at, 'value'], 'a value beside api_keys: true would put a key in clear into this file');
  }
}

function compileLimit(descriptor: DescriptorDefinition, at: Path, names: readonly string[]): Limit | undefined {
  const policy = names.slice(1).join('.');
  const shadow = descriptor.shadow_mode ?? false;
  if (descriptor.rate_limit) {
    const windows = [rateLimitWindow(descriptor.rate_limit, [...at, 'rate_limit'])];
    return { policy, windows, charging: 'each', overdraft: false, shadow };
  }
  if (!descriptor.limits) return undefined;
  const windows = compileWindows(descriptor.limits, [...at, 'limits']);
  return { policy, windows, charging: 'together', overdraft: descriptor.overdraft ?? false, shadow };
}

function compileClasses(descriptor: DescriptorDefinition, at: Path, names: readonly string[]): readonly KeyClass[] {
  const seen = new Set<string>();
  return (descriptor.classes ?? []).map(({ name, prefix, type, limits }, index) => {
    const here = [...at, 'classes', index];
    if (prefix === '') throw new PolicyError([...here, 'prefix'], 'an empty prefix would match every key');
    if ((prefix === undefined) === (type === undefined)) {
      throw new PolicyError([...here, 'prefix'], 'a class is told by its prefix or by its type, one of them');
    }
    if (seen.has(name)) throw new PolicyError([...here, 'name'], `two classes are named '${name}'`);
    seen.add(name);
    const limit: Limit = {
      policy: [...names.slice(1), name].join('.'),
      windows: compileWindows(limits, [...here, 'limits']),
      charging: 'together',
      overdraft: descriptor.overdraft ?? false,
      shadow: descriptor.shadow_mode ?? false,
    };
    return { of: prefix === undefined ? { type: type as KeyType } : { prefix }, limit };
  });
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
