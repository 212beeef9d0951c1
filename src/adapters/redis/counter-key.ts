/** What stands for a subject in the key of its counter. Where that is, is counters.ts's matter. */
import { hash } from 'node:crypto';

/** Of `subjectHash`, as many as stand in a key: 132 bits. With a short prefix Redis holds it in one piece with its head (44 bytes). */
export const HASH_CHARACTERS = 22;

/** No value of a descriptor in clear, secret or not. @returns 43 characters, all of which tell subjects apart */
export function subjectHash(subject: string): string {
  // Encoded as UTF-8, all values that are not UTF-8 would be one.
  return hash('sha256', subject.isWellFormed() ? subject : Buffer.from(subject, 'utf16le'), 'base64url');
}
