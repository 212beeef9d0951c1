/** HPACK (RFC 7541), read: the fields of a header block, in order. What a field means is the taker's matter. */
import { DynamicTable, FIELD_OVERHEAD_BYTES } from './dynamic-table.ts';
import { decodeHuffman, HUFFMAN_EXPANSION_MAX } from './huffman.ts';
import { STATIC_END, STATIC_NAMES, STATIC_VALUES } from './static-table.ts';

/** Takes the fields of one block, in order. Strings are latin1: each byte one character. */
export interface FieldSink {
  field(name: string, value: string): void;
}

/** The block cannot be read: from here on the two tables differ, so the connection ends with COMPRESSION_ERROR. */
export class HpackError extends Error {
  override readonly name = 'HpackError';
}

// How a field begins. RFC 7541 §6
const INDEXED = 0x80;
const LITERAL_ADDED = 0x40;
const SIZE_UPDATE = 0x20;
/** Of a string: it is written in the Huffman code. */
const HUFFMAN = 0x80;

// What is left of the first byte for a number; all ones: the number goes on. RFC 7541 §5.1
const INDEXED_PREFIX = 0x7f;
const LITERAL_ADDED_PREFIX = 0x3f;
const LITERAL_PREFIX = 0x0f;
const SIZE_UPDATE_PREFIX = 0x1f;
const STRING_PREFIX = 0x7f;

const PATH_INDEX = 4; // RFC 7541 appendix A

/** A path that is written longer is not remembered: ours have some 50 bytes, and connections are many. */
const PATH_WRITTEN_BYTES_MAX = 256;

/** Of further bytes, seven bits each: 28 bits are more than any length, index or size that is taken here. */
const NUMBER_SHIFT_MAX = 21;

const NO_BYTES = Buffer.alloc(0);

/**
 * What was written in the Huffman code, until a string is made of it. One for all connections: nobody else's turn comes
 * in between. It grows to what a string may have that is kept, so to the largest table or list.
 */
let plain = Buffer.allocUnsafeSlow(1_024);

export class HpackDecoder {
  readonly #table: DynamicTable;
  readonly #tableBytesMax: number;
  readonly #listBytesMax: number;
  // Where it is reading.
  #bytes: Buffer = NO_BYTES;
  #at = 0;
  #end = 0;
  /** Of the string that was read last, which '' may stand for. */
  #stringBytes = 0;
  // The last path, as it was written and as it was read.
  #pathWritten: Uint8Array = NO_BYTES;
  #path = '';

  /**
   * @param options.tableBytesMax what we announce as SETTINGS_HEADER_TABLE_SIZE. Not below its initial value, 4,096: a client
   * may have filled so large a table before it reads the announcement.
   * @param options.listBytesMax of a block's fields: name, value and 32 for each. RFC 9113 §6.5.2
   */
  constructor(options: { readonly tableBytesMax: number; readonly listBytesMax: number }) {
    this.#table = new DynamicTable(options.tableBytesMax);
    this.#tableBytesMax = options.tableBytesMax;
    this.#listBytesMax = options.listBytesMax;
  }

  /** How often the table has changed: while it has not, the same bytes are the same fields. */
  get tableChanges(): number {
    return this.#table.changes;
  }

  /**
   * @returns false if the list was longer than listBytesMax: the sink then got only the fields before that. The table is as
   * the client's, so the connection may go on.
   * @throws HpackError
   */
  decode(bytes: Buffer, from: number, to: number, sink: FieldSink): boolean {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
    this.#readSizeUpdates();
    let listBytes = 0;
    while (this.#at < to) {
      const first = bytes[this.#at++] as number;
      listBytes = first >= INDEXED ? this.#indexed(first, listBytes, sink) : this.#literal(first, listBytes, sink);
    }
    this.#bytes = NO_BYTES;
    return listBytes <= this.#listBytesMax;
  }

  /** RFC 7541 §4.2: they come before the first field. */
  #readSizeUpdates(): void {
    while (this.#at < this.#end) {
      const first = this.#bytes[this.#at] as number;
      if (first >= LITERAL_ADDED || first < SIZE_UPDATE) return;
      this.#at++;
      const bytesMax = this.#number(first, SIZE_UPDATE_PREFIX);
      if (bytesMax > this.#tableBytesMax) throw new HpackError('a table larger than announced');
      this.#table.resize(bytesMax);
    }
  }

  /** @returns the length of the list with this field */
  #indexed(first: number, listBytes: number, sink: FieldSink): number {
    const index = this.#number(first, INDEXED_PREFIX);
    const name = this.#nameAt(index);
    const value = index < STATIC_END ? (STATIC_VALUES[index] as string) : this.#table.valueAt(index - STATIC_END);
    const listed = listBytes + name.length + value.length + FIELD_OVERHEAD_BYTES;
    if (listed <= this.#listBytesMax) sink.field(name, value);
    return listed;
  }

  /** @returns the length of the list with this field */
  #literal(first: number, listBytes: number, sink: FieldSink): number {
    if (first >= SIZE_UPDATE && first < LITERAL_ADDED) throw new HpackError('a table size after a field');
    const isAdded = first >= LITERAL_ADDED;
    // A longer string has a place neither in the list nor in the table.
    const keptMax = Math.max(this.#listBytesMax - listBytes, isAdded ? this.#table.bytesMax : 0);
    const nameIndex = this.#number(first, isAdded ? LITERAL_ADDED_PREFIX : LITERAL_PREFIX);
    const name = nameIndex === 0 ? this.#string(keptMax) : this.#nameAt(nameIndex);
    const nameBytes = nameIndex === 0 ? this.#stringBytes : name.length;
    const room = keptMax - nameBytes;
    const value = nameIndex === PATH_INDEX ? this.#pathString(room) : this.#string(room);
    const fieldBytes = nameBytes + this.#stringBytes + FIELD_OVERHEAD_BYTES;
    if (isAdded) this.#table.add(name, value, fieldBytes);
    const listed = listBytes + fieldBytes;
    if (listed <= this.#listBytesMax) sink.field(name, value);
    return listed;
  }

  #nameAt(index: number): string {
    if (index < STATIC_END) {
      if (index === 0) throw new HpackError('a field without an index');
      return STATIC_NAMES[index] as string;
    }
    const age = index - STATIC_END;
    if (age >= this.#table.count) throw new HpackError('an index beyond the table');
    return this.#table.nameAt(age);
  }

  /** RFC 7541 §5.1 */
  #number(first: number, prefix: number): number {
    let value = first & prefix;
    if (value < prefix) return value;
    for (let shift = 0; shift <= NUMBER_SHIFT_MAX; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new HpackError('a number too large');
  }

  /**
   * RFC 7541 §5.2. Its length goes to `#stringBytes`.
   * @returns '' for a longer one than `keptMax`: nothing is made of it
   */
  #string(keptMax: number): string {
    const first = this.#byte();
    const length = this.#number(first, STRING_PREFIX);
    const from = this.#at;
    const to = from + length;
    if (to > this.#end) throw new HpackError('a string that goes on behind the block');
    this.#at = to;
    if (first >= HUFFMAN) return this.#huffmanString(from, to, keptMax);
    this.#stringBytes = length;
    return length <= keptMax ? this.#bytes.toString('latin1', from, to) : '';
  }

  /**
   * A path's value. nghttp2 never adds one to the table, and yet it is the same in every call: comparing it costs a quarter
   * of reading it. A string's end follows from its bytes, its length being the first, so the same bytes are the same string
   * whatever comes behind them.
   */
  #pathString(keptMax: number): string {
    const from = this.#at;
    if (this.#isWrittenNext(this.#pathWritten)) {
      this.#at += this.#pathWritten.length;
      this.#stringBytes = this.#path.length;
      return this.#path;
    }
    const path = this.#string(keptMax);
    const isKept = this.#stringBytes === path.length && this.#at - from <= PATH_WRITTEN_BYTES_MAX;
    this.#pathWritten = isKept ? new Uint8Array(this.#bytes.subarray(from, this.#at)) : NO_BYTES;
    this.#path = isKept ? path : '';
    return path;
  }

  #isWrittenNext(written: Uint8Array): boolean {
    if (written.length === 0 || written.length > this.#end - this.#at) return false;
    for (let index = 0; index < written.length; index++) {
      if (written[index] !== this.#bytes[this.#at + index]) return false;
    }
    return true;
  }

  #huffmanString(from: number, to: number, keptMax: number): string {
    const room = Math.min(keptMax, Math.floor((to - from) * HUFFMAN_EXPANSION_MAX));
    if (room > plain.length) plain = Buffer.allocUnsafeSlow(room);
    const length = decodeHuffman(this.#bytes, from, to, plain);
    if (length < 0) throw new HpackError('a broken Huffman code');
    this.#stringBytes = length;
    return length <= keptMax ? plain.toString('latin1', 0, length) : '';
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new HpackError('the block ends within a field');
    return this.#bytes[this.#at++] as number;
  }
}
