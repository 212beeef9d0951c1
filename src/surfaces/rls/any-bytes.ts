/**
 * Reads text of protobuf messages that need not be UTF-8. Gateways pass on the bytes of a header as they came: refused,
 * such a call would be an error, which Envoy lets pass by default, and one bad byte would be a way around every limit.
 */
import { isUtf8 } from 'node:buffer';
import { configureTextEncoding, getTextEncoding } from '@bufbuild/protobuf/wire';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** A lone low surrogate, U+DC00 + byte, stands for a byte: no text that is UTF-8 can contain one. */
const ESCAPED_HIGH_BYTE = 0xdc; // core/descriptor.ts lets such text pass

/** For every message of this process. */
export function acceptAnyBytes(): void {
  configureTextEncoding({ ...getTextEncoding(), decodeUtf8: decodeText });
}

/** Injective: different bytes give different text. */
export function decodeText(bytes: Uint8Array): string {
  return isUtf8(bytes) ? UTF8.decode(bytes) : escaped(bytes);
}

/** Callers choose what is read here: an exception, or an object for each byte, would make a few of them dear. */
function escaped(bytes: Uint8Array): string {
  const units = Buffer.allocUnsafe(2 * bytes.length); // from Node's pool, if there are few
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    units[2 * at] = byte;
    units[2 * at + 1] = byte < 0x80 ? 0 : ESCAPED_HIGH_BYTE;
  }
  return units.toString('utf16le');
}
