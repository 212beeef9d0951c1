import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { checkRequest, DESCRIPTORS_MAX, ENTRIES_MAX, type LimitRequest } from '../../../src/core/descriptor.ts';
import { InvalidRequest } from '../../../src/core/errors.ts';
import { readRateLimitRequest } from '../../../src/surfaces/rls/request-reader.ts';
import { byHand, byTwin } from './reader-twin.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const MESSAGE_BYTES = 4 * 1024 * 1024; // the most that any door takes
const RETAINED_BYTES_MAX = 48 * 1024 * 1024;
const CPU_MILLIS_MAX = 5_000; // some 20 of what it takes on a slow machine; what is not linear takes hours

const repeated = (hex: string, length = MESSAGE_BYTES) =>
  Buffer.alloc(length, Buffer.from(hex.replaceAll(' ', ''), 'hex'));
/** Field 1, 2 … of the message around it. */
const within = (tag: number, inner: Buffer) => Buffer.concat([Buffer.from([tag]), varint(inner.length), inner]);

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function names(): Buffer {
  const all = Array.from({ length: MESSAGE_BYTES / 16 }, (_, at) =>
    Buffer.from(`0a06${at.toString(16).padStart(12, '0')}`, 'hex'),
  );
  return Buffer.concat(all);
}

const fullDescriptor = within(0x12, repeated('0a 08 0a 02 6162 12 02 6364', 10 * ENTRIES_MAX));

test.each([
  ['empty descriptors', repeated('12 00')],
  ['descriptors of an empty entry', repeated('12 02 0a 00')],
  ['empty entries in one descriptor', within(0x12, repeated('0a 00'))],
  [
    'as many entries as can be decided',
    repeated(fullDescriptor.toString('hex'), fullDescriptor.length * DESCRIPTORS_MAX),
  ],
  ['empty overrides in one descriptor', within(0x12, repeated('12 00'))],
  ['descriptors, each with an override of no unit', repeated('12 02 12 00')],
  ['descriptors, each with a cost that is none', repeated('12 0b 1a 09 08 8080808080808010')],
  ['groups within each other', repeated('7b')],
  ['groups side by side', repeated('7b 7c')],
  ['groups of groups', repeated(`${'7b'.repeat(99)}${'7c'.repeat(99)}`)],
  ['one varint', repeated('ff')],
  ['an unknown varint', Buffer.concat([Buffer.from([0x20]), repeated('ff')])],
  ['descriptors that claim 4 GiB', repeated('12 ffffffff0f')],
  ['one text', within(0x0a, repeated('61'))],
  ['one text that is not UTF-8', within(0x0a, repeated('ff'))],
  ['short texts that are not UTF-8', repeated('0a 01 ff')],
  ['values that are not UTF-8', repeated('12 05 0a 03 12 01 ff')],
  ['names that never come again', names()],
])('4 MiB of %s take little memory and one pass', (_, message) => {
  collectGarbage();
  const heapBytes = process.memoryUsage().heapUsed;
  const before = process.cpuUsage();
  let result: unknown;
  try {
    result = readRateLimitRequest(message, 0, message.length);
  } catch (error) {
    result = error;
  }
  const { user, system } = process.cpuUsage(before);
  collectGarbage();
  const retainedBytes = process.memoryUsage().heapUsed - heapBytes;
  expect(result).toBeDefined();
  expect(retainedBytes).toBeLessThan(RETAINED_BYTES_MAX);
  expect((user + system) / 1_000).toBeLessThan(CPU_MILLIS_MAX);
});

/** What the limiter says of a request. */
function refusal(outcome: unknown): unknown {
  try {
    return checkRequest(outcome as LimitRequest);
  } catch (error) {
    return error instanceof InvalidRequest ? error.message : error;
  }
}

describe('more than can be decided is counted, not kept', () => {
  const domain = Buffer.from('0a0164', 'hex');
  const entry = '0a 06 0a 01 6b 12 01 76';
  const descriptors = (count: number) => Buffer.concat([domain, repeated(`12 08 ${entry}`, 10 * count)]);
  const entries = (count: number) => Buffer.concat([domain, within(0x12, repeated(entry, 8 * count))]);

  test.each([
    ['descriptors', descriptors(DESCRIPTORS_MAX)],
    ['entries', entries(ENTRIES_MAX)],
  ])('as many %s as can be decided are all there', (_, message) => {
    expect(byHand(message)).toStrictEqual(byTwin(message));
    expect(refusal(byHand(message))).toBeUndefined();
  });

  test.each([
    [
      'descriptor',
      descriptors(DESCRIPTORS_MAX + 1),
      `descriptors: at most ${DESCRIPTORS_MAX}, got ${DESCRIPTORS_MAX + 1}`,
    ],
    ['entry', entries(ENTRIES_MAX + 1), `descriptors[0].entries: at most ${ENTRIES_MAX}, got ${ENTRIES_MAX + 1}`],
  ])('one %s more is refused in the same words as what protobuf-es reads', (_, message, words) => {
    expect(refusal(byHand(message))).toBe(words);
    expect(refusal(byTwin(message))).toBe(words);
  });

  test('a descriptor beyond is read all the same: what is wrong in it is told', () => {
    const message = Buffer.concat([descriptors(DESCRIPTORS_MAX), Buffer.from('12021200', 'hex')]);
    expect(byHand(message)).toStrictEqual(byTwin(message));
    expect(byHand(message)).toHaveProperty('invalid', `descriptors[${DESCRIPTORS_MAX}].limit.unit`);
  });
});
