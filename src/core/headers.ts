/** What a decision tells the caller: header fields and body, in the style that its domain has chosen. */
import { type Decision, isOverLimit, type Reason, type Status, type WindowReading } from './decision.ts';
import type { Limit, Window } from './limit.ts';
import type { HeaderStyle } from './policy.ts';

export type Header = readonly [name: string, value: string];

/** What goes back through the gateway. */
export interface Answer {
  readonly headers: readonly Header[];
  /** JSON, only after a denial; its content type is among the headers. */
  readonly body: string | undefined;
  /** Seconds until the window ends that denies, at least 1; only after a denial, and none for a key that is refused. */
  readonly retryAfterSeconds: number | undefined;
}

const NOTHING: Answer = { headers: [], body: undefined, retryAfterSeconds: undefined };

/**
 * Renders a decision. Without a limit that applies and is enforced there is nothing to tell.
 * @param names of the fields of the style `reference`, which tells nothing without them
 */
export function answerOf(decision: Decision, style: HeaderStyle, names?: ReferenceHeaders): Answer {
  const { deciding, nowSeconds } = decision;
  if (decision.reason === 'invalid_api_key') return invalidKey(style);
  if (style === 'reference') return referenceAnswer(decision, names);
  if (deciding?.reported === undefined) return NOTHING;
  // One number for every field that names the instant: E - floor(now), so that they cannot contradict each other.
  const resetSeconds = deciding.reported.endsAt - nowSeconds;
  const headers = fields(style, toldOf(decision.statuses), deciding.reported, resetSeconds, nowSeconds);
  if (decision.allowed) return { headers, body: undefined, retryAfterSeconds: undefined };
  const body = style === 'ietf' ? quotaExceeded(decision.statuses) : rateLimited(decision.reason, resetSeconds);
  if (headers.length > 0) addDenialFields(headers, style, resetSeconds);
  return { headers, body, retryAfterSeconds: resetSeconds };
}

/** Limits that are shadowed, or that nothing was counted by, are not for callers. */
function toldOf(statuses: readonly Status[]): readonly Status[] {
  const told: Status[] = [];
  for (const status of statuses) if (status.reported !== undefined && status.limit?.shadow === false) told.push(status);
  return told;
}

/** LIMIT_LIMIT_HEADER, LIMIT_REMAINING_HEADER, LIMIT_RESET_HEADER. */
export interface ReferenceHeaders {
  readonly limit: string;
  readonly remaining: string;
  readonly reset: string;
}

/** Gateways make the response to a denial themselves: the body is for callers that ask directly. */
function referenceAnswer(decision: Decision, names: ReferenceHeaders | undefined): Answer {
  const headers = names === undefined ? [] : referenceFields(decision, names);
  const { allowed, reason, deciding, nowSeconds } = decision;
  if (allowed || deciding?.reported === undefined) return { ...NOTHING, headers };
  const retryAfterSeconds = deciding.reported.endsAt - nowSeconds;
  return { headers, body: rateLimited(reason, retryAfterSeconds), retryAfterSeconds };
}

/**
 * envoyproxy/ratelimit's choice of the limit that it tells: the first with the least left, but the last that is over
 * limit, if there is one. What is over limit in quota mode has nothing left, shadowed limits are told like others.
 */
function referenceFields({ statuses, nowSeconds }: Decision, names: ReferenceHeaders): Header[] {
  let told: WindowReading | undefined;
  for (const status of statuses) {
    const { reported } = status;
    if (reported === undefined) continue;
    const isPlainlyOver = isOverLimit(status) && !status.quota;
    if (told === undefined || reported.remaining < told.remaining || isPlainlyOver) told = reported;
  }
  if (told === undefined) return [];
  return [
    [names.limit, String(told.window.max)],
    [names.remaining, String(told.remaining)],
    [names.reset, String(told.endsAt - nowSeconds)],
  ];
}

function fields(
  style: HeaderStyle,
  told: readonly Status[],
  reported: WindowReading,
  resetSeconds: number,
  nowSeconds: number,
): Header[] {
  if (style === 'documented') return documentedFields(told, reported, resetSeconds);
  if (style === 'ietf') return ietfFields(told, nowSeconds);
  return [];
}

/** draft-ietf-httpapi-ratelimit-headers-06 and its X- ancestors, which count the reset in unix time. */
function documentedFields(told: readonly Status[], reported: WindowReading, resetSeconds: number): Header[] {
  const remaining = String(reported.remaining);
  const [status] = told;
  const isOnly = told.length === 1 && status?.limit !== undefined;
  const fields = windowFieldsOf(reported, resetSeconds, isOnly && status.limit.passing !== true);
  return [
    isOnly ? policyHeaderOf(status.limit) : policyHeader(told),
    fields.limit,
    ['RateLimit-Remaining', remaining],
    fields.reset,
    fields.ancestralLimit,
    ['X-RateLimit-Remaining', remaining],
    fields.ancestralReset,
  ];
}

/** What is told of a window whatever remains in it: the same for all decisions of a second. */
interface WindowFields {
  readonly endsAt: number;
  readonly resetSeconds: number;
  readonly limit: Header;
  readonly reset: Header;
  readonly ancestralLimit: Header;
  readonly ancestralReset: Header;
}

/** The last of each window of the policy's own. */
const WINDOW_FIELDS = new WeakMap<Window, WindowFields>();

function windowFieldsOf({ window, endsAt }: WindowReading, resetSeconds: number, isKept: boolean): WindowFields {
  const last = WINDOW_FIELDS.get(window);
  if (last?.endsAt === endsAt && last.resetSeconds === resetSeconds) return last;
  const limit = String(window.max);
  const fields: WindowFields = {
    endsAt,
    resetSeconds,
    limit: ['RateLimit-Limit', limit],
    reset: ['RateLimit-Reset', String(resetSeconds)],
    ancestralLimit: ['X-RateLimit-Limit', limit],
    ancestralReset: ['X-RateLimit-Reset', String(endsAt)],
  };
  if (isKept) WINDOW_FIELDS.set(window, fields);
  return fields;
}

/** By the windows of the policy's own limits, as they are asked for: no decision changes them. */
const POLICY_HEADERS = new WeakMap<readonly Window[], Header>();

function policyHeaderOf({ windows, passing }: Limit): Header {
  let header = POLICY_HEADERS.get(windows);
  if (header === undefined) {
    header = ['RateLimit-Policy', policyField(bindingWindows(windows))];
    if (passing !== true) POLICY_HEADERS.set(windows, header);
  }
  return header;
}

function policyHeader(told: readonly Status[]): Header {
  return ['RateLimit-Policy', policyField(told.flatMap((status) => bindingWindows(status.limit?.windows ?? [])))];
}

function addDenialFields(headers: Header[], style: HeaderStyle, resetSeconds: number): void {
  headers.push(['Retry-After', String(resetSeconds)], ...bodyFields(style));
}

function bodyFields(style: HeaderStyle): readonly Header[] {
  return style === 'ietf' ? PROBLEM_FIELDS : JSON_FIELDS;
}

const NO_STORE: Header = ['cache-control', 'no-store']; // RFC 6585 §4: a 429 must not be stored by a cache
const JSON_FIELDS: readonly Header[] = [['content-type', 'application/json'], NO_STORE];
const PROBLEM_FIELDS: readonly Header[] = [['content-type', 'application/problem+json'], NO_STORE];

/** No limit applies to a key that is none, and no waiting helps. A gateway may still have to send it as a 429. */
function invalidKey(style: HeaderStyle): Answer {
  const isTold = style === 'documented' || style === 'ietf';
  const body =
    style === 'ietf'
      ? JSON.stringify({ type: 'about:blank', title: INVALID_KEY, status: 401 })
      : errorBody('INVALID_API_KEY', `${INVALID_KEY}.`, 401, {});
  return { headers: isTold ? bodyFields(style) : [], body, retryAfterSeconds: undefined };
}

const INVALID_KEY = 'The API key is not valid';

/**
 * A window whose max is not below that of a longer one can never bind before it, if the longer one holds it whole:
 * windows begin at multiples of their length. `windows` is shortest first.
 */
export function bindingWindows(windows: readonly Window[]): readonly Window[] {
  return windows.filter((window, index) =>
    windows.slice(index + 1).every((longer) => window.max < longer.max || longer.seconds % window.seconds !== 0),
  );
}

/** `300;w=60, 10000;w=86400`: shortest first, no number twice (the draft forbids it): the longer window stays. */
function policyField(windows: readonly Window[]): string {
  const longest = new Map<number, number>();
  for (const { max, seconds } of windows) longest.set(max, Math.max(seconds, longest.get(max) ?? 0));
  return [...longest]
    .sort(([maxA, secondsA], [maxB, secondsB]) => secondsA - secondsB || maxA - maxB)
    .map(([max, seconds]) => `${max};w=${seconds}`)
    .join(', ');
}

/** draft-ietf-httpapi-ratelimit-headers-10 §3 and §4. */
function ietfFields(told: readonly Status[], nowSeconds: number): Header[] {
  const readings = told.flatMap((status) => status.readings);
  const policy = readings.map(({ window }) => `${sfString(nameOf(window))};q=${window.max};w=${window.seconds}`);
  const rest = readings.map(
    ({ window, remaining, endsAt }) => `${sfString(nameOf(window))};r=${remaining};t=${endsAt - nowSeconds}`,
  );
  return [
    ['RateLimit-Policy', policy.join(', ')],
    ['RateLimit', rest.join(', ')],
  ];
}

/** What a field can carry: the name of a `rate_limit` may be anything. */
const NAME = /^[\x20-\x7e]{1,64}$/;

/** A rate_limit need not have a name, but the two fields are tied together by it. */
function nameOf({ name, unit, seconds }: Window): string {
  return NAME.test(name) ? name : (unit ?? `${seconds}s`);
}

/** RFC 9651 §3.3.3. @param text printable ASCII */
export function sfString(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function rateLimited(reason: Reason, resetSeconds: number): string {
  const [before, after] = reason === 'cost_exceeds_limit' ? COST_EXCEEDS_LIMIT : RATE_LIMITED;
  return before + resetSeconds + after;
}

/** The error envelope of the documented API: every door's errors have this shape. */
export function errorBody(code: string, message: string, status: number, details: object): string {
  return JSON.stringify({ error: { code, message, status, details } });
}

/** The body around its one number. */
function rateLimitedAround(details: object): readonly [before: string, after: string] {
  const body = errorBody('RATE_LIMITED', 'Rate limit exceeded.', 429, { retry_after_seconds: NUMBER, ...details });
  return body.split(String(NUMBER)) as [string, string];
}

/** No other part of the body. */
const NUMBER = 123_456_789;
const RATE_LIMITED = rateLimitedAround({});
const COST_EXCEEDS_LIMIT = rateLimitedAround({ reason: 'cost_exceeds_limit' satisfies Reason });

/** RFC 9457, with the type and the member of draft-ietf-httpapi-ratelimit-headers-10 §6. */
function quotaExceeded(statuses: readonly Status[]): string {
  const denying = statuses.filter(({ denies }) => denies);
  const violated = denying.flatMap((status) => status.readings.filter((reading) => reading.over));
  return JSON.stringify({
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    title: 'Request cannot be satisfied as assigned quota has been exceeded',
    status: 429,
    'violated-policies': violated.map(({ window }) => nameOf(window)),
  });
}
