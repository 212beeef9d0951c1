import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Entry } from '../../src/core/descriptor.ts';
import { type StandIn, subjectOf } from '../../src/core/subject.ts';

type Kind = StandIn['kind'] | 'plain';

interface Named {
  readonly domain: string;
  readonly entries: readonly (Entry & { readonly kind: Kind })[];
}

function subject({ domain, entries }: Named): string {
  const keyAt = entries.findIndex(({ kind }) => kind !== 'plain');
  const key = entries[keyAt];
  return subjectOf(
    domain,
    entries,
    { keyAt, path: undefined },
    key && key.kind !== 'plain' ? { kind: key.kind, text: key.value } : undefined,
  );
}

const KINDS: Readonly<Record<string, Kind>> = { v: 'plain', k: 'hash', r: 'record', a: 'address' };

/** Reads a subject back: whatever can be read back in one way only was written by one descriptor only. */
function parseSubject(text: string): Named {
  let at = 0;
  const part = (): string => {
    const colon = text.indexOf(':', at);
    const digits = text.slice(at, colon);
    if (!/^\d+$/.test(digits)) throw new Error(`no length at ${at} of ${text}`);
    const length = Number(digits);
    at = colon + 1 + length;
    return text.slice(colon + 1, at);
  };
  const domain = part();
  const entries: Named['entries'][number][] = [];
  while (at < text.length) {
    const key = part();
    const kind = KINDS[text.charAt(at)] as Kind;
    at += 1;
    entries.push({ key, value: part(), kind });
  }
  return { domain, entries };
}

const plain = (key: string, value: string) => ({ key, value, kind: 'plain' as const });
const keyed = (key: string, value: string, kind: StandIn['kind'] = 'hash') => ({ key, value, kind });

// Everything that could be taken for a border: separators, digits, the marks of kinds, braces of Redis hash tags.
const treacherous = fc
  .array(fc.constantFrom(':', '_', '.', '{', '}', 'k', 'v', '0', '1', '2', '#', ' ', '\0', '\n', 'é', '𝕏', '|'), {
    maxLength: 6,
  })
  .map((characters) => characters.join(''));
const text = fc.oneof(treacherous, fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }));
const named: fc.Arbitrary<Named> = fc.record({
  domain: text,
  entries: fc
    .tuple(
      fc.array(fc.record({ key: text, value: text }), { maxLength: 4 }),
      fc.nat({ max: 4 }),
      fc.constantFrom('hash', 'record', 'address'),
    )
    .map(([entries, keyAt, kind]) =>
      entries.map((entry, index) => ({ ...entry, kind: index === keyAt ? kind : ('plain' as const) })),
    ),
});

describe('different callers never share a counter', () => {
  test('every subject can be read back in one way only', () => {
    fc.assert(
      fc.property(named, (who) => expect(parseSubject(subject(who))).toEqual(who)),
      { numRuns: 1_000 },
    );
  });

  test.each<{ title: string; one: Named; other: Named }>([
    {
      title: 'a border that moved between key and value',
      one: { domain: 'd', entries: [plain('a', 'b_c')] },
      other: { domain: 'd', entries: [plain('a_b', 'c')] },
    },
    {
      title: 'a border that moved between domain and key',
      one: { domain: 'd_a', entries: [plain('b', '')] },
      other: { domain: 'd', entries: [plain('a_b', '')] },
    },
    {
      title: 'one entry that reads like two',
      one: { domain: 'd', entries: [plain('a', '1:b1:cv1:d')] },
      other: { domain: 'd', entries: [plain('a', '1:b'), plain('c', 'd')] },
    },
    {
      title: 'the order of entries',
      one: { domain: 'd', entries: [plain('a', '1'), plain('b', '2')] },
      other: { domain: 'd', entries: [plain('b', '2'), plain('a', '1')] },
    },
    {
      title: 'an empty value and no entry',
      one: { domain: 'd', entries: [plain('a', '')] },
      other: { domain: 'd', entries: [] },
    },
    {
      title: 'the same entries in two domains',
      one: { domain: 'd', entries: [plain('a', '1')] },
      other: { domain: 'e', entries: [plain('a', '1')] },
    },
    {
      title: 'an API key and a plain value that equals its hash',
      one: { domain: 'd', entries: [keyed('a', 'x')] },
      other: { domain: 'd', entries: [plain('a', 'x')] },
    },
    {
      title: 'a key without a record, and a record whose id equals its hash',
      one: { domain: 'd', entries: [keyed('a', 'x')] },
      other: { domain: 'd', entries: [keyed('a', 'x', 'record')] },
    },
    {
      title: 'a record, and the unknown keys of an address that equals its id',
      one: { domain: 'd', entries: [keyed('a', 'x', 'record')] },
      other: { domain: 'd', entries: [keyed('a', 'x', 'address')] },
    },
    {
      title: 'composed and decomposed characters',
      one: { domain: 'd', entries: [plain('a', '\u00e9')] },
      other: { domain: 'd', entries: [plain('a', 'e\u0301')] },
    },
    {
      title: 'a text and the same text with a NUL at its end',
      one: { domain: 'd', entries: [plain('a', 'x')] },
      other: { domain: 'd', entries: [plain('a', 'x\0')] },
    },
  ])('$title', ({ one, other }) => {
    expect(subject(one)).not.toBe(subject(other));
  });
});

test('a key is part of a subject by what stands for it alone', () => {
  const entries = [plain('api_key', 'csk_very_secret'), plain('path', '/v1')];
  expect(subjectOf('closient', entries, { keyAt: 0, path: undefined }, { kind: 'hash', text: 'H'.repeat(43) })).toBe(
    `8:closient7:api_keyk43:${'H'.repeat(43)}4:pathv3:/v1`,
  );
});
