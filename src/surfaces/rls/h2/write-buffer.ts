/** Bytes on their way out: one buffer, one offset. What they mean is the writers' matter. */

export class WriteBuffer {
  /** Valid from 0 to `length`. Exchanged when it grows. */
  bytes: Buffer;
  length = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
  }

  /** Makes room for so many more bytes: whoever writes them stays below that, and moves `length` on. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Begins anew elsewhere: what was written so far belongs to whoever has it. */
  renew(capacity: number): void {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
    this.length = 0;
  }
}
