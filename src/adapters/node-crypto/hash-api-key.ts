/** How an API key is told apart without being kept: by a hash that cannot be turned back. */
import { createHmac, hash } from 'node:crypto';
import type { KeyHasher } from '../../core/api-key.ts';

type Hash = (key: string) => string;

export interface HashSecrets {
  /** With it, whoever reads the store cannot try guesses of keys against it. */
  readonly secret: string | undefined;
  /** The one before it. Without one, what was kept before there was a secret is still recognised. */
  readonly previousSecret: string | undefined;
}

/** Hashes are equal on all replicas with the same secrets. */
export function keyHasher({ secret, previousSecret }: HashSecrets): KeyHasher {
  const previous = secret === undefined ? undefined : hashWith(previousSecret);
  return {
    hash: hashWith(secret),
    previousHash: (key) => previous?.(key),
  };
}

function hashWith(secret: string | undefined): Hash {
  if (secret === undefined) return (key) => hash('sha256', bytesOf(key), 'base64url');
  return (key) => createHmac('sha256', secret).update(bytesOf(key)).digest('base64url');
}

/** Encoded as UTF-8, all keys that are not UTF-8 would be one. */
function bytesOf(key: string): string | Buffer {
  return key.isWellFormed() ? key : Buffer.from(key, 'utf16le');
}
