/** Compiles a policy as it is written into the tree that requests walk, and refuses what contradicts itself. */
import { compileKeyRules, compileLimit } from './compile-limit.ts';
import { type DescriptorDefinition, hasValue, nameOf, type Path, type PolicyDefinition } from './definition.ts';
import { PolicyError } from './errors.ts';
import type { DomainPolicy, HeaderStyle, Level, PolicyNode, WildcardNode } from './policy.ts';
import { compileWildcard } from './wildcard.ts';

/**
 * The messages about keys that envoyproxy/ratelimit knows, too, are its own.
 * @param others what other files say of the same domain; the policy holds both
 * @throws PolicyError at the first contradiction, with the path of its key in this definition
 */
export function compilePolicy(definition: PolicyDefinition, others?: DomainPolicy): DomainPolicy {
  const { domain, headers, descriptors = [] } = definition;
  if (domain === '') throw new PolicyError(['domain'], 'config file cannot have empty domain');
  const root = compileLevel(descriptors, ['descriptors'], { names: [domain], hasKey: false }, others?.root);
  return { domain, ...headerStyleOf(headers, usesLimits(descriptors), others), root };
}

function headerStyleOf(
  written: HeaderStyle | undefined,
  hasLimits: boolean,
  others: DomainPolicy | undefined,
): Pick<DomainPolicy, 'headerStyle' | 'writtenHeaderStyle'> {
  const elsewhere = others?.writtenHeaderStyle;
  if (written !== undefined && elsewhere !== undefined && written !== elsewhere) {
    throw new PolicyError(['headers'], `another file of the domain says headers: ${elsewhere}`);
  }
  const writtenHeaderStyle = written ?? elsewhere;
  const implied = hasLimits || others?.headerStyle === 'documented' ? 'documented' : 'reference';
  return { headerStyle: writtenHeaderStyle ?? implied, writtenHeaderStyle };
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

const NOTHING: Level = { children: new Map(), wildcards: [] };

/** @param beside what other files have at this place */
function compileLevel(
  descriptors: readonly DescriptorDefinition[],
  path: Path,
  above: Above,
  beside: Level = NOTHING,
): Level {
  if (descriptors.length === 0) return beside;
  const children = new Map(beside.children);
  const wildcards = [...beside.wildcards];
  descriptors.forEach((descriptor, index) => {
    const at = [...path, index];
    if (descriptor.key === '') throw new PolicyError([...at, 'key'], 'descriptor has empty key');
    const name = nameOf(descriptor);
    const here = [...above.names, name];
    if (children.has(name)) {
      throw new PolicyError([...at, 'key'], `duplicate descriptor composite key '${here.join('.')}'`);
    }
    const node = compileNode(descriptor, at, { names: here, hasKey: above.hasKey });
    children.set(name, node);
    if (isWildcard(node)) wildcards.push(node);
  });
  refuseWaysAround({ children, wildcards }, descriptors, path);
  return { children, wildcards };
}

function isWildcard(node: PolicyNode): node is WildcardNode {
  return node.wildcard !== undefined;
}

/**
 * Names meet entries as joined texts: beside `api_key`, a rule `api_key_x` is what a caller with the key `x` meets, and
 * `api_*` what callers with any key do.
 */
function refuseWaysAround({ children, wildcards }: Level, descriptors: readonly DescriptorDefinition[], path: Path) {
  const keyed = [...children.values()].filter(({ keys }) => keys !== undefined).map(({ entry }) => entry.key);
  if (keyed.length === 0) return;
  const keyedNames = new Set(keyed);
  for (const [name, node] of children) {
    const around = node.wildcard === undefined ? keyBefore(name, keyedNames) : undefined;
    if (around !== undefined) throw wayAround(name, around, descriptors, path);
  }
  for (const { entry, wildcard } of wildcards) {
    const [first] = wildcard.parts as [string];
    const around = keyed.find((key) => first.startsWith(`${key}_`) || `${key}_`.startsWith(first));
    if (around === undefined) continue;
    const name = entry.value === undefined ? entry.key : `${entry.key}_${entry.value}`;
    throw wayAround(name, around, descriptors, path);
  }
}

/** The key that, joined with some value, makes this name. */
function keyBefore(name: string, keys: ReadonlySet<string>): string | undefined {
  for (let at = name.indexOf('_'); at >= 0; at = name.indexOf('_', at + 1)) {
    if (keys.has(name.slice(0, at))) return name.slice(0, at);
  }
  return undefined;
}

/** Of the two rules at least one is in this definition: the line that is named is one of it. */
function wayAround(name: string, key: string, descriptors: readonly DescriptorDefinition[], path: Path): PolicyError {
  const own = descriptors.findIndex((descriptor) => nameOf(descriptor) === name);
  const index = own >= 0 ? own : descriptors.findIndex((descriptor) => nameOf(descriptor) === key);
  const message = `'${name}' is also met by entries ${key}, and so a way around their API keys: rename it`;
  return new PolicyError([...path, index, 'key'], message);
}

/** @param here the names up to this node, and whether a node before it has `api_keys` */
function compileNode(descriptor: DescriptorDefinition, at: Path, here: Above): PolicyNode {
  refuseContradictions(descriptor, at);
  const isKey = descriptor.api_keys ?? false;
  if (isKey && here.hasKey) {
    throw new PolicyError([...at, 'api_keys'], 'a descriptor holds one API key at most, and there is one above');
  }
  const name = nameOf(descriptor);
  const below = { names: here.names, hasKey: here.hasKey || isKey };
  return {
    entry: { key: descriptor.key, value: hasValue(descriptor) ? descriptor.value : undefined },
    wildcard: name.includes('*') ? compileWildcard(name) : undefined,
    shared: descriptor.share_threshold ?? false,
    valueInStats: descriptor.value_to_metric ?? false,
    limit: compileLimit(descriptor, at, here.names),
    keys: isKey ? compileKeyRules(descriptor, at, here.names) : undefined,
    ...compileLevel(descriptor.descriptors ?? [], [...at, 'descriptors'], below),
  };
}

function refuseContradictions(descriptor: DescriptorDefinition, at: Path): void {
  const { limits, rate_limit, classes, overdraft, api_keys, share_threshold } = descriptor;
  if (limits && rate_limit) {
    throw new PolicyError([...at, 'limits'], 'limits and rate_limit exclude each other on one descriptor');
  }
  if (classes && !limits) throw new PolicyError([...at, 'classes'], 'classes replace limits, and there are none here');
  for (const key of ['classes', 'unknown_keys', 'inactive_keys'] as const) {
    if (descriptor[key] === undefined || api_keys) continue;
    const verb = key === 'classes' ? 'need' : 'needs';
    throw new PolicyError([...at, key], `${key} ${verb} api_keys: true on the same descriptor`);
  }
  if (overdraft && !limits) {
    throw new PolicyError([...at, 'overdraft'], 'overdraft stands beside limits, and there are none here');
  }
  const name = nameOf(descriptor);
  if (share_threshold && !name.includes('*')) {
    const rule = "share_threshold can only be used with wildcard values (containing '*')";
    throw new PolicyError([...at, 'share_threshold'], `${rule}, but found key '${name}'`);
  }
  if (!api_keys) return;
  if (hasValue(descriptor)) {
    throw new PolicyError([...at, 'value'], 'a value beside api_keys: true would put a key in clear into this file');
  }
  if (name.includes('*')) {
    throw new PolicyError([...at, 'key'], 'a wildcard beside api_keys: true would be met by parts of keys');
  }
}
