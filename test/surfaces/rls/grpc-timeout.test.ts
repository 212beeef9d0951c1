/** How long a caller waits is read as the gRPC protocol writes it, and nothing else is. */
import { expect, test } from '@jest/globals';
import { millisOfTimeout } from '../../../src/surfaces/rls/grpc-timeout.ts';

test.each([
  ['1H', 3_600_000],
  ['2M', 120_000],
  ['3S', 3_000],
  ['4m', 4],
  ['5000u', 5],
  ['6000000n', 6],
  ['1n', 0.000_001],
  ['0m', 0],
  ['00000010m', 10],
  ['99999999H', 99_999_999 * 3_600_000],
])('%s is %d ms', (text, millis) => {
  expect(millisOfTimeout(text)).toBeCloseTo(millis, 9);
});

test.each([
  '',
  'm',
  '1',
  '10',
  '1s',
  '1h',
  '1 m',
  ' 1m',
  '1m ',
  '-1m',
  '+1m',
  '1.5S',
  '0x1m',
  '999999999m',
  '1mm',
  'mm',
  '1ü',
  '/m',
  ':m',
])('%j is no time', (text) => {
  expect(millisOfTimeout(text)).toBeNaN();
});
