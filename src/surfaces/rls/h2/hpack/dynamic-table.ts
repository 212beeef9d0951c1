/** The fields that one connection's blocks have added, newest first, and which of them must go for a new one. */

/** RFC 7541 §4.1: what a field counts beside its name and value. */
export const FIELD_OVERHEAD_BYTES = 32;

export class DynamicTable {
  /** A ring: as many places as fields can fit, none being smaller than its overhead. Free places hold ''. */
  readonly #names: string[];
  readonly #values: string[];
  readonly #placeMask: number;
  #newest = 0;
  /** What its fields count together. RFC 7541 §4.1 */
  #bytes = 0;
  #bytesMax: number;
  #count = 0;
  #changes = 0;

  /** @param bytesMax the most that it is ever given */
  constructor(bytesMax: number) {
    const fieldsMax = Math.max(1, Math.floor(bytesMax / FIELD_OVERHEAD_BYTES));
    const places = 2 ** Math.ceil(Math.log2(fieldsMax));
    this.#names = new Array<string>(places).fill('');
    this.#values = new Array<string>(places).fill('');
    this.#placeMask = places - 1;
    this.#bytesMax = bytesMax;
  }

  /** How many fields there are. */
  get count(): number {
    return this.#count;
  }

  /** How often it has changed. */
  get changes(): number {
    return this.#changes;
  }

  get bytesMax(): number {
    return this.#bytesMax;
  }

  /** @param age 0 is the newest; below `count` */
  nameAt(age: number): string {
    return this.#names[(this.#newest - age) & this.#placeMask] as string;
  }

  valueAt(age: number): string {
    return this.#values[(this.#newest - age) & this.#placeMask] as string;
  }

  /**
   * RFC 7541 §4.4: a field larger than the table empties it, and is not added; that is no error.
   * @param fieldBytes with the overhead
   */
  add(name: string, value: string, fieldBytes: number): void {
    this.#changes++;
    this.#evictTo(this.#bytesMax - fieldBytes);
    if (fieldBytes > this.#bytesMax) return;
    this.#newest = (this.#newest + 1) & this.#placeMask;
    this.#names[this.#newest] = name;
    this.#values[this.#newest] = value;
    this.#bytes += fieldBytes;
    this.#count++;
  }

  /** @param bytesMax no more than it was constructed with */
  resize(bytesMax: number): void {
    this.#changes++;
    this.#bytesMax = bytesMax;
    this.#evictTo(bytesMax);
  }

  #evictTo(bytesMax: number): void {
    while (this.#bytes > bytesMax && this.#count > 0) {
      this.#count--;
      const place = (this.#newest - this.#count) & this.#placeMask;
      this.#bytes -= this.nameAt(this.#count).length + this.valueAt(this.#count).length + FIELD_OVERHEAD_BYTES;
      this.#names[place] = '';
      this.#values[place] = '';
    }
  }
}
