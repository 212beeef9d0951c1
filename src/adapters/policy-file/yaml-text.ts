/** The first document of a YAML text as nodes that know where they stand. What they mean is their reader's matter. */
import {
  COLLECTION_STYLE,
  EVENT_ID,
  type Event,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  YAMLException,
} from 'js-yaml';
import { withoutFlowLines } from './flow-lines.ts';
import { type ScalarType, scalarType, scalarValue } from './scalars.ts';

/** A text that is no YAML. */
export class YamlError extends Error {
  /** In UTF-16 units of the text. */
  readonly offset: number;

  constructor(offset: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'YamlError';
    this.offset = offset;
  }
}

/**
 * A node is the index of the event that begins it: a tree of objects would cost as much as the parser. An alias is the
 * node that it stands for.
 */
export type NodeId = number;

export type NodeKind = 'map' | 'list' | 'scalar';

/** Rules may be nested by half of it. The parser and the readers call themselves for each level, and must not run out of stack. */
export const DEPTH_MAX = 1_000;
// 100,000 rules have 1,300,000; what repeats itself beyond is an attack or a mistake.
const NODES_MAX = 5_000_000;

const MERGE_TAG = /^(?:!!|!?<?tag:yaml\.org,2002:)merge>?$/;

type NodeEvent = Exclude<Event, { type: typeof EVENT_ID.DOCUMENT } | { type: typeof EVENT_ID.POP }>;

export class YamlText {
  readonly #text: string;
  readonly #events: readonly Event[];
  /** Of a map or list: the event that closes it. Of an alias: the node that it stands for. */
  readonly #ends: Int32Array;

  /** @throws YamlError */
  constructor(text: string) {
    this.#text = firstDocument(text);
    this.#events = eventsOf(this.#text);
    this.#ends = new Int32Array(this.#events.length);
    this.#link();
  }

  /** Undefined for a text without any node. */
  get root(): NodeId | undefined {
    // Event 0 opens the document.
    const type = this.#events[1]?.type;
    return type === undefined || type === EVENT_ID.POP ? undefined : 1;
  }

  kind(node: NodeId): NodeKind {
    const { type } = this.#event(node);
    if (type === EVENT_ID.MAPPING) return 'map';
    return type === EVENT_ID.SEQUENCE ? 'list' : 'scalar';
  }

  /** Where it begins, in UTF-16 units of the text. */
  offset(node: NodeId): number {
    const event = this.#event(node);
    if (event.type === EVENT_ID.SCALAR) return event.valueStart < 0 ? this.#offsetBefore(node) : event.valueStart;
    return (event as { start: number }).start;
  }

  /** The characters of a scalar, without quotes. */
  text(node: NodeId): string {
    return getScalarValue(this.#text, this.#event(node) as ScalarEvent);
  }

  /** What a scalar stands for, by its form, its quotes and its tag; its text, where it is at hand, need not be found again. */
  type(node: NodeId, text = this.text(node)): ScalarType {
    const event = this.#event(node) as ScalarEvent;
    const isText = event.tagStart < 0 ? event.style !== SCALAR_STYLE.PLAIN : this.#isTextByTag(event);
    return isText ? 'text' : scalarType(text);
  }

  /** Whether a scalar has no quotes, and no tag but the one of merge keys. */
  mayBeMergeKey(node: NodeId): boolean {
    const { style, tagStart, tagEnd } = this.#event(node) as ScalarEvent;
    if (tagStart >= 0) return MERGE_TAG.test(this.#text.slice(tagStart, tagEnd));
    return style === SCALAR_STYLE.PLAIN;
  }

  value(node: NodeId): null | boolean | number | string {
    return this.type(node) === 'text' ? this.text(node) : scalarValue(this.text(node));
  }

  /** Of a list the items; of a map keys and values in turn. */
  *children(node: NodeId): Generator<NodeId> {
    for (let at = this.first(node); at >= 0; at = this.next(at)) yield this.target(at);
  }

  /** The first child as it stands there, -1 without any. `next` leads on, `target` to what an alias stands for. */
  first(node: NodeId): number {
    return this.#orNone(node + 1);
  }

  next(at: number): number {
    const { type } = this.#events[at] as Event;
    const isContainer = type === EVENT_ID.MAPPING || type === EVENT_ID.SEQUENCE;
    return this.#orNone((isContainer ? (this.#ends[at] as number) : at) + 1);
  }

  target(at: number): NodeId {
    return this.#events[at]?.type === EVENT_ID.ALIAS ? (this.#ends[at] as number) : at;
  }

  #orNone(at: number): number {
    return this.#events[at]?.type === EVENT_ID.POP ? -1 : at;
  }

  #event(node: NodeId): NodeEvent {
    return this.#events[node] as NodeEvent;
  }

  #isTextByTag({ tagStart, tagEnd }: ScalarEvent): boolean {
    const tag = this.#text.slice(tagStart, tagEnd);
    return !/^(?:!!|!?<?tag:yaml\.org,2002:)(?:null|bool|int|float)>?$/.test(tag);
  }

  /** A scalar of no characters has no place of its own. */
  #offsetBefore(node: NodeId): number {
    for (let at = node - 1; at > 0; at--) {
      const event = this.#event(at);
      if (event.type === EVENT_ID.SCALAR && event.valueStart >= 0) return event.valueStart;
      if ('start' in event) return event.start;
    }
    return 0;
  }

  /** Finds the ends of maps and lists and what aliases stand for, and refuses what would expand without end. */
  #link(): void {
    const events = this.#events;
    const open: number[] = [];
    /** Of each open container, and after its end of each anchor: its nodes, aliases counted as what they stand for. */
    const sizes: number[] = [0];
    const anchors = new Map<string, { readonly node: NodeId; size: number }>();
    for (let at = 1; at < events.length; at++) {
      const event = events[at] as NodeEvent | { type: typeof EVENT_ID.POP };
      let size = 1;
      if (event.type === EVENT_ID.POP) {
        const closed = open.pop();
        if (closed === undefined) return;
        this.#ends[closed] = at;
        size = sizes.pop() as number;
        const anchor = this.#anchorOf(closed);
        const known = anchor === undefined ? undefined : anchors.get(anchor);
        if (known?.node === closed) known.size = size;
      } else if (event.type === EVENT_ID.ALIAS) {
        size = this.#linkAlias(at, anchors.get(this.#anchorOf(at) as string));
      } else {
        const anchor = this.#anchorOf(at);
        const isScalar = event.type === EVENT_ID.SCALAR;
        if (anchor !== undefined) anchors.set(anchor, { node: at, size: isScalar ? 1 : 0 });
        if (!isScalar) {
          open.push(at);
          sizes.push(1);
          continue;
        }
      }
      const total = (sizes.pop() as number) + size;
      if (total > NODES_MAX)
        throw new YamlError(this.#offsetBefore(at), `more than ${NODES_MAX} nodes, aliases counted`);
      sizes.push(total);
    }
  }

  #linkAlias(at: number, target: { readonly node: NodeId; readonly size: number } | undefined): number {
    const { anchorStart } = this.#event(at);
    if (target === undefined) throw new YamlError(anchorStart, `unknown anchor '${this.#anchorOf(at)}' referenced`);
    if (target.size === 0) throw new YamlError(anchorStart, `anchor '${this.#anchorOf(at)}' value contains itself`);
    this.#ends[at] = target.node;
    return target.size;
  }

  #anchorOf(at: number): string | undefined {
    const { anchorStart, anchorEnd } = this.#event(at);
    return anchorStart < 0 ? undefined : this.#text.slice(anchorStart, anchorEnd);
  }
}

/** No other document is read, not even to find mistakes there: envoyproxy/ratelimit does not, either. */
function firstDocument(text: string): string {
  const prolog = /^\uFEFF?(?:(?:[ \t]*(?:#[^\r\n]*)?|%[^\r\n]*)(?:\r\n?|\n))*/.exec(text)?.[0].length ?? 0;
  const marker = /^(?:---|\.\.\.)(?=\s|$)/gm;
  marker.lastIndex = prolog;
  let next = marker.exec(text);
  if (next?.index === prolog && next[0] === '---') next = marker.exec(text);
  return next === null ? text : text.slice(0, next.index);
}

function eventsOf(text: string): readonly Event[] {
  try {
    return parse(text);
  } catch (error) {
    // Files that the parser refuses are few: to read these twice costs the others nothing.
    const events = eventsOfFlow(text, error as YamlError);
    if (events !== undefined) return events;
    throw error;
  }
}

/** What the parser says of lines within brackets and quotes that libyaml takes. */
const INDENTATION = 'deficient indentation';

/**
 * @returns undefined where it is no better without those lines
 * @throws YamlError that is to be told instead of the first one
 */
function eventsOfFlow(text: string, first: YamlError): readonly Event[] | undefined {
  const flow = withoutFlowLines(text);
  if (flow === undefined) return undefined;
  try {
    const events = parse(flow.text);
    const missed = new Set(flow.openings);
    for (const event of events) missed.delete(openingOf(event));
    // Lines that were joined are no less lines of their text: its value is that of the original.
    return missed.size > 0 ? undefined : events.map((event) => withLinesOf(text, event));
  } catch (error) {
    if (first.message === INDENTATION) throw error;
    return undefined;
  }
}

function parse(text: string): readonly Event[] {
  try {
    return parseEvents(text, { maxDepth: DEPTH_MAX });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw new YamlError(0, (error as Error).message, { cause: error });
    throw new YamlError(error.mark?.position ?? 0, error.reason, { cause: error });
  }
}

function openingOf(event: Event): number {
  switch (event.type) {
    case EVENT_ID.MAPPING:
    case EVENT_ID.SEQUENCE:
      return event.style === COLLECTION_STYLE.FLOW ? event.start : -1;
    case EVENT_ID.SCALAR:
      return isQuoted(event) ? event.valueStart - 1 : -1;
    default:
      return -1;
  }
}

function isQuoted({ style }: ScalarEvent): boolean {
  return style === SCALAR_STYLE.SINGLE_QUOTED || style === SCALAR_STYLE.DOUBLE_QUOTED;
}

function withLinesOf(text: string, event: Event): Event {
  if (event.type !== EVENT_ID.SCALAR || !event.fast || event.valueStart < 0) return event;
  return /[\r\n]/.test(text.slice(event.valueStart, event.valueEnd)) ? { ...event, fast: false } : event;
}
