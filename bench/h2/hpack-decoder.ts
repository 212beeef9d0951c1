/** Header blocks to fields (RFC 7541), complete but in no hurry: a block that was seen before is remembered by its bytes. */
import { huffmanDecoded } from './huffman.ts';
import { STATIC_TABLE } from './static-table.ts';

export type Headers = Readonly<Record<string, string | undefined>>;
type Field = readonly [name: string, value: string];

/** RFC 9113 §6.5.2: what an encoder may use as long as the decoder's SETTINGS say nothing else; ours never do. */
export const TABLE_BYTES = 4_096;
/** RFC 7541 §4.1. */
export const ENTRY_OVERHEAD_BYTES = 32;
// Answers have a handful of different blocks. More means that something in them varies: then remembering is no use.
const REMEMBERED_MAX = 16;

interface Remembered {
  readonly block: Buffer;
  readonly headers: Headers;
}

export class HpackDecoder {
  /** Newest first. */
  readonly #table: Field[] = [];
  #tableBytes = 0;
  #tableBytesMax = TABLE_BYTES;
  /** What the same bytes mean as long as the table does not change. */
  #remembered: Remembered[] = [];
  #block: Buffer = Buffer.alloc(0);
  #at = 0;
  #changed = false;

  /** The block lies in `bytes` between `from` and `to`. @throws Error when it is malformed */
  decode(bytes: Buffer, from: number, to: number): Headers {
    for (const { block, headers } of this.#remembered) if (equals(block, bytes, from, to)) return headers;
    const block = Buffer.from(bytes.subarray(from, to));
    const headers = this.#decodeAnew(block);
    if (this.#changed || this.#remembered.length === REMEMBERED_MAX) this.#remembered = [];
    if (!this.#changed) this.#remembered.push({ block, headers });
    return headers;
  }

  #decodeAnew(block: Buffer): Headers {
    this.#block = block;
    this.#at = 0;
    this.#changed = false;
    const headers: Record<string, string> = Object.create(null);
    while (this.#at < block.length) {
      const field = this.#field();
      if (field === undefined) continue;
      const [name, value] = field;
      const before = headers[name];
      headers[name] = before === undefined ? value : `${before}, ${value}`;
    }
    return headers;
  }

  /** RFC 7541 §6. @returns undefined for a change of the table's size */
  #field(): Field | undefined {
    const first = this.#block[this.#at] as number;
    if (first & 0x80) return this.#entry(this.#integer(7));
    if (first & 0x40) {
      const field = this.#literal(6);
      this.#insert(field);
      return field;
    }
    if ((first & 0x20) === 0) return this.#literal(4);
    const bytesMax = this.#integer(5);
    if (bytesMax > TABLE_BYTES) throw new Error(`a header table of ${bytesMax} bytes was not offered`);
    this.#tableBytesMax = bytesMax;
    this.#changed = true;
    this.#evict();
    return undefined;
  }

  #literal(prefixBits: number): Field {
    const index = this.#integer(prefixBits);
    const name = index === 0 ? this.#text() : this.#entry(index)[0];
    return [name, this.#text()];
  }

  #entry(index: number): Field {
    const field = STATIC_TABLE[index - 1] ?? this.#table[index - 1 - STATIC_TABLE.length];
    if (field === undefined) throw new Error(`a header has the unknown index ${index}`);
    return field;
  }

  #insert(field: Field): void {
    this.#table.unshift(field);
    this.#tableBytes += entryBytes(field);
    this.#changed = true;
    this.#evict();
  }

  #evict(): void {
    while (this.#tableBytes > this.#tableBytesMax) this.#tableBytes -= entryBytes(this.#table.pop() as Field);
  }

  /** RFC 7541 §5.1. */
  #integer(prefixBits: number): number {
    const mask = 2 ** prefixBits - 1;
    let value = this.#byte() & mask;
    if (value < mask) return value;
    // Four more bytes are more than any length or index of an answer needs.
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error('a header has an endless integer');
  }

  /** RFC 7541 §5.2. */
  #text(): string {
    const isHuffman = ((this.#block[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(7);
    const end = this.#at + length;
    if (end > this.#block.length) throw new Error('a header ends early');
    const bytes = this.#block.subarray(this.#at, end);
    this.#at = end;
    return isHuffman ? huffmanDecoded(bytes) : bytes.toString('latin1');
  }

  #byte(): number {
    const byte = this.#block[this.#at];
    if (byte === undefined) throw new Error('a header ends early');
    this.#at += 1;
    return byte;
  }
}

/** A loop, since a native comparison costs more than blocks of so few bytes. */
function equals(block: Buffer, bytes: Buffer, from: number, to: number): boolean {
  if (block.length !== to - from) return false;
  for (let at = 0; at < block.length; at++) if (block[at] !== bytes[from + at]) return false;
  return true;
}

export function entryBytes([name, value]: Field): number {
  return name.length + value.length + ENTRY_OVERHEAD_BYTES;
}
