/** What is made to be slow to read costs the admin API no more time than its length. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { withoutKeys } from '../../src/core/api-key.ts';
import { IF_MATCH, isKnown, versionsOf } from '../../src/surfaces/keys/conditional.ts';
import * as schema from '../../src/surfaces/keys/schema.ts';
import { AdminApiUnderTest, TOKEN } from '../support/admin-api.ts';
import { GENEROUS, SHOP } from '../support/admin-policies.ts';

// Of the longest text a linear look takes well under a millisecond; quadratic ones take 50 and more.
const MILLIS_MAX = 20;
/** Node's bound of a request's head, nearly, and that of a body. */
const HEADER_CHARACTERS = 15_000;
const BODY_CHARACTERS = 60_000;
const FEW = 25;

const UNITS = [
  ', ',
  ' ',
  '\t',
  ',',
  ',\t ',
  '"',
  '"" ',
  '"",',
  '"1" , ',
  'W/',
  'W/"',
  'W/"",',
  '*',
  '0',
  '1:',
  ':',
  '%',
  '.',
  '9',
  'csk_',
  'csk_000',
  'é',
];

/** The unit alone, after what is right, and before what is wrong. */
function hostile(characters: number, right: string): readonly string[] {
  const starts = ['', right, right.slice(0, -1)];
  return UNITS.flatMap((unit) => {
    // Few first: what takes exponential time fails with them, where many would never end.
    return [FEW, characters / unit.length].flatMap((count) => {
      const many = unit.repeat(count);
      return starts.flatMap((start) => [start + many, `${start + many}x`, `${start + many}\u0000`, many + start]);
    });
  });
}

/** @returns the slowest, in milliseconds of this process's CPU; each is tried again where something else was in the way */
function slowest(texts: readonly string[], look: (text: string) => unknown): [millis: number, text: string] {
  let worst: [number, string] = [0, ''];
  for (const text of texts) {
    let millis = cpuMillis(() => look(text));
    for (let again = 0; again < 3 && millis > MILLIS_MAX; again++)
      millis = Math.min(
        millis,
        cpuMillis(() => look(text)),
      );
    if (millis > worst[0]) worst = [millis, text.slice(0, 60)];
    if (millis > MILLIS_MAX) break;
  }
  return worst;
}

function cpuMillis(act: () => unknown): number {
  const from = process.threadCpuUsage();
  act();
  const { user, system } = process.threadCpuUsage(from);
  return (user + system) / 1_000;
}

const NEW = { name: 'n' };
test.each<[what: string, characters: number, right: string, look: (text: string) => unknown]>([
  ['If-Match', HEADER_CHARACTERS, '"1"', (text) => IF_MATCH.test(text) && versionsOf(text)],
  ['what was no If-Match, looked at all the same', HEADER_CHARACTERS, '"1"', versionsOf],
  ['If-None-Match', HEADER_CHARACTERS, '"1"', (text) => isKnown(text, '"1"')],
  ['Idempotency-Key', HEADER_CHARACTERS, 'k', (text) => schema.createHeaders.safeParse({ 'idempotency-key': text })],
  ['a name', BODY_CHARACTERS, 'n', (name) => schema.createSchema.safeParse({ name })],
  [
    'a time',
    BODY_CHARACTERS,
    '2030-01-01T00:00:00.0Z',
    (text) => schema.createSchema.safeParse({ ...NEW, expires_at: text }),
  ],
  [
    'a name of metadata',
    BODY_CHARACTERS,
    'n',
    (text) => schema.createSchema.safeParse({ ...NEW, metadata: { [text]: '' } }),
  ],
  ['a value of metadata', BODY_CHARACTERS, 'n', (a) => schema.createSchema.safeParse({ ...NEW, metadata: { a } })],
  ['an address of IPv4', BODY_CHARACTERS, '192.0.2.1', (address) => schema.limitsResetSchema.safeParse({ address })],
  ['an address of IPv6', BODY_CHARACTERS, '2001:db8::1', (address) => schema.limitsResetSchema.safeParse({ address })],
  ['a key that is looked up', BODY_CHARACTERS, 'csk_', (key) => schema.lookupSchema.safeParse({ key })],
  ['a page', HEADER_CHARACTERS, '1', (page) => schema.listSchema.safeParse({ page })],
  ['a prefix of names', HEADER_CHARACTERS, 'n', (name) => schema.listSchema.safeParse({ name })],
  ['what an error repeats', BODY_CHARACTERS, 'csk_', withoutKeys],
])('%s is read in a time that grows with its length alone, however it is made', (_what, characters, right, look) => {
  look(right);
  const [millis, text] = slowest(hostile(characters, right), look);
  expect({ text, isFast: millis <= MILLIS_MAX }).toEqual({ text, isFast: true });
});

let api: AdminApiUnderTest;

beforeAll(async () => {
  api = await AdminApiUnderTest.start([SHOP, GENEROUS]);
});

afterAll(() => api.stop());

test.each<[what: string, header: string, start: string, units: readonly string[]]>([
  ['a condition', 'if-match', '"1"', [', ', ',\t ', '"', 'W/', '\t', '"" , ']],
  ['a token', 'authorization', 'Bearer ', [' ', 'a ', ' a', 'Bearer ', TOKEN]],
])('the service answers at once whoever sends 15 KB of %s', async (_what, header, start, units) => {
  const { id } = await api.create();
  for (const [unit, count] of units.flatMap((each) => [
    [each, FEW] as const,
    [each, HEADER_CHARACTERS / each.length] as const,
  ])) {
    const value = `${start + unit.repeat(count)}x`;
    const startedAt = process.cpuUsage();
    const { status } = await api.call('PATCH', `/v1/keys/${id}`, {
      token: header === 'authorization' ? null : TOKEN,
      headers: { [header]: value },
      body: { name: 'new' },
    });
    const { user, system } = process.cpuUsage(startedAt);
    expect({ unit, status }).toEqual({ unit, status: header === 'authorization' ? 401 : 400 });
    // The whole call, of client and service; the old pattern took minutes.
    expect((user + system) / 1_000).toBeLessThan(500);
  }
});
