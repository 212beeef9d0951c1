/** ETags and the conditions that refer to them (RFC 9110 §8.8.3, §13.1). */
import { hash } from 'node:crypto';

/**
 * `*`, or at least one entity tag; empty elements are let pass, as RFC 9110 §5.6.1 asks. After a comma, blanks belong to
 * the tag that follows them or else to the next comma, never to both: the time grows with the length alone.
 */
export const IF_MATCH =
  /^(?:[\t ]*\*[\t ]*|[\t ,]*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"(?:[\t ]*,(?:[\t ]*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")?)*[\t ]*)$/;
const TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g;
// Enough that no two contents that one resource ever had meet.
const WEAK_CHARACTERS = 22;

export function recordTag(version: number): string {
  return `"${version}"`;
}

/** Of content without a version of its own. */
export function contentTag(content: unknown): string {
  return `W/"${hash('sha256', JSON.stringify(content), 'base64url').slice(0, WEAK_CHARACTERS)}"`;
}

/**
 * @param ifMatch as IF_MATCH describes it
 * @returns the versions that it allows; undefined: any. A weak tag allows none: the comparison is strong.
 */
export function versionsOf(ifMatch: string | undefined): readonly number[] | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined;
  const tags = ifMatch.match(TAG) ?? [];
  return tags.flatMap((tag) => (/^"[1-9]\d*"$/.test(tag) ? [Number(tag.slice(1, -1))] : []));
}

/** Whether the caller has this already. The comparison is weak; what is no list of tags is no condition. */
export function isKnown(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  return (ifNoneMatch.match(TAG) ?? []).some((each) => opaque(each) === opaque(tag));
}

function opaque(tag: string): string {
  return tag.replace(/^W\//, '');
}
