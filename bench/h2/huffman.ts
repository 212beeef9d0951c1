/** The Huffman code of HPACK (RFC 7541 appendix B), decoding only. Shares nothing with the server that it checks. */

/**
 * How many bits each byte's code has, 16 bytes a line, the end of string last. The code is canonical: shorter codes come
 * before longer ones, and codes of one length are in the order of their bytes. So the lengths say it all.
 */
const LENGTHS = `
13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28
28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28
6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6
5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10
13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7
7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5
6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28
20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23
24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24
22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23
21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23
26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25
19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27
20 24 20 21 20 22 21 22 22 23 22 22 25 25 24 26
26 23 26 27 26 27 27 27 27 27 28 27 27 27 27 27
30`;

const END_OF_STRING = 256;
const BITS_MAX = 30;

const lengths = LENGTHS.trim().split(/\s+/).map(Number);
const bytesOfLength = Array.from({ length: BITS_MAX + 1 }, (_, bits) =>
  lengths.flatMap((length, byte) => (length === bits ? [byte] : [])),
);
/** The first code of each length. */
const firstCodes: number[] = [0];
for (let bits = 1; bits <= BITS_MAX; bits++) {
  firstCodes[bits] = 2 * ((firstCodes[bits - 1] ?? 0) + (bytesOfLength[bits - 1]?.length ?? 0));
}

/** @throws Error when the bytes are no Huffman code, or are padded with anything but fewer than eight ones */
export function huffmanDecoded(bytes: Uint8Array): string {
  let text = '';
  let code = 0;
  let bits = 0;
  for (const byte of bytes) {
    for (let at = 7; at >= 0; at--) {
      code = code * 2 + ((byte >> at) & 1);
      bits += 1;
      const found = bytesOfLength[bits]?.[code - (firstCodes[bits] ?? 0)];
      if (found === END_OF_STRING || bits > BITS_MAX) throw new Error('a header has a bad Huffman code');
      if (found === undefined) continue;
      text += String.fromCharCode(found);
      code = 0;
      bits = 0;
    }
  }
  if (bits > 7 || code !== 2 ** bits - 1) throw new Error('a header has bad padding');
  return text;
}
