/** POST /v1/check as backends see it: the whole body of every kind of decision. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { postJson } from '../support/clients-http.ts';
import { unixSeconds } from '../support/clients-time.ts';
import { type InProcess, startInProcess } from '../support/in-process.ts';

// Where a test asks one subject more than once its windows are so long that none ends meanwhile.
const POLICIES = [
  `
domain: shop
descriptors:
  - key: api_key
    api_keys: true
    limits:
      - { requests: 300, per: minute }
      - { requests: 10000, per: day }
    classes:
      - { name: publishable, prefix: cpk_, limits: [ { requests: 100, per: minute }, { requests: 10000, per: day } ] }
  - key: user
    limits:
      - { requests: 5, per: year }
  - key: team
    limits:
      - { requests: 50, per: 1000d, name: long haul }
  - key: observed
    shadow_mode: true
    limits:
      - { requests: 1, per: year }
`,
  `
domain: quiet
descriptors:
  - key: user
    rate_limit: { unit: year, requests_per_unit: 1 }
`,
  `
domain: modern
headers: ietf
descriptors:
  - key: user
    limits:
      - { requests: 1, per: year }
`,
];

const MINUTE = 60;
const DAY = 86_400;
const YEAR = 31_536_000;
const HAUL = 1_000 * DAY;

interface Body {
  readonly windows: readonly { readonly reset_seconds: number; readonly reset_at: number }[];
}

let server: InProcess;
let subject = 0;
/** A value that no other test uses. */
let name = '';

beforeAll(async () => {
  server = await startInProcess(POLICIES);
});

afterAll(() => server.stop());

beforeEach(() => {
  subject += 1;
  name = `s${subject}`;
});

/** The body, and the second at which it was decided as all of its windows tell. */
async function check(question: object): Promise<{ body: Body; now: number }> {
  const before = unixSeconds();
  const { status, headers, text } = await postJson(`${server.http}/v1/check`, question);
  const after = unixSeconds();
  expect(status).toBe(200);
  expect(headers['content-type']).toMatch(/^application\/json/);
  const body = JSON.parse(text) as Body;
  const [first] = body.windows;
  const now = first === undefined ? before : first.reset_at - first.reset_seconds;
  expect(now).toBeGreaterThanOrEqual(before);
  expect(now).toBeLessThanOrEqual(after);
  return { body, now };
}

function user(hits_addend?: number) {
  return { entries: [{ key: 'user', value: name }], ...(hits_addend === undefined ? {} : { hits_addend }) };
}

/** The window of `seconds` that `now` falls in, as an answer tells it. */
function window(descriptor: number, label: string, limit: number, remaining: number, seconds: number, now: number) {
  const reset_at = now - (now % seconds) + seconds;
  return { descriptor, name: label, limit, remaining, reset_seconds: reset_at - now, reset_at };
}

function headersFor(policy: string, limit: number, remaining: number, seconds: number, now: number) {
  const end = now - (now % seconds) + seconds;
  return {
    'RateLimit-Policy': policy,
    'RateLimit-Limit': String(limit),
    'RateLimit-Remaining': String(remaining),
    'RateLimit-Reset': String(end - now),
    'X-RateLimit-Limit': String(limit),
    'X-RateLimit-Remaining': String(remaining),
    'X-RateLimit-Reset': String(end),
  };
}

function denialOf(seconds: number, now: number, details: object = {}) {
  const retry = seconds - (now % seconds);
  return {
    fields: { 'Retry-After': String(retry), 'content-type': 'application/json', 'cache-control': 'no-store' },
    retry_after_seconds: retry,
    body: {
      error: {
        code: 'RATE_LIMITED',
        message: 'Rate limit exceeded.',
        status: 429,
        details: { retry_after_seconds: retry, ...details },
      },
    },
  };
}

describe('the full form', () => {
  test('of an allowed request tells every window and the headers, and neither body nor when to retry', async () => {
    const { body, now } = await check({ domain: 'shop', descriptors: [user()] });
    expect(body).toEqual({
      allowed: true,
      reason: 'within_limit',
      windows: [window(0, 'year', 5, 4, YEAR, now)],
      headers: headersFor(`5;w=${YEAR}`, 5, 4, YEAR, now),
    });
  });

  test('of a denied request tells the headers and the body for its caller, and when to retry', async () => {
    await check({ domain: 'shop', descriptors: [user(4)] });
    const { body, now } = await check({ domain: 'shop', descriptors: [user(2)] });
    const denial = denialOf(YEAR, now);
    expect(body).toEqual({
      allowed: false,
      reason: 'over_limit',
      windows: [window(0, 'year', 5, 1, YEAR, now)],
      headers: { ...headersFor(`5;w=${YEAR}`, 5, 1, YEAR, now), ...denial.fields },
      retry_after_seconds: denial.retry_after_seconds,
      body: denial.body,
    });
  });

  test('of a cost that can never pass says so, in the reason and in the body', async () => {
    const { body, now } = await check({ domain: 'shop', descriptors: [user(6)] });
    const denial = denialOf(YEAR, now, { reason: 'cost_exceeds_limit' });
    expect(body).toEqual({
      allowed: false,
      reason: 'cost_exceeds_limit',
      windows: [window(0, 'year', 5, 5, YEAR, now)],
      headers: { ...headersFor(`5;w=${YEAR}`, 5, 5, YEAR, now), ...denial.fields },
      retry_after_seconds: denial.retry_after_seconds,
      body: denial.body,
    });
  });

  test('of several descriptors tells to which each window belongs, and lets the least left rule the headers', async () => {
    const { body, now } = await check({
      domain: 'shop',
      descriptors: [
        { entries: [{ key: 'team', value: name }], hits_addend: 10 },
        { entries: [{ key: 'free', value: '' }] },
        user(),
      ],
    });
    expect(body).toEqual({
      allowed: true,
      reason: 'within_limit',
      windows: [window(0, 'long haul', 50, 40, HAUL, now), window(2, 'year', 5, 4, YEAR, now)],
      headers: headersFor(`5;w=${YEAR}, 50;w=${HAUL}`, 5, 4, YEAR, now),
    });
  });

  test('of a descriptor without a limit tells that there is none', async () => {
    const { body } = await check({ domain: 'shop', descriptors: [{ entries: [{ key: 'free', value: '' }] }] });
    expect(body).toEqual({ allowed: true, reason: 'no_limit', windows: [], headers: {} });
  });

  test('of a domain without a policy tells that there is no limit', async () => {
    const { body } = await check({ domain: 'elsewhere', descriptors: [user()] });
    expect(body).toEqual({ allowed: true, reason: 'no_limit', windows: [], headers: {} });
  });

  test('of a limit in shadow mode allows, and tells the operator but not the caller', async () => {
    const observed = { domain: 'shop', descriptors: [{ entries: [{ key: 'observed', value: name }] }] };
    await check(observed);
    const { body, now } = await check(observed);
    expect(body).toEqual({
      allowed: true,
      reason: 'shadowed',
      windows: [window(0, 'year', 1, 0, YEAR, now)],
      headers: {},
    });
  });

  test('in a domain whose style is ietf has the headers and the problem of the draft', async () => {
    await check({ domain: 'modern', descriptors: [user()] });
    const { body, now } = await check({ domain: 'modern', descriptors: [user()] });
    const retry = YEAR - (now % YEAR);
    expect(body).toMatchObject({
      allowed: false,
      headers: {
        'RateLimit-Policy': `"year";q=1;w=${YEAR}`,
        RateLimit: `"year";r=0;t=${retry}`,
        'Retry-After': String(retry),
        'content-type': 'application/problem+json',
        'cache-control': 'no-store',
      },
      retry_after_seconds: retry,
      body: { status: 429, 'violated-policies': ['year'] },
    });
  });

  test('in a domain without header style tells a denial without headers', async () => {
    await check({ domain: 'quiet', descriptors: [user()] });
    const { body, now } = await check({ domain: 'quiet', descriptors: [user()] });
    const denial = denialOf(YEAR, now);
    expect(body).toMatchObject({ allowed: false, headers: {}, retry_after_seconds: denial.retry_after_seconds });
  });

  test('hits is the cost of every descriptor without its own, and 0 of it means 1', async () => {
    const team = { entries: [{ key: 'team', value: name }] };
    const first = await check({ domain: 'shop', descriptors: [team, user(1)], hits: 3 });
    expect(first.body.windows).toMatchObject([{ remaining: 47 }, { remaining: 4 }]);
    const second = await check({ domain: 'shop', descriptors: [team], hits: 0 });
    expect(second.body.windows).toMatchObject([{ remaining: 46 }]);
  });

  test('hits_addend 0 reads and charges nothing', async () => {
    await check({ domain: 'shop', descriptors: [user(0)] });
    const { body } = await check({ domain: 'shop', descriptors: [user(0)] });
    expect(body).toMatchObject({ allowed: true, windows: [{ remaining: 5 }] });
  });
});

describe('the short form', () => {
  test('finds the one domain that limits API keys', async () => {
    const { body, now } = await check({ api_key: `csk_${name}` });
    expect(body).toEqual({
      allowed: true,
      reason: 'within_limit',
      windows: [window(0, 'minute', 300, 299, MINUTE, now), window(0, 'day', 10_000, 9_999, DAY, now)],
      headers: headersFor('300;w=60, 10000;w=86400', 300, 299, MINUTE, now),
    });
  });

  test('gives a publishable key the limits of its class', async () => {
    const { body, now } = await check({ api_key: `cpk_${name}` });
    expect(body).toMatchObject({
      windows: [window(0, 'minute', 100, 99, MINUTE, now), window(0, 'day', 10_000, 9_999, DAY, now)],
    });
  });

  test('charges the subject of the full form, by its hits', async () => {
    await check({ api_key: `csk_${name}`, hits: 7 });
    const entries = [{ key: 'api_key', value: `csk_${name}` }];
    const { body } = await check({ domain: 'shop', descriptors: [{ entries, hits_addend: 0 }] });
    expect(body.windows[1]).toMatchObject({ name: 'day', remaining: 9_993 });
  });

  test('takes the domain that is named, limited there or not', async () => {
    const { body } = await check({ domain: 'quiet', api_key: `csk_${name}` });
    expect(body).toMatchObject({ allowed: true, reason: 'no_limit' });
  });
});
