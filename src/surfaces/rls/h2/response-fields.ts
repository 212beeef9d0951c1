/** The two header blocks that nearly every answer has, as short as the client's decoder allows. */
import { FLAG, FRAME, FRAME_HEADER_BYTES, INITIAL_TABLE_BYTES, putFrameHeader } from './frames.ts';
import type { WriteBuffer } from './write-buffer.ts';

const STATUS_200 = 0x88; // RFC 7541 appendix A: index 8
const CONTENT_TYPE = 31; // RFC 7541 appendix A
const INDEXED = 0x80; // RFC 7541 §6.1
const ADDED = 0x40; // RFC 7541 §6.2.1: a literal that the client's dynamic table takes up
const LITERAL = 0x00; // RFC 7541 §6.2.2
const LITERAL_INDEX_MAX = 15; // in four bits; what is beyond follows in a byte of its own
const TABLE_SIZE_0 = Buffer.of(0x20); // RFC 7541 §6.3

const PROTO = lengthAndText('application/grpc+proto');
const STATUS_0 = [...lengthAndText('grpc-status'), ...lengthAndText('0')];

interface Blocks {
  readonly head: Buffer;
  readonly trailer: Buffer;
}

/** Adds both fields to the client's table, one with each block. */
const FIRST: Blocks = {
  head: Buffer.of(STATUS_200, ADDED | CONTENT_TYPE, ...PROTO),
  trailer: Buffer.of(ADDED, ...STATUS_0),
};
/** Whatever heads were sent before the first trailer: the newest entry is its status, the one before it a content type. */
const LATER: Blocks = { head: Buffer.of(STATUS_200, INDEXED | 63), trailer: Buffer.of(INDEXED | 62) };
/** For a client whose table is smaller than what everybody begins with: nothing is kept there. */
const PLAIN: Blocks = {
  head: Buffer.of(STATUS_200, LITERAL | LITERAL_INDEX_MAX, CONTENT_TYPE - LITERAL_INDEX_MAX, ...PROTO),
  trailer: Buffer.of(LITERAL, ...STATUS_0),
};

export class ResponseFields {
  #blocks = FIRST;
  #owesTableSize = false;

  /** @param bytes the client's SETTINGS_HEADER_TABLE_SIZE */
  clientTableChanged(bytes: number): void {
    if (bytes >= INITIAL_TABLE_BYTES || this.#blocks === PLAIN) return;
    this.#blocks = PLAIN;
    this.#owesTableSize = true;
  }

  /** A whole HEADERS frame: status 200, a message of gRPC follows. */
  writeHead(out: WriteBuffer, streamId: number): void {
    this.#write(out, this.#blocks.head, FLAG.endHeaders, streamId);
  }

  /** A whole HEADERS frame: the call went well, and ends. */
  writeTrailer(out: WriteBuffer, streamId: number): void {
    this.#write(out, this.#blocks.trailer, FLAG.endHeaders | FLAG.endStream, streamId);
    if (this.#blocks === FIRST) this.#blocks = LATER;
  }

  /** Begins every other header block: a smaller table has to be acknowledged (RFC 7541 §4.2). */
  writeTableSize(out: WriteBuffer): void {
    if (!this.#owesTableSize) return;
    this.#owesTableSize = false;
    out.append(TABLE_SIZE_0);
  }

  #write(out: WriteBuffer, block: Buffer, flags: number, streamId: number): void {
    const at = out.length;
    out.reserve(FRAME_HEADER_BYTES);
    out.length += FRAME_HEADER_BYTES;
    this.writeTableSize(out);
    out.append(block);
    putFrameHeader(out.bytes, at, out.length - at - FRAME_HEADER_BYTES, FRAME.headers, flags, streamId);
  }
}

/** RFC 7541 §5.2, of a text shorter than 127 bytes, without Huffman's code. */
function lengthAndText(text: string): readonly number[] {
  return [text.length, ...Buffer.from(text, 'latin1')];
}
