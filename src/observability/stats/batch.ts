/** Lines put together to what is sent at once. */

export interface Batch {
  readonly bytes: Buffer;
  readonly lines: number;
}

export class Batcher {
  readonly #bytesMax: number;
  readonly #onFull: (batch: Batch) => void;
  #text = '';
  #bytes = 0;
  #lines = 0;

  /** @param bytesMax of a batch; a single line may be longer */
  constructor(bytesMax: number, onFull: (batch: Batch) => void) {
    this.#bytesMax = bytesMax;
    this.#onFull = onFull;
  }

  /** @param line without its newline: each has one in the batch */
  add(line: string): void {
    const bytes = Buffer.byteLength(line) + 1;
    if (this.#bytes + bytes > this.#bytesMax) this.flush();
    this.#text += `${line}\n`;
    this.#bytes += bytes;
    this.#lines += 1;
  }

  flush(): void {
    if (this.#lines === 0) return;
    const batch = { bytes: Buffer.from(this.#text), lines: this.#lines };
    this.#text = '';
    this.#bytes = 0;
    this.#lines = 0;
    this.#onFull(batch);
  }
}
