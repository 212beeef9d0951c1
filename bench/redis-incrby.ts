/** A closed loop of envoyproxy/ratelimit's commands, with no service around them. */
import { Redis } from 'ioredis';
import { countsTooMany } from './incrby.ts';
import { MeasuredTime } from './measured-time.ts';
import type { Measured, Task } from './task.ts';
import { type BenchKey, drawsOf, keysOf } from './workload.ts';

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
      const isDenied = await countsTooMany(redis, key.text, key.spent);
      onAnswer(performance.now() - startedAt, isDenied);
    }
  };
  await Promise.all(Array.from({ length: count }, lane));
}

try {
  process.stdout.write(JSON.stringify(await main(JSON.parse(process.argv[2] as string) as Task)));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
