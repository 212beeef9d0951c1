import { describe, expect, test } from '@jest/globals';
import { COST_MAX } from '../../../src/core/window.ts';
import { readRateLimitRequest } from '../../../src/surfaces/rls/request-reader.ts';
import { byHand, byTwin, type Outcome } from './reader-twin.ts';

const NO_DESCRIPTOR = { entries: [], hitsAddend: undefined, isNegativeHits: false, override: undefined };
const EMPTY = { domain: '', descriptors: [], hitsAddend: 0 };

const ofDescriptor = (descriptor: object) => ({ ...EMPTY, descriptors: [{ ...NO_DESCRIPTOR, ...descriptor }] });
const ofEntry = (key: string, value: string) => ofDescriptor({ entries: [{ key, value }] });
const ofHits = (hitsAddend: number) => ({ ...EMPTY, hitsAddend });
const ofCost = (hitsAddend: number) => ofDescriptor({ hitsAddend });
const ofOverride = (requestsPerUnit: number, unit: string) => ofDescriptor({ override: { requestsPerUnit, unit } });
const refusedUnit = (index: number, unit: number) => {
  const field = `descriptors[${index}].limit.unit`;
  return { invalid: field, message: `${field}: ${unit} is no unit` };
};
const refusedCost = (index: number) => {
  const field = `descriptors[${index}].hits_addend`;
  return { invalid: field, message: `${field} must be an integer from 0 to ${COST_MAX}` };
};

type Row = [guarantee: string, hex: string, outcome: unknown];

function expectOutcome(hex: string, outcome: unknown): void {
  const message = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  expect(byHand(message)).toStrictEqual(outcome);
  expect(byTwin(message)).toStrictEqual(outcome as Outcome);
}

describe('fields', () => {
  test.each<Row>([
    ['nothing is a message, with every field at its default', '', EMPTY],
    ['a domain', '0a 02 6869', { ...EMPTY, domain: 'hi' }],
    ['hits of the request', '18 05', ofHits(5)],
    ['a descriptor without anything', '12 00', ofDescriptor({})],
    [
      'descriptors in the order sent',
      '12 02 2001 12 00',
      {
        ...EMPTY,
        descriptors: [{ ...NO_DESCRIPTOR, isNegativeHits: true }, NO_DESCRIPTOR],
      },
    ],
    ['an entry', '12 08 0a 06 0a 01 6b 12 01 76', ofEntry('k', 'v')],
    ['an entry without anything', '12 02 0a 00', ofEntry('', '')],
    ['an entry whose value comes first', '12 08 0a 06 12 01 76 0a 01 6b', ofEntry('k', 'v')],
    ['an override', '12 06 12 04 08 0a 10 02', ofOverride(10, 'minute')],
    ['an override of the greatest number', '12 0a 12 08 08 ffffffff0f 10 04', ofOverride(4_294_967_295, 'day')],
    ['an override whose unit is a week', '12 04 12 02 10 07', ofOverride(0, 'week')],
    ['a cost of its own', '12 04 1a 02 08 07', ofCost(7)],
    ['a cost of zero, which is not an absent one', '12 02 1a 00', ofCost(0)],
    ['the greatest cost', '12 0b 1a 09 08 ffffffffffffff0f', ofCost(COST_MAX)],
    ['negative hits', '12 02 20 01', ofDescriptor({ isNegativeHits: true })],
  ])('%s', (_, hex, outcome) => expectOutcome(hex, outcome));
});

describe('repetitions', () => {
  test.each<Row>([
    ['the last text counts', '0a 01 61 0a 01 62', { ...EMPTY, domain: 'b' }],
    ['the last number counts', '18 05 18 06', ofHits(6)],
    ['the last value of an entry counts', '12 08 0a 06 12 01 61 12 01 62', ofEntry('', 'b')],
    ['an override in two parts is one', '12 08 12 02 08 0a 12 02 10 03', ofOverride(10, 'hour')],
    ['of a part sent twice the last counts', '12 0a 12 04 08 0a 10 09 12 02 10 01', ofOverride(10, 'second')],
    ['an empty part of a cost leaves it', '12 06 1a 02 08 07 1a 00', ofCost(7)],
    ['a cost that is replaced need not be one', '12 11 1a 0b 08 ffffffffffffffffff01 1a 02 08 07', ofCost(7)],
  ])('%s', (_, hex, outcome) => expectOutcome(hex, outcome));
});

describe('varints', () => {
  test.each<Row>([
    ['longer than needed', '18 8500', ofHits(5)],
    ['of ten bytes', '18 85808080808080808000', ofHits(5)],
    ['of eleven bytes are none', '18 8580808080808080808000', 'malformed'],
    ['of more than 32 bits keep the lower 32', '18 ffffffff7f', ofHits(4_294_967_295)],
    ['of 64 bits keep the lower 32, too', '18 85808080f0ffffffff01', ofHits(5)],
    ['a tag may be longer than needed', '9800 05', ofHits(5)],
    ['a tag may have five bytes', '9880808000 05', ofHits(5)],
    ['a tag of more than 32 bits is none', '9880808010 05', 'malformed'],
    ['a tag of six bytes is none', '988080808000 05', 'malformed'],
    ['a cost of more than 64 bits keeps the lower 64', '12 0d 1a 0b 08 87808080808080808002', ofCost(7)],
    ['a flag is any bit of 64', '12 0b 20 80808080808080808001', ofDescriptor({ isNegativeHits: true })],
    ['a bit beyond is none', '12 0b 20 80808080808080808002', ofDescriptor({})],
    ['a flag of two', '12 02 20 02', ofDescriptor({ isNegativeHits: true })],
  ])('%s', (_, hex, outcome) => expectOutcome(hex, outcome));
});

describe('what nobody knows is passed over', () => {
  test.each<Row>([
    ['a varint', '20 05 1801', ofHits(1)],
    ['a varint of eleven bytes: nobody reads it', '20 8080808080808080808000 1801', ofHits(1)],
    ['eight bytes', '21 0102030405060708 1801', ofHits(1)],
    ['four bytes', '25 01020304 1801', ofHits(1)],
    ['bytes', '22 02 0102 1801', ofHits(1)],
    ['a group', '23 0801 24 1801', ofHits(1)],
    ['a group within a group, of the same number', '23 23 24 24 1801', ofHits(1)],
    ['the greatest field number', 'f8ffffff0f 00 1801', ofHits(1)],
    ['in a descriptor', '12 04 28 05 20 01', ofDescriptor({ isNegativeHits: true })],
    ['in an entry', '12 07 0a 05 18 05 0a 01 6b', ofEntry('k', '')],
    ['in an override', '12 06 12 04 18 05 10 01', ofOverride(0, 'second')],
    ['in a cost', '12 06 1a 04 10 05 08 07', ofCost(7)],
  ])('%s', (_, hex, outcome) => expectOutcome(hex, outcome));

  test.each([
    ['the request', 99, '', EMPTY],
    ['a descriptor', 98, '12', ofDescriptor({})],
  ])('groups within each other in %s: %i, and no more', (_, depth, tag, outcome) => {
    const message = (groups: number) => {
      const length =
        tag === ''
          ? ''
          : `${(((2 * groups) % 128) | 128).toString(16)}${((2 * groups) >> 7).toString(16).padStart(2, '0')}`;
      return `${tag}${length}${'7b'.repeat(groups)}${'7c'.repeat(groups)}`;
    };
    expectOutcome(message(depth), outcome);
    expectOutcome(message(depth + 1), 'malformed');
  });
});

describe('what is no message is refused', () => {
  test.each<Row>([
    ['a text that ends too early', '0a 05 6869', 'malformed'],
    ['a tag without a value', '18', 'malformed'],
    ['a varint that ends too early', '18 80', 'malformed'],
    ['a length that ends too early', '0a', 'malformed'],
    ['a length of 4 GiB', '0a ffffffff0f 61', 'malformed'],
    ['a descriptor that ends too early', '12 05 20 01', 'malformed'],
    ['four bytes that are three', '25 010203', 'malformed'],
    ['eight bytes that are seven', '21 01020304050607', 'malformed'],
    ['field number 0', '00 00', 'malformed'],
    ['field number 0 in a descriptor', '12 02 02 00', 'malformed'],
    ['wire type 6', '26', 'malformed'],
    ['wire type 7', '27', 'malformed'],
    ['a group without its end', '23 0801', 'malformed'],
    ['a group with the end of another', '23 2c', 'malformed'],
    ['the end of a group that did not begin', '24', 'malformed'],
  ])('%s', (_, hex, outcome) => expectOutcome(hex, outcome));
});

describe('what core types cannot hold is refused with its place', () => {
  test.each<Row>([
    ['a cost of 2^53', '12 0b 1a 09 08 8080808080808010', refusedCost(0)],
    ['a cost of 2^64 - 1', '12 00 12 0d 1a 0b 08 ffffffffffffffffff01', refusedCost(1)],
    ['an override without a unit', '12 00 12 04 12 02 08 0a', refusedUnit(1, 0)],
    ['an unknown unit', '12 04 12 02 10 08', refusedUnit(0, 8)],
    ['a negative unit', '12 0d 12 0b 10 ffffffffffffffffff01', refusedUnit(0, -1)],
    ['of two the first', '12 02 12 00 12 0b 1a 09 08 8080808080808010', refusedUnit(0, 0)],
    ['of a cost and a unit in one descriptor the cost', '12 0d 12 00 1a 09 08 8080808080808010', refusedCost(0)],
    ['malformed later: that is the graver mistake', '12 02 12 00 18', 'malformed'],
  ])('%s', (_, hex, outcome) => expectOutcome(hex, outcome));
});

describe('what protobuf-es takes, though other implementations do not, is taken here as there', () => {
  test.each<Row>([
    ['a field that is known is read as what it is, whatever wire type it claims', '1d 05', ofHits(5)],
    ['so is a text', '08 02 6869', { ...EMPTY, domain: 'hi' }],
    ['numbers are not packed: the length is the number', '1a 02 1801', { ...ofHits(1) }],
    [
      'a field may end behind the message that it stands in',
      '12 01 20 01 18 05',
      {
        ...ofDescriptor({ isNegativeHits: true }),
        hitsAddend: 5,
      },
    ],
    ['a message may end behind the message that it stands in', '12 02 0a 03 0a 01 6b', ofEntry('k', '')],
  ])('%s', (_, hex, outcome) => expectOutcome(hex, outcome));
});

describe('text', () => {
  const long = 'x'.repeat(300);
  test.each([
    ['ASCII up to its last character', Buffer.from('a\u007f\u0000'), 'a\u007f\u0000'],
    ['UTF-8', Buffer.from('Grüße, 世界 😀'), 'Grüße, 世界 😀'],
    ['a mark at its beginning stays', Buffer.from('\ufeffa'), '\ufeffa'],
    ['bytes that are not UTF-8 stand as U+DC00 + byte', Buffer.from([0x61, 0xff, 0x80]), 'a\udcff\udc80'],
    ['nor are surrogates in UTF-8', Buffer.from([0xed, 0xa0, 0x80]), '\udced\udca0\udc80'],
    ['long ASCII', Buffer.from(long), long],
    ['long UTF-8', Buffer.from(`${long}ü`), `${long}ü`],
  ])('%s', (_, bytes, text) => {
    const head = (tag: number) => [
      tag,
      ...(bytes.length < 128 ? [bytes.length] : [(bytes.length % 128) | 128, bytes.length >> 7]),
    ];
    const domain = Buffer.concat([Buffer.from(head(0x0a)), bytes]).toString('hex');
    expectOutcome(domain, { ...EMPTY, domain: text });
  });

  test('a name that was read before is told from others of the same bytes but one, the same length, or the same text', () => {
    const names = ['api_key', 'api_kez', 'bpi_key', 'ipa_key', 'é', 'ab', 'ba', ''].map((name) => Buffer.from(name));
    names.push(Buffer.from([0xe9]), Buffer.from([0x61, 0xe9]), Buffer.from('aé', 'utf8'), Buffer.from([0x80]));
    for (const name of [...names, ...names.reverse(), ...names]) {
      const message = Buffer.concat([Buffer.from([0x0a, name.length]), name]);
      expect(byHand(message)).toStrictEqual(byTwin(message));
    }
  });

  test('a name is never taken for another one that was kept where it would be', () => {
    const mistaken: string[] = [];
    const expectName = (bytes: Buffer, name: string) => nameOf(bytes) === name || mistaken.push(name);
    // So many that hundreds of them share a place with the one before.
    for (let number = 0; number < 0x4000; number++) {
      const [high, low] = [0x80 + (number >> 7), String.fromCharCode(number & 0x7f)];
      const latin = String.fromCharCode(high) + low;
      expectName(Buffer.from(latin), latin);
      expectName(Buffer.from(latin, 'latin1'), String.fromCharCode(0xdc00 + high) + low);
      const ascii = String.fromCharCode(high & 0x7f);
      expectName(Buffer.from(ascii + low), ascii + low);
      expectName(Buffer.from(ascii), ascii);
    }
    expect(mistaken).toEqual([]);
  });

  function nameOf(bytes: Buffer): string {
    return readRateLimitRequest(Buffer.concat([Buffer.from([0x0a, bytes.length]), bytes]), 0, bytes.length + 2).domain;
  }
});
