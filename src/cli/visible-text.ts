/** Text of others as a terminal may print it: what would move its cursor, ring its bell or turn its letters around is spelt out. */

/** Control characters with ESC and line breaks among them, the other line breaks, and what changes the direction. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** An escape character becomes `\u001b`: six characters that do nothing. */
export function visible(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
