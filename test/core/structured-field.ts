/** Reads Lists of RFC 9651 strictly, as a recipient would: written from its §4.2, knowing nothing of what writes them. */

export type BareItem = string | number | boolean | { readonly token: string };

export interface Item {
  readonly value: BareItem;
  readonly parameters: Readonly<Record<string, BareItem>>;
}

/** @throws Error where the text is no List of Items with parameters: then a recipient ignores the whole field */
export function parseList(text: string): readonly Item[] {
  const reader = new Reader(text);
  reader.skip(/ */y); // §4.2: leading spaces are discarded
  const items: Item[] = [];
  while (!reader.done) {
    items.push(item(reader));
    reader.skip(/[ \t]*/y); // §4.2.1: optional whitespace around a comma
    if (reader.done) return items;
    reader.take(/,/y, 'a comma');
    reader.skip(/[ \t]*/y);
    if (reader.done) throw new Error('a trailing comma');
  }
  return items;
}

function item(reader: Reader): Item {
  const value = bareItem(reader);
  const parameters: Record<string, BareItem> = {};
  while (reader.skip(/;/y)) {
    reader.skip(/ */y);
    const key = reader.take(/[a-z*][a-z0-9_.*-]*/y, 'a key'); // §4.2.3.3
    if (Object.hasOwn(parameters, key)) throw new Error(`the parameter ${key} twice`);
    parameters[key] = reader.skip(/=/y) ? bareItem(reader) : true;
  }
  return { value, parameters };
}

function bareItem(reader: Reader): BareItem {
  if (reader.skip(/"/y)) return quoted(reader);
  if (reader.skip(/\?/y)) return reader.take(/[01]/y, 'a boolean') === '1';
  const number = reader.peek(/-?\d+(\.\d*)?/y);
  if (number !== undefined) {
    // §4.2.4: an integer has at most 15 digits. Decimals are valid, but none of the fields here may hold one.
    return Number(reader.take(/-?\d{1,15}(?![\d.])/y, 'an integer'));
  }
  return { token: reader.take(/[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*/y, 'a token') }; // §4.2.6
}

/** §4.2.5: printable ASCII; only a quote and a backslash are escaped, and they always are. */
function quoted(reader: Reader): string {
  let value = '';
  while (!reader.skip(/"/y)) {
    if (reader.skip(/\\/y)) value += reader.take(/["\\]/y, 'an escaped quote or backslash');
    else value += reader.take(/[\x20-\x21\x23-\x5b\x5d-\x7e]/y, 'printable ASCII');
  }
  return value;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get done(): boolean {
    return this.#at === this.#text.length;
  }

  peek(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text)?.[0];
  }

  /** Whether anything was skipped. */
  skip(pattern: RegExp): boolean {
    const found = this.peek(pattern) ?? '';
    this.#at += found.length;
    return found !== '';
  }

  take(pattern: RegExp, what: string): string {
    const found = this.peek(pattern);
    if (found === undefined) throw new Error(`expected ${what} at ${this.#at} of ${this.#text}`);
    this.#at += found.length;
    return found;
  }
}
