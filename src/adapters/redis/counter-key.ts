/** What stands for a subject in the key of its counter. Where that is, is counters.ts's matter. */
import { hash } from 'node:crypto';

/** Of a hash, whatever the subject. */
export const HASH_CHARACTERS = 43;

/** Short keys, and no value of a descriptor in clear, secret or not. */
export function subjectHash(subject: string): string {
  // Encoded as UTF-8, all values that are not UTF-8 would be one.
  return hash('sha256', subject.isWellFormed() ? subject : Buffer.from(subject, 'utf16le'), 'base64url');
}
