/** What wrong tokens may cost others. */
import { expect, test } from '@jest/globals';
import { AdminGate } from '../../src/app/admin-gate.ts';
import type { Decided } from '../../src/app/limiter.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { Undecidable } from '../../src/core/errors.ts';
import type { Admin } from '../../src/ports/admin-tokens.ts';

const WRONG = { token: 'wrong', address: '192.0.2.1', charged: true, trace: undefined };
const WAITING_MAX = 32;

test('of wrong tokens only 32 wait for the counter store at once; more are turned away without asking it', async () => {
  let asked = 0;
  const { promise: never } = Promise.withResolvers<never>();
  const gate = new AdminGate({
    tokens: { adminOf: () => undefined },
    limiter: {
      decide: () => {
        asked += 1;
        return never;
      },
    },
  });
  for (let call = 0; call < WAITING_MAX; call++) void gate.admit(WRONG);
  await expect(gate.admit(WRONG)).rejects.toThrow(Undecidable);
  expect(asked).toBe(WAITING_MAX);
});

test('a wrong token whose charge fails is waited for no longer', async () => {
  const failure = new Undecidable('STORE_TIMEOUT', 'late');
  const gate = new AdminGate({
    tokens: { adminOf: () => undefined },
    limiter: { decide: () => Promise.reject(failure) },
  });
  for (let call = 0; call < 2 * WAITING_MAX; call++) await expect(gate.admit(WRONG)).rejects.toBe(failure);
});

test.each([
  ['a wrong token', false, true, ['admin_address 1']],
  ['a right token', true, true, ['admin_address 0', 'admin_token 1']],
  ['a right token on the way out of its limit', true, false, ['admin_address 0']],
])('%s is counted at the door of the admin API', async (_what, right, charged, expected) => {
  const asked: string[] = [];
  const gate = new AdminGate({
    tokens: { adminOf: () => (right ? ({ fingerprint: 'f' } as Admin) : undefined) },
    limiter: {
      decide: ({ domain, descriptors }, { door }) => {
        const [{ entries, hitsAddend }] = descriptors as [Descriptor];
        asked.push(`${entries[0]?.key} ${hitsAddend}`);
        expect({ domain, door }).toEqual({ domain: 'headroom_admin', door: 'admin' });
        return Promise.resolve({ decision: { allowed: true }, answer: {} } as Decided);
      },
    },
  });
  await gate.admit({ ...WRONG, charged });
  expect(asked).toEqual(expected);
});
