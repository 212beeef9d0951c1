/**
 * Lines within brackets and quotes: libyaml, which envoyproxy/ratelimit reads with, lets them begin in any column and
 * hold tabs; the parser here does not. Writes blanks over ends of lines, and leaves all else to the parser.
 */

export interface FlowLines {
  /** As long as the original: what stands in it has its place there, too. */
  readonly text: string;
  /** Where a bracket or a quote opens what holds blanks now. */
  readonly openings: ReadonlySet<number>;
}

/**
 * Takes for a bracket or a quote what looks like one: whether the parser agrees is to be seen by the openings.
 * @returns undefined where a comment parts a text in two, which is no YAML
 */
export function withoutFlowLines(text: string): FlowLines | undefined {
  const scanner = new Scanner(text);
  return scanner.scan() ? { text: scanner.blanked(), openings: scanner.openings } : undefined;
}

const NO_COLUMN = -1;
const REST_OF_LINE = /[^\r\n]*(?:\r\n?|\n|$)/y;
// One of many: a loop takes them, since a repetition within the expression would fill the stack.
const BLOCK_TEXT = /[^ \t\r\n:]+|:(?![ \t\r\n]|$)|[ \t]+(?![ \t\r\n#]|$|:(?:[ \t\r\n]|$))/y;
const FLOW_TEXT = /[^ \t\r\n[\]{},:]+|:(?![ \t\r\n[\]{},]|$)|[ \t]+(?![ \t\r\n#]|$)/y;
const FLOW_INDICATOR = /[[\]{},]|[:?](?=[ \t\r\n[\]{},]|$)/y;
// Behind a bracket, a quote and a comma libyaml knows a comment without a blank before it.
const COMMENT_CLOSE_BEHIND = /(?<=[\]}"'])#[^\r\n]*/y;
const FLOW_SEPARATION = /[ \t\r\n]+(?:#[^\r\n]*)?|(?<=[,[\]{}"'])#[^\r\n]*/y;

class Scanner {
  readonly openings = new Set<number>();
  readonly #text: string;
  /** Of the text with its blanks, up to `#done`. */
  readonly #pieces: string[] = [];
  #done = 0;
  #at = 0;
  #lineStart = 0;
  /** Of the key or the dash that what is being read belongs to. */
  #parentColumn = NO_COLUMN;
  /** The last line ended within a text without quotes, which lines further in than this column continue. */
  #textColumn: number | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  blanked(): string {
    return this.#pieces.join('') + this.#text.slice(this.#done);
  }

  /** Line by line outside of brackets and quotes; what these hold belongs to the line where it opens. */
  scan(): boolean {
    while (this.#at < this.#text.length) {
      this.#lineStart = this.#at;
      this.#skip(/\uFEFF? */y);
      const column = this.#column();
      if (this.#textColumn !== undefined && column > this.#textColumn) {
        this.#blockText();
        this.#skip(REST_OF_LINE);
      } else if (column === 0 && this.#sees(/%/y)) {
        this.#skip(REST_OF_LINE);
      } else {
        if (!this.#sees(/[\t\r\n#]|$/y)) this.#textColumn = undefined;
        if (column === 0) this.#skip(/---(?=[ \t\r\n]|$)/y);
        if (!this.#blockTokens()) return false;
      }
    }
    return true;
  }

  /** Up to the next line. @returns false as `scan` does */
  #blockTokens(): boolean {
    for (;;) {
      this.#skip(/[ \t]+/y);
      const first = this.#text.charAt(this.#at);
      const column = this.#column();
      if (/^[\r\n]?$/.test(first) || this.#sees(/(?<=[ \t\r\n]|^)#/y)) {
        this.#skip(REST_OF_LINE);
        return true;
      }
      if (this.#sees(/[-?](?=[ \t\r\n]|$)/y)) {
        this.#parentColumn = column;
        this.#at++;
      } else if (this.#sees(/:(?=[ \t\r\n]|$)/y)) {
        this.#at++;
        // It does no harm here, but to brackets that open behind it.
        this.#blank(/[ \t]*/y);
      } else if (/[&*!]/.test(first)) {
        this.#skip(/[^ \t\r\n]+/y);
      } else if (/[|>]/.test(first)) {
        this.#blockScalar();
        return true;
      } else {
        if (!this.#node(first)) return false;
        if (this.#sees(/[ \t]*:(?=[ \t\r\n]|$)/y)) this.#parentColumn = column;
      }
    }
  }

  #node(first: string): boolean {
    const isFlow = /[[{]/.test(first);
    if (isFlow && !this.#flow()) return false;
    if (/["']/.test(first)) this.#quoted();
    else if (!isFlow) this.#blockText();
    this.#blank(COMMENT_CLOSE_BEHIND);
    return true;
  }

  #blockText(): void {
    while (this.#skip(BLOCK_TEXT));
    const goesOn = this.#sees(/[ \t]*(?:[\r\n]|$)/y);
    this.#textColumn = goesOn ? (this.#textColumn ?? this.#parentColumn) : undefined;
  }

  /** All lines that are further in than its parent, and no less than its first one; up to the line behind them. */
  #blockScalar(): void {
    const [header = ''] = this.#match(REST_OF_LINE) ?? [];
    const [digit] = /(?<=^.[-+]?)[1-9]/.exec(header) ?? [];
    let indent = digit === undefined ? undefined : Math.max(0, this.#parentColumn) + Number(digit);
    this.#at += header.length;
    while (this.#at < this.#text.length) {
      const [line = '', blanks = '', content = ''] = this.#match(/( *)([^\r\n]*)(?:\r\n?|\n|$)/y) ?? [];
      if (content !== '') {
        if (blanks.length < (indent ?? this.#parentColumn + 1)) return;
        indent ??= blanks.length;
      }
      this.#at += line.length;
    }
  }

  /** A map or list in brackets, up to its end or that of the file. @returns false as `scan` does */
  #flow(): boolean {
    const opening = this.#at;
    const piecesBefore = this.#pieces.length;
    let depth = 0;
    /** What was read last is a text or closed, and the next one needs a comma or a colon before it. */
    let isNode = false;
    let isText = false;
    do {
      const hasComment = this.#flowSeparation();
      const first = this.#text.charAt(this.#at);
      if (first === '') break;
      // Without the comment, the parser would take both for one text.
      if (hasComment && isNode && !/[,:\]}]/.test(first)) return false;
      const isIndicator: boolean = this.#sees(FLOW_INDICATOR) || (first === ':' && isNode && !isText);
      isNode = !isIndicator || /[\]}]/.test(first);
      // Behind a text without quotes, a quote in the next line is one more letter of it.
      const isQuote: boolean = !isText && /["']/.test(first);
      isText = !isIndicator && !isQuote;
      if (/[[{]/.test(first)) depth++;
      if (/[\]}]/.test(first)) depth--;
      if (isIndicator) this.#at++;
      else if (isQuote) this.#quoted();
      else this.#flowText();
    } while (depth > 0);
    if (this.#pieces.length > piecesBefore) this.openings.add(opening);
    return true;
  }

  /** @returns whether there were comments */
  #flowSeparation(): boolean {
    let hasComment = false;
    for (;;) {
      const run = this.#blank(FLOW_SEPARATION);
      if (run === '') return hasComment;
      hasComment ||= run.includes('#');
    }
  }

  #flowText(): void {
    // What is no text here is the parser's matter.
    if (!this.#skip(FLOW_TEXT)) this.#at++;
    while (this.#skip(FLOW_TEXT));
  }

  #quoted(): void {
    const opening = this.#at;
    const piecesBefore = this.#pieces.length;
    const quote = this.#text.charAt(this.#at++);
    for (;;) {
      this.#skip(quote === '"' ? /[^"\\\r\n]+/y : /[^'\r\n]+/y);
      const next = this.#text.charAt(this.#at);
      if (this.#sees(/\\|''/y)) this.#skip(/''|\\[^\r\n]?/y);
      else if (next === quote || next === '') break;
      else this.#blank(/[ \t\r\n]+/y);
    }
    this.#at++;
    if (this.#pieces.length > piecesBefore) this.openings.add(opening);
  }

  /** @returns what stood there */
  #blank(run: RegExp): string {
    const [found = ''] = this.#match(run) ?? [];
    if (/[^ ]/.test(found)) {
      this.#pieces.push(this.#text.slice(this.#done, this.#at), ' '.repeat(found.length));
      this.#done = this.#at + found.length;
    }
    this.#at += found.length;
    return found;
  }

  /** @returns whether there was any */
  #skip(run: RegExp): boolean {
    const length = this.#match(run)?.[0].length ?? 0;
    this.#at += length;
    return length > 0;
  }

  #sees(what: RegExp): boolean {
    return this.#match(what) !== null;
  }

  #match(sticky: RegExp): RegExpExecArray | null {
    sticky.lastIndex = this.#at;
    return sticky.exec(this.#text);
  }

  #column(): number {
    return this.#at - this.#lineStart;
  }
}
