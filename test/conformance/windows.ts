/** When a case may begin, so that no window ends in the middle of it; all windows count from the unix epoch. */
import { setTimeout as sleep } from 'node:timers/promises';
import { unixSeconds } from '../support/clients-time.ts';
import type { ConformanceCase } from './case-format.ts';

const UNIT_SECONDS: Readonly<Record<string, number>> = {
  SECOND: 1,
  MINUTE: 60,
  HOUR: 3_600,
  DAY: 86_400,
  WEEK: 604_800,
  MONTH: 2_592_000,
  YEAR: 31_536_000,
};

// A case without waits of its own takes less than this on a busy machine.
const SECONDS_LEFT = { hour: 15, minute: 8 } as const;
// The service's clock may be read a little before this process's.
const AFTER_BOUNDARY_MILLIS = 40;

/** The length of `unit` from 1 second on, down to the second in which the next window starts. */
export function secondsUntilReset(unit: string, second: number): number {
  const length = UNIT_SECONDS[unit];
  if (length === undefined) throw new Error(`no unit: ${unit}`);
  return length - (second % length);
}

/** Waits into the given unix second, if it has not begun. */
export async function waitForSecond(second: number): Promise<void> {
  const millis = second * 1_000 + AFTER_BOUNDARY_MILLIS - Date.now();
  if (millis > 0) await sleep(millis);
}

/** Every case keeps away from the end of an hour, and so of all longer windows. */
export async function align(position: ConformanceCase['align']): Promise<void> {
  await avoidEnd('HOUR', SECONDS_LEFT.hour);
  if (position === 'minute') await avoidEnd('MINUTE', SECONDS_LEFT.minute);
  if (position === 'second') await waitForSecond(unixSeconds() + 1);
}

async function avoidEnd(unit: string, secondsNeeded: number): Promise<void> {
  const left = secondsUntilReset(unit, unixSeconds());
  if (left < secondsNeeded) await waitForSecond(unixSeconds() + left);
}
