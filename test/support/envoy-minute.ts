/** Measurements that a window's end must not fall into. */

const MINUTE_MILLIS = 60_000;
// A measurement takes a few seconds. One that begins later in its minute would most likely straddle its end.
const SECONDS_LEFT_MIN = 10;
const ATTEMPTS_MAX = 3;

/**
 * What `measure` finds when it begins and ends within one minute, and so within one day: near the end of a minute it is
 * put off, and what straddled the end is done again in a fresh minute. Each attempt is told its number.
 */
export async function withinOneMinute<T>(measure: (attempt: number) => Promise<T>): Promise<T> {
  if (millisLeft() < SECONDS_LEFT_MIN * 1_000) await nextMinute();
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const minute = currentMinute();
    const found = await measure(attempt);
    if (currentMinute() === minute) return found;
    await nextMinute();
  }
  throw new Error(`no measurement of ${ATTEMPTS_MAX} ended in the minute in which it began`);
}

function currentMinute(): number {
  return Math.floor(Date.now() / MINUTE_MILLIS);
}

function millisLeft(): number {
  return MINUTE_MILLIS - (Date.now() % MINUTE_MILLIS);
}

async function nextMinute(): Promise<void> {
  const minute = currentMinute();
  while (currentMinute() === minute) await new Promise((resolve) => setTimeout(resolve, millisLeft()));
}
