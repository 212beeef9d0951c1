/** One governed call: what it waits for, when it gives up, and what it hands over. */
import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createGovernedFetch, type GovernedEvent, type GovernedFetchOptions } from '../../src/client/governed-fetch.ts';
import { HeadroomClient } from '../../src/client/headroom-client.ts';
import { iteratePages } from '../../src/client/pages.ts';
import type { GovernedInit } from '../../src/client/request.ts';
import { ManualClock, settled } from '../support/clock.ts';

const URL_TEXT = 'https://api.example/things';

type Step = { readonly status: number; readonly headers?: Record<string, string> } | 'network' | 'never';

let clock: ManualClock;
const unhandled: unknown[] = [];
const note = (reason: unknown): void => {
  unhandled.push(reason);
};

beforeEach(() => {
  clock = new ManualClock();
  process.on('unhandledRejection', note);
});

afterEach(async () => {
  await settled();
  process.off('unhandledRejection', note);
  expect(unhandled.splice(0)).toEqual([]);
});

/** An API that answers as it is told, the last step for ever. */
function scripted(steps: readonly Step[], options: GovernedFetchOptions = {}) {
  const sentAt: number[] = [];
  const startMillis = clock.monotonicMillis();
  const fetch = createGovernedFetch({
    clock,
    random: () => 0.5,
    ...options,
    fetch: (_input, init) => {
      const step = steps[Math.min(sentAt.length, steps.length - 1)]!;
      sentAt.push(clock.monotonicMillis() - startMillis);
      init?.signal?.throwIfAborted();
      if (step === 'network') return Promise.reject(new TypeError('fetch failed'));
      if (step === 'never') {
        return new Promise((_resolve, reject) => {
          init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
        });
      }
      return Promise.resolve(new Response('body', { status: step.status, headers: step.headers ?? {} }));
    },
  });
  return { fetch, sentAt };
}

/** What became of it, with time passing as far as it is needed. */
async function outcome(call: Promise<Response>): Promise<unknown> {
  const settledCall = call.then(
    ({ status }) => status,
    (error) => error,
  );
  await clock.pass(1_000_000);
  return settledCall;
}

describe('a call is made again', () => {
  const busy = { status: 429, headers: { 'Retry-After': '7' } };
  const marked = { method: 'POST', retry: true };

  // With dice that always show a half, the backoffs are 250, 500, 1,000 and 2,000 ms.
  test.each<[title: string, steps: readonly Step[], init: GovernedInit, status: unknown, sentAt: readonly number[]]>([
    ['after a 429, when Retry-After and a backoff are over', [busy, { status: 200 }], {}, 200, [0, 7_250]],
    ['twice', [busy, busy, { status: 200 }], {}, 200, [0, 7_250, 14_750]],
    ['after a 429 that says no time', [{ status: 429 }, { status: 200 }], {}, 200, [0, 250]],
    ['after a 503 with Retry-After', [{ ...busy, status: 503 }, { status: 200 }], {}, 200, [0, 7_250]],
    ['after a 502', [{ status: 502 }, { status: 200 }], {}, 200, [0, 250]],
    ['when the network fails', ['network', { status: 200 }], {}, 200, [0, 250]],
    ['five times at most', [{ status: 503 }], {}, 503, [0, 250, 750, 1_750, 3_750]],
    ['a POST after a 429', [busy, { status: 201 }], { method: 'POST', body: 'a' }, 201, [0, 7_250]],
    ['a marked POST after a 503', [{ status: 503 }, { status: 201 }], marked, 201, [0, 250]],
    ['not a POST after a 503', [{ ...busy, status: 503 }], { method: 'POST' }, 503, [0]],
    ['not after a 500', [{ status: 500 }], {}, 500, [0]],
    ['not one that is to be sent once', [busy], { retry: false }, 429, [0]],
  ])('%s', async (_title, steps, init, status, sentAt) => {
    const api = scripted(steps);
    expect(await outcome(api.fetch(URL_TEXT, init))).toBe(status);
    expect(api.sentAt).toEqual(sentAt);
  });

  test('no oftener than maxAttempts says; then the last failure is thrown', async () => {
    const { fetch, sentAt } = scripted(['network'], { maxAttempts: 2 });
    expect(await outcome(fetch(URL_TEXT))).toEqual(new TypeError('fetch failed'));
    expect(sentAt).toHaveLength(2);
  });

  test('and all other calls of the key wait for the Retry-After of one', async () => {
    const { fetch, sentAt } = scripted([busy, { status: 200 }], { random: () => 0 });
    const both = Promise.all([fetch(URL_TEXT), fetch(URL_TEXT)]);
    await clock.pass(6_999);
    expect(sentAt).toEqual([0]);
    await clock.pass(1);
    await both;
    expect(sentAt).toEqual([0, 7_000, 7_000]);
  });
});

describe('a wall clock that is set anew meanwhile changes nothing', () => {
  const HOUR_MILLIS = 3_600_000;
  const inTwoSeconds = new Date(1_800_000_002_000).toUTCString();

  test.each<[title: string, header: string, governor: boolean, stepMillis: number]>([
    ['back, in a pause', '2', true, -HOUR_MILLIS],
    ['forth, in a pause', '2', true, HOUR_MILLIS],
    ['back, in a backoff', '2', false, -HOUR_MILLIS],
    ['forth, in a backoff', '2', false, HOUR_MILLIS],
    ['back, in a pause until a date', inTwoSeconds, true, -HOUR_MILLIS],
    ['forth, in a pause until a date', inTwoSeconds, true, HOUR_MILLIS],
  ])('%s', async (_title, retryAfter, governor, stepMillis) => {
    const steps = [{ status: 429, headers: { 'Retry-After': retryAfter } }, { status: 200 }];
    const { fetch, sentAt } = scripted(steps, { governor });
    const first = fetch(URL_TEXT);
    await clock.pass(1_000);
    const second = governor ? fetch(URL_TEXT) : first;
    clock.stepWall(stepMillis);
    await clock.pass(1_250);
    expect(sentAt).toEqual(governor ? [0, 2_000, 2_250] : [0, 2_250]);
    await Promise.all([first, second]);
  });
});

describe('what is left behind', () => {
  test('no listener on a signal that lives longer, neither after a pause nor after a backoff', async () => {
    const exhausted = { 'RateLimit-Limit': '20', 'RateLimit-Remaining': '0', 'RateLimit-Reset': '60' };
    const { fetch } = scripted([{ status: 503 }, { status: 200, headers: exhausted }]);
    const { signal } = new AbortController();
    const first = fetch(URL_TEXT, { signal });
    await clock.pass(100);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1); // in its backoff
    await clock.pass(200);
    await first;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    const second = fetch(URL_TEXT, { signal });
    await settled();
    expect(getEventListeners(signal, 'abort')).toHaveLength(1); // in its pause
    await clock.pass(100_000);
    await second;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('no answer that nobody reads, which would keep its connection', async () => {
    const ends: string[] = [];
    const body = (name: string) => new ReadableStream({ cancel: () => void ends.push(`${name} cancelled`) });
    const answers = [new Response(body('first'), { status: 503 }), new Response(body('second'))];
    const fetch = createGovernedFetch({ clock, random: () => 0.5, fetch: async () => answers.shift()! });
    expect(await outcome(fetch(URL_TEXT))).toBe(200);
    expect(ends).toEqual(['first cancelled']);
  });
});

describe('an option', () => {
  const NUMBERS = ['maxAttempts', 'maxWaitMillis', 'backoffBaseMillis', 'backoffMaxMillis'] as const;

  test('that is undefined is its default', async () => {
    const names = [...NUMBERS, 'governor', 'keyOf', 'onEvent'];
    const undefineds = Object.fromEntries(names.map((name) => [name, undefined]));
    const { fetch, sentAt } = scripted([{ status: 503 }], undefineds);
    expect(await outcome(fetch(URL_TEXT))).toBe(503);
    expect(sentAt).toEqual([0, 250, 750, 1_750, 3_750]);
  });

  test('that is undefined is the real fetch, clock or dice', async () => {
    const { fetch } = globalThis;
    globalThis.fetch = async () => new Response('the global one');
    try {
      const governed = createGovernedFetch({ fetch: undefined, clock: undefined, random: undefined });
      expect(await (await governed(URL_TEXT)).text()).toBe('the global one');
      const headroom = new HeadroomClient({ baseUrl: URL_TEXT, token: undefined, fetch: undefined });
      await expect(headroom.getKey('key_1', { signal: undefined })).rejects.toThrow('not JSON');
      await expect(iteratePages(URL_TEXT, { fetch: undefined, pageSize: undefined }).next()).rejects.toThrow(
        'not JSON',
      );
    } finally {
      globalThis.fetch = fetch;
    }
  });

  test.each(NUMBERS)('%s that is no sensible number is refused by its name', (name) => {
    for (const value of [Number.NaN, -1, Number.NEGATIVE_INFINITY]) {
      expect(() => createGovernedFetch({ [name]: value })).toThrow(RangeError);
      expect(() => createGovernedFetch({ [name]: value })).toThrow(new RegExp(`^${name}: expected .+, got ${value}$`));
    }
    for (const value of ['5', null, {}]) {
      expect(() => createGovernedFetch({ [name]: value })).toThrow(TypeError);
      expect(() => createGovernedFetch({ [name]: value })).toThrow(new RegExp(`^${name}: expected `));
    }
  });

  test.each([0, 1.5])('maxAttempts is refused as %s', (maxAttempts) => {
    expect(() => createGovernedFetch({ maxAttempts })).toThrow(RangeError);
  });

  test('may be endless, or nothing, where that makes sense', () => {
    createGovernedFetch({ maxAttempts: Number.POSITIVE_INFINITY, maxWaitMillis: Number.POSITIVE_INFINITY });
    createGovernedFetch({ maxWaitMillis: 0, backoffBaseMillis: 0, backoffMaxMillis: 0 });
  });

  test.each(['backoffBaseMillis', 'backoffMaxMillis'])('%s may not be endless', (name) => {
    expect(() => createGovernedFetch({ [name]: Number.POSITIVE_INFINITY })).toThrow(RangeError);
  });
});

describe('what fetch is given', () => {
  test('is no object that it would be a method of, which the fetch of browsers refuses', async () => {
    const given: unknown[] = [];
    async function ofBrowser(this: unknown): Promise<Response> {
      given.push(this);
      return new Response('{"data":[],"pagination":{"page":1,"has_next":false}}');
    }
    await createGovernedFetch({ fetch: ofBrowser })(URL_TEXT);
    await new HeadroomClient({ baseUrl: 'https://headroom.example', fetch: ofBrowser }).getKey('key_1');
    for await (const { data } of iteratePages(URL_TEXT, { fetch: ofBrowser })) expect(data).toEqual([]);
    expect(given).toEqual([undefined, undefined, undefined]);
  });

  test('is what the caller gave, without the mark', async () => {
    const seen: unknown[] = [];
    const fetch = createGovernedFetch({
      fetch: async (...args) => {
        seen.push(args);
        return new Response();
      },
    });
    await fetch(URL_TEXT, { method: 'PUT', body: 'a', retry: true });
    expect(seen).toEqual([[URL_TEXT, { method: 'PUT', body: 'a' }]]);
  });
});

describe('maxWaitMillis', () => {
  test('a longer pause is refused at once, and says how long it would be', async () => {
    const exhausted = { 'RateLimit-Limit': '20', 'RateLimit-Remaining': '0', 'RateLimit-Reset': '60' };
    const { fetch, sentAt } = scripted([{ status: 200, headers: exhausted }], { maxWaitMillis: 60_999 });
    await fetch(URL_TEXT);
    const refused = { name: 'RateLimitWaitError', code: 'RATE_LIMIT_WAIT_TOO_LONG', waitMillis: 61_000 };
    await expect(fetch(URL_TEXT)).rejects.toMatchObject(refused);
    expect(sentAt).toHaveLength(1);
    expect(clock.timers).toBe(0);
  });

  test('a pause that long is made', async () => {
    const exhausted = { 'RateLimit-Limit': '20', 'RateLimit-Remaining': '0', 'RateLimit-Reset': '60' };
    const { fetch, sentAt } = scripted([{ status: 200, headers: exhausted }], { maxWaitMillis: 61_000 });
    await fetch(URL_TEXT);
    expect(await outcome(fetch(URL_TEXT))).toBe(200);
    expect(sentAt).toEqual([0, 61_000]);
  });

  test('a longer Retry-After is refused at once', async () => {
    const { fetch } = scripted([{ status: 429, headers: { 'Retry-After': '7' } }], { maxWaitMillis: 7_000 });
    await expect(fetch(URL_TEXT)).rejects.toMatchObject({ code: 'RATE_LIMIT_WAIT_TOO_LONG', waitMillis: 7_250 });
  });

  test('counts all waits of one call together', async () => {
    const { fetch, sentAt } = scripted([{ status: 503 }], { maxWaitMillis: 1_000 });
    expect(await outcome(fetch(URL_TEXT))).toMatchObject({ code: 'RATE_LIMIT_WAIT_TOO_LONG', waitMillis: 1_000 });
    expect(sentAt).toEqual([0, 250, 750]);
  });

  test('counts a pause and a backoff together', async () => {
    const exhausted = { 'RateLimit-Limit': '20', 'RateLimit-Remaining': '0', 'RateLimit-Reset': '60' };
    const steps = [{ status: 200, headers: exhausted }, { status: 503 }];
    const { fetch } = scripted(steps, { maxWaitMillis: 61_249 });
    await fetch(URL_TEXT);
    expect(await outcome(fetch(URL_TEXT))).toMatchObject({ code: 'RATE_LIMIT_WAIT_TOO_LONG', waitMillis: 250 });
  });

  test('counts the wait for the answer of another call', async () => {
    const { fetch } = scripted(['never'], { maxWaitMillis: 1_000 });
    void fetch(URL_TEXT);
    const second = fetch(URL_TEXT).catch((error) => error);
    await clock.pass(1_001);
    expect(await second).toMatchObject({ code: 'RATE_LIMIT_WAIT_TOO_LONG' });
  });
});

describe('an AbortSignal ends', () => {
  const reason = new Error('enough');

  async function abortedAfter(millis: number, steps: readonly Step[], calls = 1): Promise<readonly unknown[]> {
    const { fetch } = scripted(steps);
    const abort = new AbortController();
    const all = Promise.allSettled(Array.from({ length: calls }, () => fetch(URL_TEXT, { signal: abort.signal })));
    await clock.pass(millis);
    abort.abort(reason);
    return (await all).map((result) => (result.status === 'rejected' ? result.reason : result.value.status));
  }

  test('a call that is under way', async () => {
    expect(await abortedAfter(100, ['never'])).toEqual([reason]);
  });

  test('a wait for another call', async () => {
    expect(await abortedAfter(100, ['never'], 3)).toEqual([reason, reason, reason]);
  });

  test('a backoff', async () => {
    expect(await abortedAfter(100, [{ status: 503 }])).toEqual([reason]);
    expect(clock.timers).toBe(0);
  });

  test('a pause, and leaves no timer behind', async () => {
    const exhausted = { 'RateLimit-Limit': '20', 'RateLimit-Remaining': '0', 'RateLimit-Reset': '60' };
    expect(await abortedAfter(100, [{ status: 200, headers: exhausted }], 2)).toEqual([200, reason]);
    expect(clock.timers).toBe(0);
  });

  test('a call before it is begun', async () => {
    const { fetch, sentAt } = scripted([{ status: 200 }]);
    await expect(fetch(URL_TEXT, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(sentAt).toEqual([]);
  });

  test('a call that may be made again, which is not announced any more', async () => {
    const events: GovernedEvent[] = [];
    const { fetch } = scripted(['never'], { onEvent: (event) => events.push(event) });
    const abort = new AbortController();
    const call = fetch(URL_TEXT, { signal: abort.signal });
    await clock.pass(100);
    abort.abort(reason);
    await expect(call).rejects.toBe(reason);
    await settled();
    expect(events).toEqual([]);
  });

  test("a Request's own signal does", async () => {
    const { fetch, sentAt } = scripted([{ status: 200 }]);
    const request = new Request(URL_TEXT, { signal: AbortSignal.abort(reason) });
    await expect(fetch(request)).rejects.toBe(reason);
    expect(sentAt).toEqual([]);
  });
});

describe('the hook', () => {
  test('sees every retry', async () => {
    const events: GovernedEvent[] = [];
    const { fetch } = scripted(['network', { status: 503, headers: { 'Retry-After': '1' } }, { status: 200 }], {
      onEvent: (event) => events.push(event),
    });
    await outcome(fetch(URL_TEXT));
    expect(events).toEqual([
      { type: 'retry', millis: 250, attempt: 2, status: undefined },
      { type: 'retry', millis: 1_500, attempt: 3, status: 503 },
    ]);
  });

  test.each<[title: string, onEvent: () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('hook');
      },
    ],
    ['rejects', () => Promise.reject(new Error('hook'))],
    ['never ends', () => new Promise(() => undefined)],
  ])('breaks nothing when it %s', async (_title, onEvent) => {
    const { fetch } = scripted(['network', { status: 200 }], { onEvent });
    expect(await outcome(fetch(URL_TEXT))).toBe(200);
  });
});
