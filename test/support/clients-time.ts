/** Answers with their times taken out, after a check that all of them name one instant: the rest compares exactly. */
import type { Answer, Question, RlsClient } from './clients-rls.ts';

/** As Answer, with `N` for the seconds until the reported window ends, `n` for another window's, `E` for its end. */
export interface TimelessAnswer extends Omit<Answer, 'statuses'> {
  readonly statuses: readonly object[];
}

export async function askTimeless(client: RlsClient, question: Question): Promise<TimelessAnswer> {
  const before = unixSeconds();
  const answer = await client.ask(question);
  return timeless(answer, before, unixSeconds());
}

/** @throws when two fields of the answer contradict each other, or the clock */
function timeless(answer: Answer, before: number, after: number): TimelessAnswer {
  const fields = new Map(answer.headers);
  const seconds = Number(fields.get('RateLimit-Reset'));
  const end = Number(fields.get('X-RateLimit-Reset'));
  if (fields.size > 0) assertOneInstant(fields, seconds, end, before, after);
  return {
    code: answer.code,
    statuses: answer.statuses.map((status) => {
      if (status.resetSeconds === undefined) return status;
      assert(Number.isInteger(status.resetSeconds) && status.resetSeconds >= 1, 'a status resets in whole seconds');
      return { ...status, resetSeconds: status.resetSeconds === seconds ? 'N' : 'n' };
    }),
    headers: answer.headers.map(([name, value]) => [name, TIMES[name] ?? value]),
    body: answer.body.replace(`"retry_after_seconds":${seconds}}`, '"retry_after_seconds":N}'),
  };
}

const TIMES: Readonly<Record<string, string>> = {
  'RateLimit-Reset': 'N',
  'Retry-After': 'N',
  'X-RateLimit-Reset': 'E',
};

function assertOneInstant(
  fields: ReadonlyMap<string, string>,
  seconds: number,
  end: number,
  before: number,
  after: number,
): void {
  assert(Number.isInteger(seconds) && seconds >= 1, 'RateLimit-Reset is whole seconds, at least one');
  assert(end - seconds >= before && end - seconds <= after, 'RateLimit-Reset and X-RateLimit-Reset name one instant');
  const retryAfter = fields.get('Retry-After');
  assert(retryAfter === undefined || retryAfter === String(seconds), 'Retry-After names the same instant');
}

function assert(holds: boolean, what: string): void {
  if (!holds) throw new Error(`untrue: ${what}`);
}

export function unixSeconds(): number {
  return Math.floor(Date.now() / 1_000);
}
