/** Compares answers with what a case expects; an expectation speaks only of the fields that it names. */
import { expect } from '@jest/globals';
import type { HttpAnswer } from '../support/clients-http.ts';
import type { ExpectedAnswer, ExpectedHttp, ExpectedRefusal } from './case-format.ts';
import type { Refusal, ShortAnswer } from './rls-client.ts';
import { secondsUntilReset } from './windows.ts';

/** The unix seconds before the question was sent and after the answer was there. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export function expectAnswer(got: ShortAnswer | Refusal, want: ExpectedAnswer | ExpectedRefusal, span: Span): void {
  if ('error' in want) {
    expectRefusal(got, want);
    return;
  }
  if ('error' in got) throw new Error(`no answer but ${got.error.code}: ${got.error.message}`);
  // A status with a limit always tells when its window ends, one without a limit never does.
  const statuses = want.statuses?.map((status) =>
    status.unit ? { ...status, reset: `{reset:${status.unit}}` } : status,
  );
  expectNamed(got, statuses ? { ...want, statuses } : want, span);
}

/** The code is equal; the message, if one is expected, is contained. */
export function expectRefusal(got: object, { error }: ExpectedRefusal): void {
  expect(got).toEqual({ error: { code: error.code, message: expect.stringContaining(error.message ?? '') } });
}

export function expectHttp({ status, headers, text }: HttpAnswer, want: ExpectedHttp, span: Span): void {
  const json = 'json' in want ? { json: parsed(text) } : {};
  expectNamed({ status, content_type: headers['content-type']?.split(';')[0], text, ...json }, want, span);
}

function expectNamed(got: object, want: object, span: Span): void {
  const named = Object.entries(got).filter(([field]) => field in want);
  expect(Object.fromEntries(named)).toStrictEqual(timed(want, span));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return `not JSON: ${text}`;
  }
}

const RESET = /\{reset:(\w+)\}/;

/** With every text that holds `{reset:UNIT}` replaced by what it may be in the seconds of the span. */
function timed(want: unknown, span: Span): unknown {
  if (typeof want === 'string') return RESET.test(want) ? expect.stringMatching(resetPattern(want, span)) : want;
  if (Array.isArray(want)) return want.map((element) => timed(element, span));
  if (want === null || typeof want !== 'object') return want;
  return Object.fromEntries(Object.entries(want).map(([key, value]) => [key, timed(value, span)]));
}

function resetPattern(text: string, { from, to }: Span): RegExp {
  const unit = RESET.exec(text)?.[1] ?? '';
  const seconds = Array.from({ length: to - from + 1 }, (_, index) => secondsUntilReset(unit, from + index));
  return new RegExp(`^${text.replace(RESET, `(${seconds.join('|')})`)}$`);
}

/** The log next to itself with JSON escapes undone, so that a message is found whatever the format of the log. */
export function searchable(log: string): string {
  const undone = log
    .replace(/\\u([0-9a-fA-F]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replaceAll('\\n', '\n')
    .replace(/\\(["'\\/`])/g, '$1');
  return `${log}\n${undone}`;
}
