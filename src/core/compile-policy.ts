/** Compiles a policy as it is written into the tree that requests walk, and refuses what contradicts itself. */
import { compileKeyRules, compileLimit } from './compile-limit.ts';
import { type DescriptorDefinition, hasValue, nameOf, type Path, type PolicyDefinition } from './definition.ts';
import { PolicyError } from './errors.ts';
import type { DomainPolicy, HeaderStyle, Level, PolicyNode, WildcardNode } from './policy.ts';
import { compileWildcard } from './wildcard.ts';

/**
 * The messages about keys that envoyproxy/ratelimit knows, too, are its own.
 * @param others what other files say of the same domain: the policy holds both, `others` stays as it is
 * @throws PolicyError at the first contradiction, with the path of its key in this definition
 */
export function compilePolicy(definition: PolicyDefinition, others?: DomainPolicy): DomainPolicy {
  const compiler = new PolicyCompiler(definition.domain, others);
  compiler.add(definition);
  return compiler.policy();
}

type Styles = Pick<DomainPolicy, 'headerStyle' | 'writtenHeaderStyle'>;

/** Several definitions of one domain as one policy: each costs what it holds, however many were added before. */
export class PolicyCompiler {
  readonly #domain: string;
  readonly #root: GrowingLevel;
  #styles: Styles | undefined;

  /**
   * @param others a policy to begin with, which stays as it is
   * @throws PolicyError
   */
  constructor(domain: string, others?: DomainPolicy) {
    if (domain === '') throw new PolicyError(['domain'], 'config file cannot have empty domain');
    this.#domain = domain;
    this.#root = new GrowingLevel(others?.root);
    this.#styles = others;
  }

  /** @throws PolicyError as compilePolicy does; there is no policy then, not even of what was added before */
  add({ headers, descriptors = [] }: Omit<PolicyDefinition, 'domain'>): void {
    this.#root.add(descriptors, ['descriptors'], { names: [this.#domain], hasKey: false });
    this.#styles = headerStyleOf(headers, usesLimits(descriptors), this.#styles);
  }

  /** For the last call: the policy is not copied, and nothing may be added to it. */
  policy(): DomainPolicy {
    const { children, wildcards, nameCharsMax } = this.#root;
    const { headerStyle, writtenHeaderStyle } = this.#styles ?? headerStyleOf(undefined, false, undefined);
    return { domain: this.#domain, headerStyle, writtenHeaderStyle, root: { children, wildcards, nameCharsMax } };
  }
}

function headerStyleOf(written: HeaderStyle | undefined, hasLimits: boolean, others: Styles | undefined): Styles {
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

interface NamedNode {
  readonly name: string;
  readonly node: PolicyNode;
}

/** Two rules that the same entries meet, and one of them has `api_keys`. */
interface Around {
  readonly name: string;
  readonly key: string;
}

const NOTHING: Level = { children: new Map(), wildcards: [], nameCharsMax: 0 };

/** The rules of one place, to which one definition after the other adds its own. */
class GrowingLevel {
  readonly children: Map<string, PolicyNode>;
  readonly wildcards: WildcardNode[];
  nameCharsMax: number;
  /** The keys of rules with `api_keys`. */
  readonly #keyed: Set<string>;
  /** Of names without `*`: what stands before each `_`, with one of the names. Undefined until a later rule needs it. */
  #beginnings: Map<string, string> | undefined;

  constructor({ children, wildcards, nameCharsMax }: Level = NOTHING) {
    this.children = new Map(children);
    this.wildcards = [...wildcards];
    this.nameCharsMax = nameCharsMax;
    this.#keyed = new Set(keysOf([...children.values()]));
  }

  /** @throws PolicyError */
  add(descriptors: readonly DescriptorDefinition[], path: Path, above: Above): void {
    const added = descriptors.map((descriptor, index) => this.#addOne(descriptor, [...path, index], above));
    const around = this.#wayAround(added);
    if (around === undefined) return;
    // Of the two rules at least one is in this definition: the line that is named is one of it.
    const own = descriptors.findIndex((descriptor) => nameOf(descriptor) === around.name);
    const index = own >= 0 ? own : descriptors.findIndex((descriptor) => nameOf(descriptor) === around.key);
    const message = `'${around.name}' is also met by entries ${around.key}, and so a way around their API keys: rename it`;
    throw new PolicyError([...path, index, 'key'], message);
  }

  #addOne(descriptor: DescriptorDefinition, at: Path, above: Above): NamedNode {
    if (descriptor.key === '') throw new PolicyError([...at, 'key'], 'descriptor has empty key');
    const name = nameOf(descriptor);
    const here = [...above.names, name];
    if (this.children.has(name)) {
      throw new PolicyError([...at, 'key'], `duplicate descriptor composite key '${here.join('.')}'`);
    }
    const node = compileNode(descriptor, at, { names: here, hasKey: above.hasKey });
    this.children.set(name, node);
    this.nameCharsMax = Math.max(this.nameCharsMax, name.length);
    return { name, node };
  }

  /**
   * Names meet entries as joined texts: beside `api_key`, a rule `api_key_x` is what a caller with the key `x` meets, and
   * `api_*` what callers with any key do. Of each pair of rules at least one is new here: the others were looked at before.
   */
  #wayAround(added: readonly NamedNode[]): Around | undefined {
    const nodes = added.map(({ node }) => node);
    const [keys, wildcards] = [keysOf(nodes), nodes.filter(isWildcard)];
    for (const key of keys) this.#keyed.add(key);
    this.wildcards.push(...wildcards);
    if (this.#keyed.size === 0) return undefined;
    return (
      this.#nameAround(added) ??
      this.#olderNameAround(added, keys) ??
      wildcardAround(wildcards, this.#keyed) ??
      (keys.length === 0 ? undefined : wildcardAround(this.wildcards, keys))
    );
  }

  #nameAround(added: readonly NamedNode[]): Around | undefined {
    for (const { name, node } of added) {
      const key = isWildcard(node) ? undefined : keyBefore(name, this.#keyed);
      if (key !== undefined) return { name, key };
    }
    return undefined;
  }

  #olderNameAround(added: readonly NamedNode[], keys: readonly string[]): Around | undefined {
    if (this.#beginnings !== undefined) {
      for (const { name, node } of added) noteBeginnings(name, node, this.#beginnings);
    } else if (keys.length > 0 && this.children.size > added.length) {
      this.#beginnings = new Map();
      for (const [name, node] of this.children) noteBeginnings(name, node, this.#beginnings);
    }
    for (const key of keys) {
      const name = this.#beginnings?.get(key);
      if (name !== undefined) return { name, key };
    }
    return undefined;
  }
}

function compileLevel(descriptors: readonly DescriptorDefinition[], path: Path, above: Above): Level {
  if (descriptors.length === 0) return NOTHING;
  const level = new GrowingLevel();
  level.add(descriptors, path, above);
  return { children: level.children, wildcards: level.wildcards, nameCharsMax: level.nameCharsMax };
}

function isWildcard(node: PolicyNode): node is WildcardNode {
  return node.wildcard !== undefined;
}

function keysOf(nodes: readonly PolicyNode[]): readonly string[] {
  return nodes.filter(({ keys }) => keys !== undefined).map(({ entry }) => entry.key);
}

function noteBeginnings(name: string, node: PolicyNode, beginnings: Map<string, string>): void {
  if (isWildcard(node)) return;
  for (let at = name.indexOf('_'); at >= 0; at = name.indexOf('_', at + 1)) beginnings.set(name.slice(0, at), name);
}

function wildcardAround(wildcards: readonly WildcardNode[], keys: Iterable<string>): Around | undefined {
  for (const { entry, wildcard } of wildcards) {
    const [first] = wildcard.parts as [string];
    for (const key of keys) {
      if (!first.startsWith(`${key}_`) && !`${key}_`.startsWith(first)) continue;
      return { name: entry.value === undefined ? entry.key : `${entry.key}_${entry.value}`, key };
    }
  }
  return undefined;
}

/** The key that, joined with some value, makes this name. */
function keyBefore(name: string, keys: ReadonlySet<string>): string | undefined {
  for (let at = name.indexOf('_'); at >= 0; at = name.indexOf('_', at + 1)) {
    if (keys.has(name.slice(0, at))) return name.slice(0, at);
  }
  return undefined;
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
