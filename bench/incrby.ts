/** Counting as envoyproxy/ratelimit does: per call a pipeline of INCRBY and EXPIRE for each of two windows. */
import type { Redis } from 'ioredis';

const MINUTE_SECONDS = 60;
const DAY_SECONDS = 86_400;
// What EXPIRATION_JITTER_MAX_SECONDS is by default.
const JITTER_SECONDS_MAX = 300;
const ORDINARY_MAX = 1_000_000_000;
const SPENT_MAX = 1;

/**
 * @param spent whether the key has a limit of one
 * @returns whether that was too much: by then it is counted
 * @throws Error when Redis does not answer as it has to
 */
export async function countsTooMany(redis: Redis, key: string, spent: boolean): Promise<boolean> {
  const nowSeconds = Math.floor(Date.now() / 1_000);
  const jitterSeconds = Math.floor(Math.random() * JITTER_SECONDS_MAX);
  const pipeline = redis.pipeline();
  for (const windowSeconds of [MINUTE_SECONDS, DAY_SECONDS]) {
    const counter = `bench_api_key_${key}_${nowSeconds - (nowSeconds % windowSeconds)}`;
    pipeline.incrby(counter, 1).expire(counter, windowSeconds + jitterSeconds);
  }
  const replies = (await pipeline.exec()) ?? [];
  const [, , [, used] = [], [, isSet] = []] = replies;
  if (replies.some(([error]) => error !== null) || typeof used !== 'number' || isSet !== 1) {
    throw new Error(`Redis says ${JSON.stringify(replies)}`);
  }
  return used > (spent ? SPENT_MAX : ORDINARY_MAX);
}

/** A counter is named for a subject and a window of it. */
export function withoutWindow(counter: string): string {
  return counter.slice(0, counter.lastIndexOf('_'));
}
