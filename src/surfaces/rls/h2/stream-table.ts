/**
 * The open streams of one connection by their numbers. A Map that streams pass through makes itself anew every few dozen,
 * and links what it was to what it is: one such table that has grown old keeps all later ones, and the streams in them,
 * from being collected young.
 */
import { CONCURRENT_STREAMS_MAX } from './bounds.ts';
import type { Stream } from './stream.ts';

const SLOTS_MIN = 64; // powers of two
const SLOTS_MAX = 2 * CONCURRENT_STREAMS_MAX;

export class StreamTable {
  /** By half of their numbers, which clients count up by two, in as many as fit. */
  #slots: (Stream | undefined)[] = new Array(SLOTS_MIN).fill(undefined);
  /** Those whose place one holds that has been open for SLOTS_MAX others. */
  readonly #displaced = new Map<number, Stream>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): Stream | undefined {
    const stream = this.#slots[this.#slotOf(id)];
    return stream?.id === id ? stream : this.#displaced.get(id);
  }

  /** @param stream of a number that is not there */
  add(stream: Stream): void {
    this.#size += 1;
    while (this.#slots[this.#slotOf(stream.id)] !== undefined && this.#slots.length < SLOTS_MAX) this.#grow();
    const slot = this.#slotOf(stream.id);
    if (this.#slots[slot] === undefined) this.#slots[slot] = stream;
    else this.#displaced.set(stream.id, stream);
  }

  delete({ id }: Stream): void {
    const slot = this.#slotOf(id);
    if (this.#slots[slot]?.id === id) this.#slots[slot] = undefined;
    else if (!this.#displaced.delete(id)) return;
    this.#size -= 1;
  }

  /** All of them at this moment. */
  all(): Stream[] {
    const streams = this.#slots.filter((stream) => stream !== undefined);
    streams.push(...this.#displaced.values());
    return streams;
  }

  #slotOf(id: number): number {
    return (id >>> 1) & (this.#slots.length - 1);
  }

  /** Two that have places of their own have them in a larger table, too. */
  #grow(): void {
    const streams = this.#slots;
    this.#slots = new Array(2 * streams.length).fill(undefined);
    for (const stream of streams) if (stream !== undefined) this.#slots[this.#slotOf(stream.id)] = stream;
  }
}
