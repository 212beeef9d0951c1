/** Admin tokens, compared in constant time, and what is derived from them: fingerprints, names, keys for sealing. */
import { createCipheriv, createDecipheriv, hash, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Admin, AdminTokens } from '../../ports/admin-tokens.ts';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12; // NIST SP 800-38D §8.2.2
const TAG_BYTES = 16;
const FINGERPRINT_CHARACTERS = 12;
/** Tells apart what is derived from one token. */
const SEAL = 'headroom sealed reply';

export function adminTokens(tokens: readonly string[]): AdminTokens {
  const known = tokens.map((token) => ({ digest: digestOf(token), admin: new TokenBearer(token) }));
  return {
    adminOf(token) {
      const digest = digestOf(token);
      let found: Admin | undefined;
      // Every one is compared, so that the time does not tell which one it was, or whether it was any.
      for (const each of known) if (timingSafeEqual(each.digest, digest)) found = each.admin;
      return found;
    },
  };
}

class TokenBearer implements Admin {
  readonly fingerprint: string;
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
    this.fingerprint = hash('sha256', token, 'base64url').slice(0, FINGERPRINT_CHARACTERS);
  }

  nameOf(parts: readonly string[]): string {
    // As JSON, so that no part can pretend to be two.
    return hash('sha256', JSON.stringify([this.#token, ...parts]), 'base64url');
  }

  seal(text: string, context: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#keyFor(context), nonce);
    const encrypted = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), encrypted]).toString('base64url');
  }

  open(sealed: string, context: string): string | undefined {
    const bytes = Buffer.from(sealed, 'base64url');
    if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv(CIPHER, this.#keyFor(context), nonce, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    try {
      const text = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    } catch {
      return undefined;
    }
  }

  #keyFor(context: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#token, context, SEAL, KEY_BYTES)); // RFC 5869
  }
}

function digestOf(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}
