/** What an API key looks like, and whether a text is one that was mistyped. Which record it belongs to is the registry's matter. */

export const KEY_TYPES = ['secret', 'publishable'] as const;
export type KeyType = (typeof KEY_TYPES)[number];

/** With what the keys of each type begin. */
export const KEY_PREFIXES: Readonly<Record<KeyType, string>> = { secret: 'csk_', publishable: 'cpk_' };

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const PREFIX_CHARACTERS = 4;
/** The first random characters are the record's id, no secret, and stay when the key is rotated. */
const ID_CHARACTERS = 12;
/** The secret: 119 bits. */
const SECRET_CHARACTERS = 20;
/** The fewest digits that hold 32 bits. */
const CHECKSUM_CHARACTERS = 6;
const UNCHECKED_CHARACTERS = PREFIX_CHARACTERS + ID_CHARACTERS + SECRET_CHARACTERS;
const KEY_CHARACTERS = UNCHECKED_CHARACTERS + CHECKSUM_CHARACTERS;

// A text's kind within the engine depends on how it was made: to it, `text.charCodeAt` is a look-up for each character.
const { charCodeAt } = String.prototype;

/** Every id of a record. */
export const KEY_ID = /^key_[0-9A-Za-z]{12}$/;

const ID_PREFIX = 'key_';

/** A text that has the form of a key and the right checksum; whether such a key was ever handed out is not known here. */
export interface WellFormedKey {
  readonly type: KeyType;
  /** `key_` and the id characters: equal in a key and all that it was rotated into. */
  readonly id: string;
}

/** How keys are recognised without being kept: by hashes that cannot be turned back, equal on all replicas. */
export interface KeyHasher {
  /** @returns 43 characters of base64url */
  hash(key: string): string;
  /** As `hash` gave it before the hash secret was changed; undefined when nothing was hashed otherwise. */
  previousHash(key: string): string | undefined;
}

/** What a presented key may be kept as: under the hash secret in use first, then under the one before it. */
export function hashesOf(key: string, hasher: KeyHasher): readonly [string, ...string[]] {
  const previous = hasher.previousHash(key);
  return previous === undefined ? [hasher.hash(key)] : [hasher.hash(key), previous];
}

/** Random bytes of the wanted number; from a source that cannot be foretold. */
export type RandomBytes = (count: number) => Uint8Array;

/** @returns undefined for everything that no registry can have handed out: a mistyped key costs no look-up */
export function parseKey(text: string): WellFormedKey | undefined {
  if (text.length !== KEY_CHARACTERS) return undefined;
  const type = typeOf(text);
  if (type === undefined || !isChecked(text)) return undefined;
  return { type, id: ID_PREFIX + text.slice(PREFIX_CHARACTERS, PREFIX_CHARACTERS + ID_CHARACTERS) };
}

function typeOf(text: string): KeyType | undefined {
  for (const type of KEY_TYPES) if (text.startsWith(KEY_PREFIXES[type])) return type;
  return undefined;
}

/** Whether there are digits alone behind the prefix, the last ones those of the checksum. Looks at each character once. */
function isChecked(text: string): boolean {
  let crc = crcOf(text, PREFIX_CHARACTERS);
  let told = 0;
  for (let at = PREFIX_CHARACTERS; at < KEY_CHARACTERS; at++) {
    const code = charCodeAt.call(text, at);
    const digit = code < DIGITS.length ? (DIGITS[code] as number) : NO_DIGIT;
    if (digit === NO_DIGIT) return false;
    if (at < UNCHECKED_CHARACTERS) crc = crcWith(crc, code);
    else told = told * BASE62.length + digit;
  }
  return told === crcEnd(crc);
}

export interface NewKey {
  readonly id: string;
  /** The key itself, to be shown once. */
  readonly key: string;
}

export function newKey(type: KeyType, random: RandomBytes): NewKey {
  const id = ID_PREFIX + randomBase62(ID_CHARACTERS, random);
  return { id, key: rotatedKey(type, id, random) };
}

/** With what the key of a record begins: all of it that is no secret. */
export function keyBeginning(type: KeyType, id: string): string {
  return KEY_PREFIXES[type] + id.slice(ID_PREFIX.length);
}

/** A new key with the id of an older one, and so with its record and its counters. */
export function rotatedKey(type: KeyType, id: string, random: RandomBytes): string {
  const unchecked = keyBeginning(type, id) + randomBase62(SECRET_CHARACTERS, random);
  return unchecked + checksum(unchecked, UNCHECKED_CHARACTERS);
}

/** The text with everything in it that may be a key, or the greater part of one, left out: for what is told to callers. */
export function withoutKeys(text: string): string {
  return text.replace(KEY_LIKE, '$1…');
}

// What is no longer than prefix and id identifies a key but cannot be used as one.
const KEY_LIKE = /(c[sp]k_)[0-9A-Za-z]{13,}/g;

// Bytes from here on are thrown away: taken modulo 62 they would make the first characters likelier than the others.
const FAIR_BYTES = 4 * 62;

function randomBase62(count: number, random: RandomBytes): string {
  let text = '';
  while (text.length < count) {
    for (const byte of random(count - text.length)) if (byte < FAIR_BYTES) text += BASE62.charAt(byte % 62);
  }
  return text;
}

/** Of the first characters, in base62, six digits. */
function checksum(text: string, characters: number): string {
  let rest = crcEnd(crcOf(text, characters));
  let digits = '';
  for (let digit = 0; digit < CHECKSUM_CHARACTERS; digit++) {
    digits = BASE62.charAt(rest % 62) + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}

/** CRC-32 (ISO 3309) of the first characters, not ended. */
function crcOf(text: string, characters: number): number {
  let crc = -1;
  for (let at = 0; at < characters; at++) crc = crcWith(crc, charCodeAt.call(text, at));
  return crc;
}

function crcWith(crc: number, code: number): number {
  return (crc >>> 8) ^ (CRC_TABLE[(crc ^ code) & 0xff] as number);
}

function crcEnd(crc: number): number {
  return (crc ^ -1) >>> 0;
}

const NO_DIGIT = 255;
/** What each ASCII character is worth in base62. */
const DIGITS = Uint8Array.from({ length: 128 }, (_, code) => {
  const digit = BASE62.indexOf(String.fromCharCode(code));
  return digit < 0 ? NO_DIGIT : digit;
});

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});
