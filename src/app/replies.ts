/** Replies that can be asked for again: sealed so that nobody but the bearer of the same token can read the key in them. */
import { Conflict } from '../core/errors.ts';
import type { KeyRecord } from '../core/key-record.ts';
import type { Admin } from '../ports/admin-tokens.ts';
import type { KeyRegistry, OnceReply } from '../ports/key-registry.ts';

/** A key that was made: the only time that it is shown. */
export interface IssuedKey {
  readonly record: KeyRecord;
  readonly key: string;
  /** Unix second until which the key before it is good; undefined when there is none, or it is good no more. */
  readonly previousUntil: number | undefined;
}

/** The same request, asked again, is to be answered as it was the first time. */
export interface Once {
  readonly by: Admin;
  /** As the caller gave it: 1 to 255 visible characters of ASCII. */
  readonly idempotencyKey: string;
  /** What is asked for, and of which record. */
  readonly operation: readonly string[];
  /** Everything else that the request says; the same key with another content is a mistake. */
  readonly content: unknown;
}

interface Sealed {
  readonly content: string;
  readonly issued: IssuedKey;
}

// As long as a client that lost the answer may reasonably try again.
const REPLY_SECONDS = 86_400;
const HEADER = 'idempotency-key';

/** @throws Conflict when the key was used for another content */
export async function earlierReply(
  registry: Pick<KeyRegistry, 'replyOf'>,
  once: Once | undefined,
): Promise<IssuedKey | undefined> {
  if (once === undefined) return undefined;
  const reply = await registry.replyOf(nameOf(once));
  return reply === undefined ? undefined : openReply(once, reply);
}

/** @throws Conflict when the key was used for another content, or the reply can no longer be read */
export function openReply(once: Once, reply: string): IssuedKey {
  const text = once.by.open(reply, once.idempotencyKey);
  if (text === undefined) throw new Conflict(HEADER, 'what was answered under this key can no longer be read');
  const { content, issued } = JSON.parse(text) as Sealed;
  if (content === contentOf(once)) return issued;
  throw new Conflict(HEADER, 'this key was used for another request');
}

export function sealReply(once: Once, issued: IssuedKey): OnceReply {
  const sealed: Sealed = { content: contentOf(once), issued };
  const reply = once.by.seal(JSON.stringify(sealed), once.idempotencyKey);
  return { name: nameOf(once), reply, seconds: REPLY_SECONDS };
}

function nameOf({ by, idempotencyKey, operation }: Once): string {
  return by.nameOf([...operation, idempotencyKey]);
}

function contentOf({ by, content }: Once): string {
  return by.nameOf([JSON.stringify(content)]);
}
