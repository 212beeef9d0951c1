/** What a bare round trip to Redis takes: one GET after the other through ioredis, with nothing around it. */
import { Redis } from 'ioredis';
import { latencyOf } from './measured-time.ts';
import type { Latency } from './task.ts';

// Until ioredis is compiled.
const WARMUP_MILLIS = 500;
// 8 MB of latencies; beyond, it is measured for a shorter time.
const ROUND_TRIPS_MAX = 1_000_000;

/** By this process, as the decisions before it. */
export async function roundTripOf(socket: string, seconds: number): Promise<Latency> {
  const redis = new Redis({ path: socket });
  const millis = new Float64Array(ROUND_TRIPS_MAX);
  const from = performance.now() + WARMUP_MILLIS;
  const to = from + seconds * 1_000;
  let count = 0;
  let startedAt = performance.now();
  while (startedAt < to && count < ROUND_TRIPS_MAX) {
    if ((await redis.get('nothing')) !== null) throw new Error('Redis has a key that nobody wrote');
    const now = performance.now();
    if (startedAt >= from) millis[count++] = now - startedAt;
    startedAt = now;
  }
  redis.disconnect();
  return latencyOf(millis.subarray(0, count));
}
