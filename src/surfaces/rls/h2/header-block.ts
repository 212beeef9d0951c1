/** A header block that comes in several frames: a HEADERS and its CONTINUATIONs (RFC 9113 §6.10). */
import { ConnectionError } from './errors.ts';
import { ERROR } from './frames.ts';

// A list of HEADER_LIST_BYTES_MAX fits twice as it is; Huffman's code makes it shorter, unless somebody means harm.
const BLOCK_BYTES_MAX = 131_072;
// A block that fills its frames needs nine. Clients may cut it smaller, but not into crumbs (CVE-2024-27316 and its like).
const FRAMES_MAX = 64;

export class HeaderBlock {
  readonly streamId: number;
  readonly endsStream: boolean;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(streamId: number, endsStream: boolean) {
    this.streamId = streamId;
    this.endsStream = endsStream;
  }

  /** @throws ConnectionError beyond what one block may have */
  add(bytes: Buffer, from: number, to: number): void {
    this.#bytes += to - from;
    if (this.#bytes > BLOCK_BYTES_MAX || this.#parts.length >= FRAMES_MAX)
      throw new ConnectionError(ERROR.enhanceYourCalm, 'a header block without end');
    this.#parts.push(Buffer.from(bytes.subarray(from, to)));
  }

  whole(): Buffer {
    return Buffer.concat(this.#parts, this.#bytes);
  }
}
