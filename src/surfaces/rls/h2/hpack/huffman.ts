/** HPACK's Huffman code, read: four bits a step, by a table of all that four bits can mean in each place of the code. */

/**
 * RFC 7541 appendix B: how many bits the code of each byte has, and last that of EOS, the end of a string. The lengths
 * are all there is to know: shorter codes come first, and those of one length in the order of what they stand for.
 */
const CODE_BITS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];
const EOS = 256;

/** The shortest code has 5 bits: as many bytes may come of each that is read. */
export const HUFFMAN_EXPANSION_MAX = 8 / 5;

/** RFC 7541 §5.2: what is left of the last byte, less than one byte, holds the first bits of EOS: ones. */
const PADDING_BITS_MAX = 7;

/** A place in the code where it is not known yet which byte is meant. By the next bit: another one, or what is meant. */
interface Place {
  readonly number: number;
  /** A string may end here: at the start, or within padding. */
  readonly isEnd: boolean;
  readonly next: [Place | number | undefined, Place | number | undefined];
}

// What a step comes to: from the right, the next place, times 16; the byte that was found; whether one was.
const PLACE_BITS = 0x1ff0;
const BYTE_SHIFT = 16;
const FOUND_SHIFT = 24;

/** 257 codes divide at 256 places. After EOS, which no string may hold, there is no way back to where one may end. */
const LOST = 256;

const PLACES = placesOf(CODE_BITS);
const STEPS = stepsOf(PLACES);
const IS_END = Uint8Array.from([...PLACES.map(({ isEnd }) => (isEnd ? 1 : 0)), 0]);

/**
 * @param out takes what fits in; the rest is only counted
 * @returns how many bytes the string has, or -1 where the code is broken: EOS, or padding that is too long or has zeros
 */
export function decodeHuffman(bytes: Uint8Array, from: number, to: number, out: Uint8Array): number {
  let place = 0;
  let length = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    // Four bits end one code at most. Without a branch: where none ended, the next byte overwrites this one.
    // An array of bytes takes the lowest eight bits, and nothing beyond its end.
    const high = STEPS[place | (byte >> 4)] as number;
    out[length] = high >> BYTE_SHIFT;
    length += high >> FOUND_SHIFT;
    const low = STEPS[(high & PLACE_BITS) | (byte & 0xf)] as number;
    out[length] = low >> BYTE_SHIFT;
    length += low >> FOUND_SHIFT;
    place = low & PLACE_BITS;
  }
  return IS_END[place >> 4] === 1 ? length : -1;
}

function placesOf(codeBits: readonly number[]): Place[] {
  const places: Place[] = [{ number: 0, isEnd: true, next: [undefined, undefined] }];
  const symbols = codeBits.map((_, symbol) => symbol).sort((a, b) => bitsOf(a) - bitsOf(b) || a - b);
  let code = 0;
  let bitsBefore = 0;
  for (const symbol of symbols) {
    code *= 2 ** (bitsOf(symbol) - bitsBefore);
    bitsBefore = bitsOf(symbol);
    plant(places, symbol, code.toString(2).padStart(bitsBefore, '0'));
    code++;
  }
  return places;

  function bitsOf(symbol: number): number {
    return codeBits[symbol] as number;
  }
}

function plant(places: Place[], symbol: number, code: string): void {
  let place = places[0] as Place;
  for (let depth = 1; depth < code.length; depth++) {
    const bit = code[depth - 1] === '1' ? 1 : 0;
    let next = place.next[bit] as Place | undefined;
    if (next === undefined) {
      const isEnd = depth <= PADDING_BITS_MAX && !code.slice(0, depth).includes('0');
      next = { number: places.length, isEnd, next: [undefined, undefined] };
      places.push(next);
      place.next[bit] = next;
    }
    place = next;
  }
  place.next[code.endsWith('1') ? 1 : 0] = symbol;
}

/** One for each place and four bits. */
function stepsOf(places: readonly Place[]): Uint32Array {
  const steps = new Uint32Array((places.length + 1) * 16).fill(LOST << 4);
  for (const start of places) {
    for (let fourBits = 0; fourBits < 16; fourBits++) steps[(start.number << 4) | fourBits] = stepFrom(start, fourBits);
  }
  return steps;

  function stepFrom(start: Place, fourBits: number): number {
    let place = start;
    let found = 0;
    for (let shift = 3; shift >= 0; shift--) {
      const next = place.next[((fourBits >> shift) & 1) as 0 | 1];
      if (next === EOS || next === undefined) return LOST << 4;
      if (typeof next === 'number') found = (1 << FOUND_SHIFT) | (next << BYTE_SHIFT);
      place = typeof next === 'number' ? (places[0] as Place) : next;
    }
    return found | (place.number << 4);
  }
}
