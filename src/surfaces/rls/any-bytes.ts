/**
 * Reads text of protobuf messages that need not be UTF-8. Gateways pass on the bytes of a header as they came: refused,
 * such a call would be an error, which Envoy lets pass by default, and one bad byte would be a way around every limit.
 */
import { configureTextEncoding, getTextEncoding } from '@bufbuild/protobuf/wire';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** A lone low surrogate stands for a byte: no text that is UTF-8 can contain one. */
const ESCAPED = 0xdc00; // core/descriptor.ts lets such text pass

/** For every message of this process. */
export function acceptAnyBytes(): void {
  configureTextEncoding({ ...getTextEncoding(), decodeUtf8: decodeText });
}

/** Injective: different bytes give different text. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte < 0x80 ? byte : ESCAPED + byte)).join('');
  }
}
