/** How an API key is told apart without being kept: by a hash that cannot be turned back. */
import { createHmac, hash } from 'node:crypto';

/**
 * @param secret with it, whoever reads the store cannot try guesses of keys against it
 * @returns a function from a key to 43 characters of base64url, equal on all replicas with the same secret
 */
export function apiKeyHasher(secret: string | undefined): (key: string) => string {
  if (secret === undefined) return (key) => hash('sha256', key, 'base64url');
  return (key) => createHmac('sha256', secret).update(key).digest('base64url');
}
