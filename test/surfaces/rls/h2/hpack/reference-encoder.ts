/** HPACK written by the book, in all the ways that an encoder may choose between; and what a reader's table must hold. */

import { type HpackDecoder, HpackError } from '../../../../../src/surfaces/rls/h2/hpack/decoder.ts';
import { STATIC_NAMES, STATIC_VALUES } from '../../../../../src/surfaces/rls/h2/hpack/static-table.ts';
import { huffmanEncoded } from './appendix-b.ts';

export type Field = readonly [name: string, value: string];

/** How an encoder writes one field. */
export interface Way {
  /** A field that a table has is written as its index alone. */
  readonly byIndex: boolean;
  /** A name that a table has is written as its index. */
  readonly nameByIndex: boolean;
  readonly literal: 'added' | 'not added' | 'never added';
  readonly huffmanName: boolean;
  readonly huffmanValue: boolean;
}

const PATTERNS = { added: [0x40, 6], 'not added': [0x00, 4], 'never added': [0x10, 4] } as const;

const STATIC_FIELDS: readonly Field[] = STATIC_NAMES.map((name, index) => [name, STATIC_VALUES[index]!] as const).slice(
  1,
);

export function fieldBytes([name, value]: Field): number {
  return name.length + value.length + 32;
}

export class ReferenceEncoder {
  /** The newest first. */
  table: Field[] = [];
  #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  resize(bytesMax: number): Buffer {
    this.#bytesMax = bytesMax;
    this.#evict();
    return number(0x20, 5, bytesMax);
  }

  field(field: Field, way: Way): Buffer {
    const known = [...STATIC_FIELDS, ...this.table];
    const index = 1 + known.findIndex(([name, value]) => name === field[0] && value === field[1]);
    if (way.byIndex && index > 0) return number(0x80, 7, index);
    const nameIndex = way.nameByIndex ? 1 + known.findIndex(([name]) => name === field[0]) : 0;
    const [pattern, prefixBits] = PATTERNS[way.literal];
    const parts = [number(pattern, prefixBits, nameIndex)];
    if (nameIndex === 0) parts.push(string(field[0], way.huffmanName));
    parts.push(string(field[1], way.huffmanValue));
    if (way.literal === 'added') {
      this.table.unshift(field);
      this.#evict();
    }
    return Buffer.concat(parts);
  }

  #evict(): void {
    while (this.table.reduce((sum, field) => sum + fieldBytes(field), 0) > this.#bytesMax) this.table.pop();
  }
}

/** RFC 7541 §5.1 */
export function number(pattern: number, prefixBits: number, value: number): Buffer {
  const prefix = 2 ** prefixBits - 1;
  if (value < prefix) return Buffer.from([pattern | value]);
  const bytes = [pattern | prefix];
  let rest = value - prefix;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push(0x80 | (rest % 128));
  return Buffer.from([...bytes, rest]);
}

/** RFC 7541 §5.2 */
export function string(text: string, huffman: boolean): Buffer {
  const plain = Buffer.from(text, 'latin1');
  const written = huffman ? huffmanEncoded(plain) : plain;
  return Buffer.concat([number(huffman ? 0x80 : 0, 7, written.length), written]);
}

/** What a decoder made of a block. */
export function decoded(decoder: HpackDecoder, bytes: Buffer, from = 0, to = bytes.length) {
  const fields: Field[] = [];
  const isWhole = decoder.decode(bytes, from, to, { field: (name, value) => fields.push([name, value]) });
  return { fields, isWhole };
}

/** Every field that a decoder's own table holds, the newest first: asked for by index, until there are no more. */
export function tableOf(decoder: HpackDecoder): Field[] {
  const fields: Field[] = [];
  for (let index = 62; ; index++) {
    try {
      fields.push(...decoded(decoder, number(0x80, 7, index)).fields);
    } catch (error) {
      if (error instanceof HpackError) return fields;
      throw error;
    }
  }
}
