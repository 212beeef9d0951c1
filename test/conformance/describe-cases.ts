/** Makes one jest test of each conformance case, named after it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { loadCases } from './case-format.ts';
import { CaseRunner, environmentOf } from './case-runner.ts';

// The longest wait for a good moment is 15 s, the longest that a case may take to recover as long.
const CASE_MILLIS_MAX = 60_000;

export function describeCases(isWanted: (file: string) => boolean): void {
  let runner: CaseRunner;
  beforeAll(async () => {
    runner = await CaseRunner.start();
  });
  afterAll(async () => {
    await runner.stop();
  });

  const cases = loadCases(isWanted);
  test('every case has a name of its own', () => {
    const names = cases.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
  // Side by side, cases of one environment need one process.
  const sorted = cases.toSorted((a, b) => environmentOf(a).localeCompare(environmentOf(b)));
  for (const claim of sorted) test(claim.name, () => runner.run(claim), CASE_MILLIS_MAX);
}
