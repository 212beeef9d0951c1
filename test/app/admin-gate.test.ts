/** What wrong tokens may cost others. */
import { expect, test } from '@jest/globals';
import { AdminGate, type Admission } from '../../src/app/admin-gate.ts';
import type { Decided } from '../../src/app/limiter.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { Undecidable } from '../../src/core/errors.ts';
import type { Admin } from '../../src/ports/admin-tokens.ts';

const WRONG = { token: 'wrong', address: '192.0.2.1', charged: true, trace: undefined };
const RIGHT = { ...WRONG, token: 'right' };
const ELSEWHERE = '192.0.2.2';
const WAITING_MAX = 20;
const tokens = { adminOf: (token: string) => (token === 'right' ? ({ fingerprint: 'f' } as Admin) : undefined) };

/** Counters that let an address guess 20 times, and answer when they are told to. */
class SlowCounters {
  readonly #used = new Map<string, number>();
  readonly #waiting: (() => void)[] = [];
  asked = 0;

  decide(request: { descriptors: readonly Descriptor[] }): Promise<Decided> {
    this.asked += 1;
    const [{ entries, hitsAddend = 0 }] = request.descriptors as [Descriptor];
    const [{ key, value }] = entries as [{ key: string; value: string }];
    return new Promise((resolve) => {
      this.#waiting.push(() => {
        const used = this.#used.get(value) ?? 0;
        const allowed = key === 'admin_token' || used + Math.max(1, hitsAddend) <= 20;
        if (allowed) this.#used.set(value, used + hitsAddend);
        resolve({ decision: { allowed }, answer: {} } as Decided);
      });
    });
  }

  /** Until nobody waits any more. */
  async answerAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      this.#waiting.shift()?.();
      await new Promise(setImmediate);
    }
  }
}

async function outcomeOf(admission: Promise<Admission>): Promise<string> {
  try {
    return (await admission).kind;
  } catch (error) {
    const { code, message } = error as Undecidable;
    return `${code}: ${message}`;
  }
}

test('while 20 wrong tokens of an address wait, every token from there is answered alike, and none is looked at', async () => {
  const counters = new SlowCounters();
  const judged: string[] = [];
  const gate = new AdminGate({
    limiter: counters,
    tokens: {
      adminOf(token) {
        judged.push(token);
        return tokens.adminOf(token);
      },
    },
  });
  const waiting = Array.from({ length: WAITING_MAX }, () => outcomeOf(gate.admit(WRONG)));
  const asked = counters.asked;
  const more = await Promise.all([WRONG, RIGHT, WRONG].map((presented) => outcomeOf(gate.admit(presented))));
  expect(more).toEqual(Array(3).fill('STORE_BUSY: too many calls from this address wait for the counter store'));
  expect({ asked: counters.asked, judged: judged.length }).toEqual({ asked, judged: WAITING_MAX });
  const elsewhere = [WRONG, RIGHT].map((presented) => outcomeOf(gate.admit({ ...presented, address: ELSEWHERE })));
  await counters.answerAll();
  expect(await Promise.all(elsewhere)).toEqual(['wrong', 'admitted']);
  expect(await Promise.all(waiting)).toEqual(Array(WAITING_MAX).fill('wrong'));
  const afterwards = [WRONG, RIGHT].map((presented) => outcomeOf(gate.admit(presented)));
  await counters.answerAll();
  expect(await Promise.all(afterwards)).toEqual(['limited', 'limited']);
});

test.each([0, 19, 20, 21, 300, 499])(
  'of 500 tokens at once from one address at most 20 are judged, the right one at place %i or not',
  async (place) => {
    const counters = new SlowCounters();
    const gate = new AdminGate({ limiter: counters, tokens });
    const guesses = Array.from({ length: 500 }, (_, index) => outcomeOf(gate.admit(index === place ? RIGHT : WRONG)));
    const elsewhere = outcomeOf(gate.admit({ ...RIGHT, address: ELSEWHERE }));
    await counters.answerAll();
    const outcomes = await Promise.all(guesses);
    const judgedCount = outcomes.filter((outcome) => outcome === 'wrong' || outcome === 'admitted').length;
    expect(judgedCount).toBeLessThanOrEqual(place < WAITING_MAX ? WAITING_MAX + 1 : WAITING_MAX);
    expect(outcomes[place]).toBe(place < WAITING_MAX ? 'admitted' : outcomes[place === 499 ? 498 : place + 1]);
    expect(await elsewhere).toBe('admitted');
  },
);

test('a wrong token whose charge fails is waited for no longer', async () => {
  const failure = new Undecidable('STORE_TIMEOUT', 'late');
  const gate = new AdminGate({ tokens, limiter: { decide: () => Promise.reject(failure) } });
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
