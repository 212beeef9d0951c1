/** What counting as envoyproxy/ratelimit does costs Redis: per call a pipeline of INCRBY and EXPIRE for each of two windows. */
import { Redis } from 'ioredis';
import { MeasuredTime } from './measured-time.ts';
import type { Measured, Task } from './task.ts';
import { type BenchKey, drawsOf, keysOf } from './workload.ts';

const MINUTE_SECONDS = 60;
const DAY_SECONDS = 86_400;
// What EXPIRATION_JITTER_MAX_SECONDS is by default.
const JITTER_SECONDS_MAX = 300;
const ORDINARY_MAX = 1_000_000_000;
const SPENT_MAX = 1;

async function main(task: Task): Promise<Measured> {
  if (task.redisSocket === undefined) throw new Error('there is no Redis to ask');
  const redis = new Redis({ path: task.redisSocket });
  const keys = keysOf(task.keys, task.registered);
  let primed = 0;
  await lanes(
    task.inflight,
    redis,
    () => keys[primed++],
    () => undefined,
  );

  const measured = new MeasuredTime(task.pids);
  const draw = drawsOf(task.keys, task.seed);
  measured.schedule(task.warmupSeconds, task.seconds);
  const next = (): BenchKey | undefined => (measured.ended ? undefined : keys[draw()]);
  await lanes(task.inflight, redis, next, (millis, isDenied) => measured.add(millis, isDenied));
  redis.disconnect();
  return measured.result();
}

type OnAnswer = (millis: number, isDenied: boolean) => void;

async function lanes(count: number, redis: Redis, next: () => BenchKey | undefined, onAnswer: OnAnswer): Promise<void> {
  const lane = async (): Promise<void> => {
    for (let key = next(); key !== undefined; key = next()) {
      const startedAt = performance.now();
      const isDenied = await charge(redis, key);
      onAnswer(performance.now() - startedAt, isDenied);
    }
  };
  await Promise.all(Array.from({ length: count }, lane));
}

/** @returns whether that was too much: by then it is counted */
async function charge(redis: Redis, { text, spent }: BenchKey): Promise<boolean> {
  const nowSeconds = Math.floor(Date.now() / 1_000);
  const jitterSeconds = Math.floor(Math.random() * JITTER_SECONDS_MAX);
  const pipeline = redis.pipeline();
  for (const windowSeconds of [MINUTE_SECONDS, DAY_SECONDS]) {
    const counter = `bench_api_key_${text}_${nowSeconds - (nowSeconds % windowSeconds)}`;
    pipeline.incrby(counter, 1).expire(counter, windowSeconds + jitterSeconds);
  }
  const replies = (await pipeline.exec()) ?? [];
  const [, , [, used] = [], [, isSet] = []] = replies;
  if (replies.some(([error]) => error !== null) || typeof used !== 'number' || isSet !== 1) {
    throw new Error(`Redis says ${JSON.stringify(replies)}`);
  }
  return used > (spent ? SPENT_MAX : ORDINARY_MAX);
}

try {
  process.stdout.write(JSON.stringify(await main(JSON.parse(process.argv[2] as string) as Task)));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
