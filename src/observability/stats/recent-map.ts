/** A map of bounded size: what was not asked for for longest is dropped. */

export interface RecentMapOptions<V> {
  readonly entriesMax: number;
  /** Of all keys together: one key may be longer than a thousand others. */
  readonly keyCharsMax: number;
  /** Called for what is dropped, before what is added is there. */
  readonly onDrop: (value: V) => void;
}

interface Node<V> {
  readonly key: string;
  readonly value: V;
  older: Node<V>;
  newer: Node<V>;
}

export class RecentMap<V> {
  readonly #options: RecentMapOptions<V>;
  readonly #nodes = new Map<string, Node<V>>();
  #newest: Node<V> | undefined;
  #keyChars = 0;

  constructor(options: RecentMapOptions<V>) {
    this.#options = options;
  }

  get size(): number {
    return this.#nodes.size;
  }

  get(key: string): V | undefined {
    const node = this.#nodes.get(key);
    if (node === undefined) return undefined;
    if (node !== this.#newest) {
      unlink(node);
      this.#putFirst(node);
    }
    return node.value;
  }

  /** @param key one that is not there */
  add(key: string, value: V): void {
    const { entriesMax, keyCharsMax } = this.#options;
    while (this.#nodes.size > 0 && (this.#nodes.size >= entriesMax || this.#keyChars + key.length > keyCharsMax)) {
      this.#dropOldest();
    }
    const node = { key, value } as Node<V>;
    this.#nodes.set(key, node);
    this.#keyChars += key.length;
    this.#putFirst(node);
  }

  *values(): Generator<V> {
    for (const { value } of this.#nodes.values()) yield value;
  }

  /** The nodes are a ring: the oldest is the one that the newest has behind it. */
  #putFirst(node: Node<V>): void {
    const newest = this.#newest ?? node;
    const oldest = this.#newest?.newer ?? node;
    node.older = newest;
    node.newer = oldest;
    newest.newer = node;
    oldest.older = node;
    this.#newest = node;
  }

  #dropOldest(): void {
    const oldest = (this.#newest as Node<V>).newer;
    this.#nodes.delete(oldest.key);
    this.#keyChars -= oldest.key.length;
    if (oldest === this.#newest) this.#newest = undefined;
    else unlink(oldest);
    this.#options.onDrop(oldest.value);
  }
}

function unlink<V>({ older, newer }: Node<V>): void {
  older.newer = newer;
  newer.older = older;
}
