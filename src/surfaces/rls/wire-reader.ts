/**
 * Protobuf's wire format, read as protobuf-es reads it, byte for byte: what one door takes, the other must not refuse.
 * What the fields mean is request-reader.ts's matter.
 */
import { readName, readText } from './text-reader.ts';

/** Bytes that are no message. */
export class MalformedMessage extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MalformedMessage';
  }
}

/** https://protobuf.dev/programming-guides/encoding/#structure; 4, the end of a group, stands only where one began. */
const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const GROUP = 3;
const GROUP_END = 4;
const FIXED_32 = 5;

const VARINT_BYTES_MAX = 10; // 64 bits, 7 in each byte
const TAG_BYTES_MAX = 5; // 32 bits

/** Messages and groups within each other, as in protobuf-es: skipping a group takes a frame of the stack for each. */
const DEPTH_MAX = 100;

const NOTHING = Buffer.alloc(0);

/** One position in one run of bytes. Every method begins there, and moves it behind what it has read. */
export class WireReader {
  protected at = 0;
  #bytes: Buffer = NOTHING;
  #to = 0;

  protected open(bytes: Buffer, from: number, to: number): void {
    this.#bytes = bytes;
    this.at = from;
    this.#to = to;
  }

  /** Lets go of the bytes, which belong to a connection. */
  protected close(): void {
    this.#bytes = NOTHING;
  }

  /** Field number × 8 + wire type. Callers do not ask for the wire type of a field that they know: nor does protobuf-es. */
  protected tag(): number {
    const from = this.at;
    const tag = this.uint32();
    const length = this.at - from;
    if (length >= TAG_BYTES_MAX && (length > TAG_BYTES_MAX || this.#last() > 0x0f)) {
      throw new MalformedMessage('a tag of more than 32 bits');
    }
    if (tag < 8 || (tag & 7) > FIXED_32) throw new MalformedMessage(`a tag with field ${tag >>> 3}, type ${tag & 7}`);
    return tag;
  }

  /** Where a message inside a message ends. It may say more than there is: whoever reads on finds out. */
  protected messageEnd(): number {
    const length = this.uint32();
    return this.at + length;
  }

  /** A varint of up to 64 bits, of which the lower 32 count. */
  protected uint32(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let count = 1; count < VARINT_BYTES_MAX; count++) {
      const byte = this.#byte();
      if (count < TAG_BYTES_MAX) value |= (byte & 0x7f) << (7 * count);
      if (byte < 0x80) return value >>> 0;
    }
    throw new MalformedMessage('a varint of more than 10 bytes');
  }

  /** Exact up to 2^53 - 1; beyond, it is near, and not below 2^53. */
  protected uint64(): number {
    let value = 0;
    let scale = 1;
    for (let count = 1; count <= VARINT_BYTES_MAX; count++) {
      const byte = this.#byte();
      value += scale * (byte & (count < VARINT_BYTES_MAX ? 0x7f : 0x01)); // of the last byte's bits one is left
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw new MalformedMessage('a varint of more than 10 bytes');
  }

  protected text(): string {
    const from = this.#textFrom();
    return readText(this.#bytes, from, this.at);
  }

  /** Text that is likely to come again. */
  protected name(): string {
    const from = this.#textFrom();
    return readName(this.#bytes, from, this.at);
  }

  /** Passes over a field that nobody knows. @param depth of the message that it stands in; the outermost is 1 */
  protected skip(tag: number, depth: number): void {
    const type = tag & 7;
    if (type === VARINT) while (this.#byte() >= 0x80);
    else if (type === FIXED_64) this.#pass(8);
    else if (type === LENGTH_DELIMITED) this.#pass(this.uint32());
    else if (type === GROUP) this.#skipGroup(tag - GROUP + GROUP_END, depth + 1);
    else if (type === FIXED_32) this.#pass(4);
    else throw new MalformedMessage('the end of a group that did not begin');
  }

  #skipGroup(endTag: number, depth: number): void {
    if (depth > DEPTH_MAX) throw new MalformedMessage(`more than ${DEPTH_MAX} groups within each other`);
    for (;;) {
      const tag = this.tag();
      if (tag === endTag) return;
      this.skip(tag, depth);
    }
  }

  #textFrom(): number {
    const length = this.uint32();
    const from = this.at;
    this.#pass(length);
    return from;
  }

  #pass(count: number): void {
    if (count > this.#to - this.at) throw new MalformedMessage('the message ends within a field');
    this.at += count;
  }

  #byte(): number {
    if (this.at >= this.#to) throw new MalformedMessage('the message ends within a field');
    return this.#bytes[this.at++] as number;
  }

  #last(): number {
    return this.#bytes[this.at - 1] as number;
  }
}
