/** Reads a policy's content by its schema, or says what cannot stand where it stands, in the words of envoyproxy/ratelimit. */
import type { PolicyDefinition } from '../../core/definition.ts';
import { isMergeKey, mergedMaps } from './merge-keys.ts';
import { scalarValue } from './scalars.ts';
import { type Key, REFERENCE_KEYS, ROOT, type Shape } from './schema.ts';
import { DEPTH_MAX, type NodeId, type YamlText } from './yaml-text.ts';

export type Path = readonly (string | number)[];

/** A key or a value that cannot stand where it stands. */
export class ContentError extends Error {
  readonly path: Path;
  /** In UTF-16 units of the text. */
  readonly offset: number;

  constructor(path: Path, offset: number, message: string) {
    super(message);
    this.name = 'ContentError';
    this.path = [...path];
    this.offset = offset;
  }
}

/** Where nothing has a meaning. */
const NOWHERE: Shape = { keys: new Map(), required: [], isReference: true };

/** What the compiler refuses in its own words, whether it is missing or empty. */
const EMPTY_WHEN_MISSING: ReadonlySet<string> = new Set(['domain', 'key']);

/** As messages call the types. */
const WANTED: Readonly<Record<Key['type'], string>> = {
  text: 'string',
  enum: 'string',
  flag: 'bool',
  count: 'uint32',
  map: 'map',
  list: 'list',
  free: 'map',
};

type Content = Record<string, unknown>;

/**
 * Of keys that stand twice in a map the last one counts, but in a `rate_limit` and in `metadata` their keys add up: so
 * does the parser of envoyproxy/ratelimit, which reads into what is there already. Its keys with null count as
 * not written; Headroom's own may not be empty.
 * @throws ContentError, YamlError
 */
export function readContent(yaml: YamlText): PolicyDefinition {
  const { root } = yaml;
  // An empty file.
  if (root === undefined || isNull(yaml, root)) return { domain: '' };
  return new Reader(yaml).root(root);
}

class Reader {
  readonly #yaml: YamlText;
  /** Where the reading is. */
  readonly #path: (string | number)[] = [];

  constructor(yaml: YamlText) {
    this.#yaml = yaml;
  }

  root(node: NodeId): PolicyDefinition {
    if (this.#yaml.kind(node) !== 'map') throw this.#mismatch(node, 'map');
    // The schema has a key for each of the definition, with its type.
    return this.#map(node, ROOT) as unknown as PolicyDefinition;
  }

  /** @param content what the same key said before */
  #map(node: NodeId, shape: Shape, content: Content = {}): Content {
    this.#refuseDepth(node, this.#path.length);
    this.#pairs(node, shape, content);
    for (const name of shape.required) {
      if (content[name] !== undefined) continue;
      if (!EMPTY_WHEN_MISSING.has(name)) throw this.#error(node, `\`${name}\` is missing`);
      content[name] = '';
    }
    return content;
  }

  #pairs(node: NodeId, shape: Shape, content: Content): void {
    const yaml = this.#yaml;
    for (let at = yaml.first(node); at >= 0; ) {
      const key = yaml.target(at);
      const valueAt = yaml.next(at);
      const value = yaml.target(valueAt);
      at = yaml.next(valueAt);
      const name = this.#name(key);
      if (isMergeKey(yaml, key, name)) for (const map of mergedMaps(yaml, value)) this.#pairs(map, shape, content);
      else this.#pair(key, name, value, shape, content);
    }
  }

  #pair(key: NodeId, name: string, value: NodeId, shape: Shape, content: Content): void {
    const expected = shape.keys.get(name);
    const isOwn = !shape.isReference || !REFERENCE_KEYS.has(name);
    this.#path.push(name);
    if (expected !== undefined) {
      // Nobody means `limits:` with nothing behind it, or `api_keys: ~`, and what they protect would be open.
      if (isOwn && isNull(this.#yaml, value)) throw this.#error(key, 'has no value: give it one, or leave the key out');
      content[name] = this.#value(value, expected, content[name]);
    } else if (isOwn) throw this.#error(key, `config error, unknown key '${name}'`);
    else if (name !== 'metadata') this.#pass(value);
    this.#path.pop();
  }

  #name(key: NodeId): string {
    const yaml = this.#yaml;
    if (yaml.kind(key) === 'scalar') {
      const text = yaml.text(key);
      if (yaml.type(key, text) === 'text') return text;
    }
    throw this.#error(key, `config error, key is not of type string: ${this.#shown(key)}`);
  }

  /** @param before what the same key said before */
  #value(node: NodeId, key: Key, before: unknown): unknown {
    const yaml = this.#yaml;
    if (yaml.kind(node) !== 'scalar') return this.#container(node, key, before as Content | undefined);
    const text = yaml.text(node);
    const type = yaml.type(node, text);
    if (type === 'null') return undefined;
    if (type === 'float') throw this.#error(node, 'error checking config');
    switch (key.type) {
      case 'text':
        return this.#text(node, text, key);
      case 'enum':
        if (key.words.includes(text)) return text;
        throw this.#error(node, `expected one of ${key.words.join(', ')}`);
      case 'flag':
        if (type === 'bool') return scalarValue(text);
        throw this.#mismatch(node, WANTED.flag);
      case 'count':
        return this.#count(node, type === 'int' ? (scalarValue(text) as number) : -1, key.max);
      default:
        throw this.#mismatch(node, WANTED[key.type]);
    }
  }

  #text(node: NodeId, text: string, { lengthMin, lengthMax, pattern }: Key & { type: 'text' }): string {
    if (pattern !== undefined && !pattern.matches.test(text)) throw this.#error(node, pattern.otherwise);
    if (text.length >= (lengthMin ?? 0) && text.length <= (lengthMax ?? text.length)) return text;
    throw this.#error(node, `expected ${lengthMin} to ${lengthMax} characters`);
  }

  #count(node: NodeId, value: number, max: number): number {
    if (value >= 0 && value <= max) return value;
    throw this.#mismatch(node, WANTED.count);
  }

  #container(node: NodeId, key: Key, before: Content | undefined): unknown {
    const kind = this.#yaml.kind(node);
    if (kind === 'map' && key.type === 'free')
      return { ...before, ...(this.#free(node, this.#path.length) as Content) };
    if (kind === 'map' && key.type === 'map') return this.#map(node, key.shape(), before);
    if (kind === 'list' && key.type === 'list') {
      const { itemsMin = 0, itemsMax = Number.POSITIVE_INFINITY } = key;
      const items = this.#list(node, key.shape());
      if (items.length >= itemsMin && items.length <= itemsMax) return items;
      throw this.#error(node, `expected ${itemsMin} to ${itemsMax} items, got ${items.length}`);
    }
    // Unknown keys within are told before the type: so does envoyproxy/ratelimit.
    if (key.type !== 'free') this.#pass(node);
    throw this.#mismatch(node, WANTED[key.type]);
  }

  #list(node: NodeId, shape: Shape): Content[] {
    const items: Content[] = [];
    for (let at = this.#yaml.first(node); at >= 0; at = this.#yaml.next(at)) {
      const item = this.#yaml.target(at);
      this.#path.push(items.length);
      if (this.#yaml.kind(item) !== 'map') {
        throw this.#error(item, `config error, yaml file contains list of type other than map: ${this.#shown(item)}`);
      }
      items.push(this.#map(item, shape));
      this.#path.pop();
    }
    return items;
  }

  /** Looks through what means nothing, as envoyproxy/ratelimit does: even there its keys are the only ones. */
  #pass(node: NodeId): void {
    const kind = this.#yaml.kind(node);
    if (kind === 'map') this.#map(node, NOWHERE);
    else if (kind === 'list') this.#list(node, NOWHERE);
    else if (this.#yaml.type(node) === 'float') throw this.#error(node, 'error checking config');
  }

  /** The parser has counted the levels of what is written, but not those that aliases add. */
  #refuseDepth(node: NodeId, depth: number): void {
    if (depth > DEPTH_MAX) throw this.#error(node, `error loading config file: yaml: more than ${DEPTH_MAX} levels`);
  }

  /** As JSON has it; keys are text as written. */
  #free(node: NodeId, depth: number): unknown {
    const yaml = this.#yaml;
    this.#refuseDepth(node, depth);
    if (yaml.kind(node) === 'list') return [...yaml.children(node)].map((item) => this.#free(item, depth + 1));
    if (yaml.kind(node) === 'map') return Object.fromEntries(this.#freePairs(node, depth));
    const value = yaml.value(node);
    if (typeof value !== 'number' || Number.isFinite(value)) return value;
    throw this.#error(node, `error parsing metadata: ${asGoCuts(yaml.text(node))} is no number of JSON`);
  }

  *#freePairs(node: NodeId, depth: number): Generator<[string, unknown]> {
    const yaml = this.#yaml;
    const children = [...yaml.children(node)];
    for (let index = 0; index < children.length; index += 2) {
      const [key, value] = children.slice(index, index + 2) as [NodeId, NodeId];
      if (yaml.kind(key) !== 'scalar') throw this.#error(key, `error parsing metadata: ${this.#shown(key)} is no key`);
      if (!isMergeKey(yaml, key)) yield [yaml.text(key), this.#free(value, depth + 1)];
      else for (const map of mergedMaps(yaml, value)) yield* this.#freePairs(map, depth);
    }
  }

  #mismatch(node: NodeId, wanted: string): ContentError {
    const yaml = this.#yaml;
    const kind = yaml.kind(node);
    if (kind !== 'scalar') {
      return this.#unmarshal(node, `${kind === 'map' ? '!!map' : '!!seq'} into ${wanted}`);
    }
    const type = yaml.type(node);
    if (type === 'float') return this.#error(node, 'error checking config');
    return this.#unmarshal(node, `!!${type === 'text' ? 'str' : type} \`${asGoCuts(yaml.text(node))}\` into ${wanted}`);
  }

  #unmarshal(node: NodeId, what: string): ContentError {
    return this.#error(node, `error loading config file: yaml: cannot unmarshal ${what}`);
  }

  #error(node: NodeId, message: string): ContentError {
    return new ContentError(this.#path, this.#yaml.offset(node), message);
  }

  /** As Go prints a value, up to SHOWN_MAX. */
  #shown(node: NodeId): string {
    let text = '';
    for (const part of this.#parts(node)) {
      text += part;
      if (text.length > SHOWN_MAX) return `${text.slice(0, SHOWN_MAX)}...`;
    }
    return text;
  }

  *#parts(node: NodeId): Generator<string> {
    const yaml = this.#yaml;
    const kind = yaml.kind(node);
    if (kind === 'scalar') yield isNull(yaml, node) ? '<nil>' : String(yaml.value(node));
    else {
      let before = kind === 'list' ? '[' : 'map[';
      for (const child of yaml.children(node)) {
        yield before;
        yield* this.#parts(child);
        before = ' ';
      }
      yield before === ' ' ? ']' : `${before}]`;
    }
  }
}

// A list of aliases may stand for millions of nodes.
const SHOWN_MAX = 100;

/** The parser of envoyproxy/ratelimit repeats no more of a text: it may be a secret in a wrong place. */
function asGoCuts(text: string): string {
  return text.length > 10 ? `${text.slice(0, 7)}...` : text;
}

function isNull(yaml: YamlText, node: NodeId): boolean {
  return yaml.kind(node) === 'scalar' && yaml.type(node) === 'null';
}

/** Where the key that `path` leads to is written; where the deepest existing one is, if that is missing. */
export function offsetOf(yaml: YamlText, path: Path): number {
  let node = yaml.root;
  let offset = node === undefined ? 0 : yaml.offset(node);
  for (const step of path) {
    const found: { readonly at: NodeId; readonly node: NodeId } | undefined =
      node === undefined ? undefined : childAt(yaml, node, step);
    if (found === undefined) return offset;
    offset = yaml.offset(found.at);
    node = found.node;
  }
  return offset;
}

/** Of a map the last pair of this key, as its key and value; of a list the item, as both. */
function childAt(yaml: YamlText, node: NodeId, step: string | number): { at: NodeId; node: NodeId } | undefined {
  const kind = yaml.kind(node);
  if (kind === 'scalar') return undefined;
  const children = [...yaml.children(node)];
  if (kind === 'list') {
    const item = children[Number(step)];
    return item === undefined ? undefined : { at: item, node: item };
  }
  for (let index = children.length - 2; index >= 0; index -= 2) {
    const [key, value] = children.slice(index, index + 2) as [NodeId, NodeId];
    if (yaml.kind(key) !== 'scalar') continue;
    if (yaml.text(key) === String(step)) return { at: key, node: value };
    const merged = isMergeKey(yaml, key) ? childOfMerged(yaml, value, step) : undefined;
    if (merged !== undefined) return merged;
  }
  return undefined;
}

function childOfMerged(yaml: YamlText, merged: NodeId, step: string | number): ReturnType<typeof childAt> {
  for (const map of mergedMaps(yaml, merged).toReversed()) {
    const found = childAt(yaml, map, step);
    if (found !== undefined) return found;
  }
  return undefined;
}
