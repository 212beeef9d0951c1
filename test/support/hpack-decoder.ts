/** Reads header blocks as RFC 7541 says, plainly: what a server sends is told by other code than the server's own. */

/** Appendix A: `name: value`, in the order of their indexes, which begin with 1. */
const STATIC_TABLE: readonly Field[] = `
:authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|:status=204
:status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|accept-encoding=gzip, deflate
accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control
content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type
cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since
last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after
server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate`
  .trim()
  .split(/[|\n]/)
  .map((text) => [text.split('=')[0] as string, text.split('=')[1] ?? '']);

/**
 * Appendix B: how many bits the code of each byte has, and the end's at last. Codes are counted up through the bytes in
 * the order of these lengths, so that they need not be written down.
 */
const CODE_BITS = `
13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28 6 10 10 12 13 6 8 11 10
10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10 13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28 20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24
24 22 23 24 23 23 23 23 21 22 23 22 23 23 24 22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20
22 22 22 23 22 22 23 26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27 20
24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26 30`
  .trim()
  .split(/\s/)
  .map(Number);

/** RFC 7541 §4.1: what an entry counts beside its bytes. */
const ENTRY_OVERHEAD_BYTES = 32;
const TABLE_BYTES_MAX = 4_096;

type Field = readonly [name: string, value: string];

/** Byte values by their codes as text: `00000` is `0`. */
const CODES = huffmanCodes();

export class HpackDecoder {
  /** The newest first. */
  readonly #dynamic: Field[] = [];
  #tableBytesMax = TABLE_BYTES_MAX;
  #block: Buffer = Buffer.alloc(0);
  #at = 0;

  /** @param block all of it, whatever frames it came in */
  decode(block: Buffer): readonly Field[] {
    this.#block = block;
    this.#at = 0;
    const fields: Field[] = [];
    while (this.#at < block.length) {
      const first = this.#block.readUInt8(this.#at);
      if (first >= 0x80) fields.push(this.#entry(this.#integer(7)));
      else if (first >= 0x40) fields.push(this.#remember(this.#literal(6)));
      else if (first >= 0x20) this.#resize(this.#integer(5));
      else fields.push(this.#literal(4));
    }
    return fields;
  }

  #literal(prefixBits: number): Field {
    const index = this.#integer(prefixBits);
    const name = index === 0 ? this.#text() : this.#entry(index)[0];
    return [name, this.#text()];
  }

  #entry(index: number): Field {
    const field = STATIC_TABLE[index - 1] ?? this.#dynamic[index - 1 - STATIC_TABLE.length];
    if (field === undefined) throw new Error(`no entry ${index}`);
    return field;
  }

  #remember(field: Field): Field {
    this.#dynamic.unshift(field);
    this.#evict();
    return field;
  }

  #resize(bytesMax: number): void {
    this.#tableBytesMax = bytesMax;
    this.#evict();
  }

  #evict(): void {
    const bytesOf = ([name, value]: Field): number => name.length + value.length + ENTRY_OVERHEAD_BYTES;
    let bytes = this.#dynamic.reduce((sum, field) => sum + bytesOf(field), 0);
    while (bytes > this.#tableBytesMax) bytes -= bytesOf(this.#dynamic.pop() as Field);
  }

  #integer(prefixBits: number): number {
    const most = 2 ** prefixBits - 1;
    let value = this.#block.readUInt8(this.#at++) & most;
    if (value < most) return value;
    for (let unit = 1; ; unit *= 0x80) {
      const byte = this.#block.readUInt8(this.#at++);
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
    }
  }

  #text(): string {
    const isHuffman = this.#block.readUInt8(this.#at) >= 0x80;
    const length = this.#integer(7);
    const bytes = this.#block.subarray(this.#at, this.#at + length);
    if (bytes.length < length) throw new Error('a text that goes beyond its block');
    this.#at += length;
    return isHuffman ? huffmanText(bytes) : bytes.toString('latin1');
  }
}

function huffmanCodes(): ReadonlyMap<string, number> {
  const symbols = CODE_BITS.map((bits, symbol) => ({ bits, symbol })).sort(
    (one, other) => one.bits - other.bits || one.symbol - other.symbol,
  );
  const codes = new Map<string, number>();
  let code = 0;
  let length = 0;
  for (const { bits, symbol } of symbols) {
    code *= 2 ** (bits - length);
    length = bits;
    codes.set(code.toString(2).padStart(bits, '0'), symbol);
    code += 1;
  }
  return codes;
}

function huffmanText(bytes: Buffer): string {
  let text = '';
  let code = '';
  for (const bit of [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')) {
    code += bit;
    const symbol = CODES.get(code);
    if (symbol === undefined) continue;
    text += String.fromCharCode(symbol);
    code = '';
  }
  // RFC 7541 §5.2: what is left is the beginning of the end's code, and less than a byte of it.
  if (code.length > 7 || code.includes('0')) throw new Error('a text that is not padded with ones');
  return text;
}
