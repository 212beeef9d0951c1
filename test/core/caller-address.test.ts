import { expect, test } from '@jest/globals';
import { countedAddress } from '../../src/core/caller-address.ts';

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:c000:0201', '192.0.2.1'],
  ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:0DB8:0:0:ffff::1', '2001:db8:0:0::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ['localhost', undefined],
  ['192.0.2.256', undefined],
  ['192.0.2.01', undefined],
  ['192.0.2', undefined],
  ['192.0.2.1.', undefined],
  ['192.0.2.0/24', undefined],
  ['192.0.2.1/32', '192.0.2.1'],
  ['192.0.2.1/320', undefined],
  ['2001:db8:1:2::3/128', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::/64', '2001:db8:1:2::/64'],
  ['2001:db8::/32', undefined],
  ['2001:db8::1/', undefined],
  [`${'%'.repeat(8_000)}\n`, undefined],
  ['192.0.2.1:80', undefined],
  ['[::1]', undefined],
  ['1::2::3', undefined],
  ['::1]/x', undefined],
  ['2001:db8:1:2:3:4:5:6:7', undefined],
  ['', undefined],
])('the address %s is counted as %s', (text, counted) => {
  expect(countedAddress(text)).toBe(counted);
});
