/** Pausing before the limit is reached: no 429, and as little waiting as that allows. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createGovernedFetch, type GovernedEvent, type GovernedFetchOptions } from '../../src/client/governed-fetch.ts';
import { Governor } from '../../src/client/governor.ts';
import { ManualClock, settled } from '../support/clock.ts';
import { SimulatedApi, type SimulatedOptions } from './simulated-api.ts';

const URL_TEXT = 'https://api.example/things';
const FIFTY_PER_5_S = { windows: [{ limit: 50, seconds: 5 }] };
/** Long enough for any number of windows that a test needs; nothing is due afterwards. */
const LONG_MILLIS = 10_000_000;

let clock: ManualClock;

beforeEach(() => {
  clock = new ManualClock();
});

function governed(options: SimulatedOptions, more: GovernedFetchOptions = {}) {
  const api = new SimulatedApi(clock, options);
  return { api, fetch: createGovernedFetch({ clock, random: () => 0.5, fetch: api.fetch, ...more }) };
}

/** So many callers at once, each making its calls one after the other. @returns when all are through, in seconds */
async function callers(count: number, calls: number, call: () => Promise<unknown>): Promise<number> {
  const startMillis = clock.nowMillis();
  let endMillis = startMillis;
  let left = calls;
  const caller = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await call();
      endMillis = clock.nowMillis();
    }
  };
  const all = Promise.all(Array.from({ length: count }, caller));
  await clock.pass(LONG_MILLIS);
  await all;
  return (endMillis - startMillis) / 1_000;
}

describe('callers at once', () => {
  test('20 of them make 500 calls at 50 per 5 s without a 429, at 80 % of the rate at least', async () => {
    const { api, fetch } = governed(FIFTY_PER_5_S);
    const seconds = await callers(20, 500, () => fetch(URL_TEXT));
    expect(api.statuses).toEqual({ 200: 500 });
    expect(seconds).toBeLessThanOrEqual(62.5);
  });

  test('no 429, whatever the limits, the delays and their number', async () => {
    const window = fc.record({ limit: fc.integer({ min: 1, max: 60 }), seconds: fc.integer({ min: 1, max: 20 }) });
    const windows = fc.oneof(
      window.map((one) => [one]),
      fc.tuple(window, fc.integer({ min: 2, max: 6 })).map(([{ limit, seconds }, times]) => [
        { limit, seconds },
        { limit: limit * 2, seconds: seconds * times },
      ]),
    );
    const travel = fc.array(fc.tuple(fc.nat({ max: 1_200 }), fc.nat({ max: 1_200 })), { minLength: 1, maxLength: 30 });
    const count = fc.integer({ min: 1, max: 40 });
    const startMillis = fc.nat({ max: 60_000 });
    await fc.assert(
      fc.asyncProperty(windows, travel, count, startMillis, async (limits, delays, callersCount, start) => {
        clock = new ManualClock(1_800_000_000_000 + start);
        const { api, fetch } = governed({ windows: limits, travel: (request) => delays[request % delays.length]! });
        const all = Promise.all(Array.from({ length: callersCount }, () => fetch(URL_TEXT)));
        await clock.pass(LONG_MILLIS);
        await all;
        expect(api.statuses).toEqual({ 200: callersCount });
      }),
      { numRuns: 300 },
    );
  });

  test('while nothing is known one call asks, and the others wait for its answer', async () => {
    const { api, fetch } = governed(FIFTY_PER_5_S);
    const all = Promise.all(Array.from({ length: 10 }, () => fetch(URL_TEXT)));
    await clock.pass(9);
    expect(api.decidedAt).toHaveLength(1);
    await clock.pass(6);
    expect(api.decidedAt).toHaveLength(10);
    await clock.pass(100);
    await all;
  });

  test('an answer that takes its time does not hold up the others for more than 5 s', async () => {
    const never = new Promise<Response>(() => undefined);
    const sent: number[] = [];
    const fetch = createGovernedFetch({
      clock,
      fetch: () => {
        sent.push(clock.nowMillis());
        return sent.length === 1 ? never : Promise.resolve(new Response());
      },
    });
    const startMillis = clock.nowMillis();
    for (let call = 0; call < 3; call += 1) void fetch(URL_TEXT);
    await clock.pass(10_000);
    expect(sent.map((at) => at - startMillis)).toEqual([0, 5_000, 5_000]);
  });

  test('an API that tells no limit is not slowed down', async () => {
    let sent = 0;
    const fetch = createGovernedFetch({
      clock,
      fetch: async () => {
        sent += 1;
        return new Response();
      },
    });
    await Promise.all(Array.from({ length: 500 }, () => fetch(URL_TEXT)));
    expect(sent).toBe(500);
    expect(clock.timers).toBe(0);
  });

  test('those who wait go on in the order in which they came', async () => {
    const { fetch } = governed({ windows: [{ limit: 5, seconds: 5 }] });
    const order: number[] = [];
    const all = Promise.all(Array.from({ length: 30 }, (_, index) => fetch(URL_TEXT).then(() => order.push(index))));
    await clock.pass(LONG_MILLIS);
    await all;
    expect(order).toEqual(Array.from({ length: 30 }, (_, index) => index));
  });

  test('a call that fails gives its place to the next', async () => {
    let sent = 0;
    const fetch = createGovernedFetch({
      clock,
      maxAttempts: 1,
      fetch: async () => {
        sent += 1;
        throw new TypeError('fetch failed');
      },
    });
    const all = await Promise.allSettled(Array.from({ length: 5 }, () => fetch(URL_TEXT)));
    expect(all.map(({ status }) => status)).toEqual(Array(5).fill('rejected'));
    expect(sent).toBe(5);
  });
});

describe('the pause', () => {
  // As the documented sample: below 5 %, and until the reset and a second more.
  test.each<[limit: number, remaining: number, pauses: boolean]>([
    [300, 15, false],
    [300, 14, true],
    [10_000, 500, false],
    [10_000, 499, true],
    [10_000, 299, true],
    [20, 1, false],
    [20, 0, true],
    [1, 0, true],
  ])('of %s with %s left: %s', async (limit, remaining, pauses) => {
    const sent: number[] = [];
    const startMillis = clock.nowMillis();
    const headers = {
      'RateLimit-Limit': String(limit),
      'RateLimit-Remaining': String(remaining),
      'RateLimit-Reset': '7200',
    };
    const fetch = createGovernedFetch({
      clock,
      fetch: async () => {
        sent.push(clock.nowMillis() - startMillis);
        return new Response(null, { headers });
      },
    });
    await fetch(URL_TEXT);
    const second = fetch(URL_TEXT);
    await clock.pass(7_201_000);
    await second;
    expect(sent).toEqual([0, pauses ? 7_201_000 : 0]);
  });

  test('answers that come in another order than they were given do not raise what remains', async () => {
    const answers: ((remaining: number) => void)[] = [];
    const fetch = createGovernedFetch({
      clock,
      fetch: () =>
        new Promise((resolve) => {
          answers.push((remaining) => {
            const headers = { 'RateLimit-Limit': '20', 'RateLimit-Remaining': `${remaining}`, 'RateLimit-Reset': '9' };
            resolve(new Response(null, { headers }));
          });
        }),
    });
    for (let call = 0; call < 4; call += 1) void fetch(URL_TEXT);
    await settled();
    answers[0]?.(4);
    await settled();
    expect(answers).toHaveLength(4);
    answers[3]?.(1);
    answers[1]?.(3);
    answers[2]?.(2);
    void fetch(URL_TEXT);
    void fetch(URL_TEXT);
    await settled();
    expect(answers).toHaveLength(5);
  });

  test('the limits of two keys have nothing to do with each other', async () => {
    const exhausted = { 'RateLimit-Limit': '20', 'RateLimit-Remaining': '0', 'RateLimit-Reset': '60' };
    const sent: string[] = [];
    const fetch = createGovernedFetch({
      clock,
      fetch: async (_input, init) => {
        sent.push(new Headers(init?.headers).get('x-api-key') ?? '');
        return new Response(null, { headers: exhausted });
      },
    });
    for (const key of ['a', 'a', 'b']) void fetch(URL_TEXT, { headers: { 'x-api-key': key } });
    await settled();
    expect(sent).toEqual(['a', 'b']);
  });

  test('without a governor there is none', async () => {
    const { api, fetch } = governed(FIFTY_PER_5_S, { governor: false, random: () => 0.1 });
    await callers(20, 200, () => fetch(URL_TEXT));
    expect(api.statuses[200]).toBe(200);
    expect(api.statuses[429]).toBeGreaterThan(0);
  });
});

describe('an API that tells nothing but Retry-After', () => {
  const TWENTY_PER_S = { windows: [{ limit: 20, seconds: 1 }], tellsOnlyRetryAfter: true };

  // 180 refusals are those of the first second, in which nobody knows of a limit. If all that wait went at once again
  // after each hold, there would be 700, and 100 calls would fail for good.
  test.each<[travelMillis: number, refusedMax: number, secondsMax: number]>([
    [5, 240, 12],
    [50, 240, 14],
    [200, 200, 24],
  ])(
    'of 200 calls at once, under way for 2 × %s ms, none fails, and few are refused again',
    async (millis, max, seconds) => {
      const { api, fetch } = governed({ ...TWENTY_PER_S, travel: () => [millis, millis] });
      expect(await callers(200, 200, () => fetch(URL_TEXT))).toBeLessThan(seconds);
      expect(api.statuses[200]).toBe(200);
      expect(api.statuses[429]).toBeLessThan(max);
    },
  );

  /** Answers when it is told to. */
  function answeredByHand() {
    const answers: ((response: Response) => void)[] = [];
    const fetch = createGovernedFetch({
      clock,
      maxAttempts: 1,
      fetch: () => new Promise((resolve) => answers.push(resolve)),
    });
    return { answers, fetch };
  }

  /** The first call is refused for a second, and those that are made meanwhile wait. */
  async function afterARefusal(waiting: number) {
    const { answers, fetch } = answeredByHand();
    void fetch(URL_TEXT);
    await settled();
    answers[0]?.(new Response(null, { status: 429, headers: { 'Retry-After': '1' } }));
    await settled();
    for (let call = 0; call < waiting; call += 1) void fetch(URL_TEXT);
    await clock.pass(1_000);
    return { answers, fetch };
  }

  test('one call goes first, and each round of answers lets one more be under way', async () => {
    const { answers } = await afterARefusal(20);
    const sent = [answers.length];
    for (let answered = 1; answered < 7; answered += 1) {
      answers[answered]?.(new Response());
      await settled();
      sent.push(answers.length);
    }
    // Beside the refused one: one, two, and from the fourth answer on three under way.
    expect(sent.map((count, answered) => count - 1 - answered)).toEqual([1, 2, 2, 2, 3, 3, 3]);
  });

  test('an answer that tells a limit lets go as many as that allows', async () => {
    const { answers } = await afterARefusal(20);
    const headers = { 'RateLimit-Limit': '100', 'RateLimit-Remaining': '90', 'RateLimit-Reset': '60' };
    answers[1]?.(new Response(null, { headers }));
    await settled();
    expect(answers).toHaveLength(21);
  });

  test('a late answer to a call of before the refusal lets nobody go', async () => {
    const { answers, fetch } = answeredByHand();
    void fetch(URL_TEXT);
    await settled();
    answers[0]?.(new Response());
    for (let call = 0; call < 3; call += 1) void fetch(URL_TEXT);
    await settled();
    answers[1]?.(new Response(null, { status: 429, headers: { 'Retry-After': '1' } }));
    await settled();
    for (let call = 0; call < 5; call += 1) void fetch(URL_TEXT);
    await clock.pass(1_000);
    expect(answers).toHaveLength(5);
    answers[2]?.(new Response());
    answers[3]?.(new Response());
    await settled();
    expect(answers).toHaveLength(5);
  });

  test('an answer that takes its time, or none, does not hold up the others', async () => {
    const { answers } = await afterARefusal(3);
    await clock.pass(4_999);
    expect(answers).toHaveLength(2);
    await clock.pass(1);
    expect(answers).toHaveLength(3);
  });

  test('a call that fails gives its place to the next', async () => {
    let sent = 0;
    const fetch = createGovernedFetch({
      clock,
      maxAttempts: 1,
      fetch: async () => {
        sent += 1;
        if (sent > 1) throw new TypeError('fetch failed');
        return new Response(null, { status: 429 });
      },
    });
    await fetch(URL_TEXT);
    await Promise.allSettled(Array.from({ length: 5 }, () => fetch(URL_TEXT)));
    expect(sent).toBe(6);
    expect(clock.timers).toBe(0);
  });
});

describe('a wall clock that is set anew', () => {
  const HOUR_MILLIS = 3_600_000;

  test.each([-HOUR_MILLIS, HOUR_MILLIS])('by %s ms, and back, changes nothing', async (stepMillis) => {
    const { api, fetch } = governed(FIFTY_PER_5_S);
    const calls = Promise.all(Array.from({ length: 200 }, () => fetch(URL_TEXT)));
    // The pauses are from 0.02 to 6 s, to 12 s, and so on.
    for (const step of [stepMillis, -stepMillis, -stepMillis, stepMillis]) {
      await clock.pass(3_000);
      clock.stepWall(step);
    }
    await clock.pass(15_000);
    await calls;
    expect(api.statuses).toEqual({ 200: 200 });
  });
});

describe('events', () => {
  test('tell a pause and its end, and keep the key to themselves', async () => {
    const events: GovernedEvent[] = [];
    const { fetch } = governed({ windows: [{ limit: 1, seconds: 5 }] }, { onEvent: (event) => events.push(event) });
    const init = { headers: { 'x-api-key': 'csk_events' } };
    const both = Promise.all([fetch(URL_TEXT, init), fetch(URL_TEXT, init)]);
    await clock.pass(20_000);
    await both;
    // Told 5 s from the answer, 10 ms after the start, and a second more; the second call has waited for that answer.
    expect(events).toEqual([
      { type: 'pause', millis: 6_000 },
      { type: 'resume', millis: 6_010 },
    ]);
  });
});

describe('what is remembered', () => {
  test('1,000 keys at most: the one not used for longest is forgotten', () => {
    const governor = new Governor(clock);
    const lanes = Array.from({ length: 1_000 }, (_, index) => governor.laneOf(`key ${index}`));
    expect(governor.laneOf('key 0')).toBe(lanes[0]);
    governor.laneOf('one more');
    expect(governor.keys).toBe(1_000);
    expect(governor.laneOf('key 0')).toBe(lanes[0]);
    expect(governor.laneOf('key 1')).not.toBe(lanes[1]);
  });

  test('a key in use is not forgotten, and one too many is not remembered', async () => {
    const governor = new Governor(clock);
    const wait = { signal: undefined, deadlineMillis: Number.POSITIVE_INFINITY, paused: () => undefined };
    const lanes = Array.from({ length: 1_000 }, (_, index) => governor.laneOf(`key ${index}`));
    const tickets = await Promise.all(lanes.map((lane) => lane.enter(wait)));
    expect(governor.laneOf('one more')).not.toBe(governor.laneOf('one more'));
    expect(governor.keys).toBe(1_000);
    lanes[7]?.failed(tickets[7]!);
    expect(governor.laneOf('one more')).toBe(governor.laneOf('one more'));
    expect(governor.keys).toBe(1_000);
  });

  test('10,000 calls of one key may wait; one more is refused at once', async () => {
    const fetch = createGovernedFetch({ clock, fetch: () => new Promise<Response>(() => undefined) });
    for (let call = 0; call < 10_001; call += 1) void fetch(URL_TEXT).catch(() => undefined);
    await expect(fetch(URL_TEXT)).rejects.toMatchObject({ name: 'RateLimitWaitError', code: 'RATE_LIMIT_QUEUE_FULL' });
  });
});
