/** Who is counted, as one text: injective, so that two descriptors never share a counter. */
import type { Entry } from './descriptor.ts';

/**
 * Every part carries its length and its kind, so no text inside a part can pretend to be a border:
 * `8:closient` `7:api_key` `k` `43:<hash>`.
 *
 * @param secret by entry: whether its value is an API key (missing: it is not)
 * @param hashSecret one-way; the clear value never becomes part of a subject
 */
export function subjectOf(
  domain: string,
  entries: readonly Entry[],
  secret: readonly boolean[],
  hashSecret: (value: string) => string,
): string {
  let subject = part(domain);
  for (let index = 0; index < entries.length; index++) {
    const { key, value } = entries[index] as Entry;
    subject += part(key) + (secret[index] === true ? `k${part(hashSecret(value))}` : `v${part(value)}`);
  }
  return subject;
}

function part(text: string): string {
  return `${text.length}:${text}`;
}
