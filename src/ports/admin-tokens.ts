/** Who may administer, and what can be done with a token without handing it on. */

/** The bearer of a right token. */
export interface Admin {
  /** 12 characters that tell tokens apart and cannot be turned back: for logs, the audit and counters. */
  readonly fingerprint: string;
  /** A name that only this token's bearer comes to, whatever the parts: 43 characters of base64url. */
  nameOf(parts: readonly string[]): string;
  /** Encrypts for this token's bearer alone. @param context without which it cannot be opened */
  seal(text: string, context: string): string;
  /** @returns undefined for what was not sealed by this token in this context */
  open(sealed: string, context: string): string | undefined;
}

export interface AdminTokens {
  /** Takes as long for every token of a length. @returns undefined unless it is one of the right ones */
  adminOf(token: string): Admin | undefined;
}
