/** What Redis is asked while something happens, by clients and by scripts. */
import { until } from '../support/children.ts';
import type { TestRedis } from '../support/redis.ts';

export interface Command {
  /** Its name first. */
  readonly args: readonly string[];
  readonly byScript: boolean;
}

export async function commandsDuring(redis: TestRedis, action: () => Promise<unknown>): Promise<Command[]> {
  const monitor = await redis.client.duplicate().monitor();
  const commands: Command[] = [];
  monitor.on('monitor', (_: string, args: string[], source: string) => {
    commands.push({ args, byScript: source === 'lua' });
  });
  try {
    await action();
    // What comes after everything else tells that everything else has arrived.
    await redis.client.echo('the end');
    await until('MONITOR shows the end', () => commands.some(({ args }) => args[1] === 'the end'));
  } finally {
    monitor.disconnect();
  }
  return commands.filter(({ args }) => args[1] !== 'the end');
}
