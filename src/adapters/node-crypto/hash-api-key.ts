/** How an API key is told apart without being kept: by a hash that cannot be turned back. */
import { createHmac, hash } from 'node:crypto';

/**
 * @param secret with it, whoever reads the store cannot try guesses of keys against it
 * @returns a function from a key to 43 characters of base64url, equal on all replicas with the same secret
 */
export function apiKeyHasher(secret: string | undefined): (key: string) => string {
  if (secret === undefined) return (key) => hash('sha256', bytesOf(key), 'base64url');
  return (key) => createHmac('sha256', secret).update(bytesOf(key)).digest('base64url');
}

/** Encoded as UTF-8, all keys that are not UTF-8 would be one. */
function bytesOf(key: string): string | Buffer {
  return key.isWellFormed() ? key : Buffer.from(key, 'utf16le');
}
