/** Reads the heads of one connection's requests, and their trailers. */
import { HEADER_LIST_BYTES_MAX, HEADER_TABLE_BYTES_MAX } from './bounds.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import { RequestHead } from './request-head.ts';

/** A longer block, or a longer list, is not remembered: connections are many. Those of gateways have some 60 bytes, and 600. */
const BLOCK_BYTES_MAX = 256;
const LIST_BYTES_MAX = 2_048;

const NO_BYTES = new Uint8Array();

export class HeadReader {
  readonly #decoder = new HpackDecoder({ tableBytesMax: HEADER_TABLE_BYTES_MAX, listBytesMax: HEADER_LIST_BYTES_MAX });
  // The last block that left the table as it was, and what was read of it.
  #block: Uint8Array = NO_BYTES;
  #head: RequestHead | undefined;
  /** How often the table had changed by then. */
  #changes = 0;

  /**
   * Gateways send the same block with call after call: comparing it costs a tenth of reading it.
   * @returns the same one for equal blocks, which is nobody's to change
   * @throws HpackError
   */
  read(bytes: Buffer, from: number, to: number): RequestHead {
    const decoder = this.#decoder;
    if (this.#head !== undefined && this.#changes === decoder.tableChanges && isEqual(this.#block, bytes, from, to)) {
      return this.#head;
    }
    const changes = decoder.tableChanges;
    const head = new RequestHead();
    head.isWhole = decoder.decode(bytes, from, to, head);
    if (changes === decoder.tableChanges) this.#remember(head, bytes, from, to);
    return head;
  }

  #remember(head: RequestHead, bytes: Buffer, from: number, to: number): void {
    const isKept = to - from <= BLOCK_BYTES_MAX && head.listBytes <= LIST_BYTES_MAX;
    this.#head = isKept ? head : undefined;
    this.#block = isKept ? new Uint8Array(bytes.subarray(from, to)) : NO_BYTES;
    this.#changes = this.#decoder.tableChanges;
  }
}

function isEqual(block: Uint8Array, bytes: Buffer, from: number, to: number): boolean {
  if (block.length !== to - from) return false;
  for (let index = 0; index < block.length; index++) if (block[index] !== bytes[from + index]) return false;
  return true;
}
