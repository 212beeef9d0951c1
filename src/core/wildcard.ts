/** Patterns with `*`, each of which stands for any number of characters. */

export interface Wildcard {
  /** What stands between the stars, in order: at least two parts, the first and the last of which may be empty. */
  readonly parts: readonly string[];
}

/** @param pattern with at least one `*` */
export function compileWildcard(pattern: string): Wildcard {
  return { parts: pattern.split('*') };
}

/** Whether the text begins with the first part, ends with the last, and has the others in between, in order, none over another. */
export function matchesWildcard({ parts }: Wildcard, text: string): boolean {
  const first = parts[0] as string;
  const last = parts[parts.length - 1] as string;
  const end = text.length - last.length;
  if (first.length > end || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  for (let index = 1; index < parts.length - 1; index++) {
    const part = parts[index] as string;
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
